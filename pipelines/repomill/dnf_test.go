package main_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A dnfRoot is a dnf of its own: nothing of this machine's dnf and rpm is read or written.
type dnfRoot struct{ dir string }

// newDnf returns a dnf with one .repo file.
func newDnf(t *testing.T, repo string) dnfRoot {
	t.Helper()
	proctest.Need(t, "dnf")
	d := dnfRoot{proctest.OpenDir(t)}
	t.Cleanup(func() { endAgents(t, d.dir) })
	config := fmt.Sprintf("[main]\nreposdir=%[1]s/repos\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\nvarsdir=%[1]s/vars\ninstallroot=%[1]s/root\n", d.dir)
	for name, text := range map[string]string{"dnf.conf": config, "repos/test.repo": repo} {
		path := filepath.Join(d.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// endAgents ends the agents of gpg that a client started for keyrings below a folder, and that outlive it: each keeps an
// inotify instance, of which a user has few.
func endAgents(t *testing.T, dir string) {
	t.Helper()
	processes, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range processes {
		command, err := os.ReadFile(file)
		if err != nil || !bytes.Contains(command, []byte("gpg-agent")) || !bytes.Contains(command, []byte(dir)) {
			continue // it may have ended
		}
		pid, err := strconv.Atoi(filepath.Base(filepath.Dir(file)))
		if err != nil {
			t.Fatal(err)
		}
		if err := syscall.Kill(pid, syscall.SIGTERM); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
}

// options come before every command. Of dnf's plugins, some would write outside of the root.
func (d dnfRoot) options() []string {
	return []string{"-y", "-c", d.dir + "/dnf.conf", "--releasever=9", "--disableplugin=*", "--enableplugin=download", "--enableplugin=reposync"}
}

func (d dnfRoot) run(t *testing.T, args ...string) proctest.Answer {
	t.Helper()
	a := proctest.Run(t, nil, "dnf", append(d.options(), args...)...)
	if strings.Contains(a.Stderr, "No such command") {
		t.Skipf("dnf-plugins-core is not installed: %v", a)
	}
	return a
}

// ok runs a command that must succeed and returns the lines of its standard output, sorted.
func (d dnfRoot) ok(t *testing.T, args ...string) []string {
	t.Helper()
	a := d.run(t, args...)
	if a.Code != 0 {
		t.Fatalf("dnf %q: %v", args, a)
	}
	lines := strings.Split(strings.TrimSpace(a.Stdout), "\n")
	slices.Sort(lines)
	return lines
}

// query returns what repoquery prints of the packages of an architecture, sorted.
func (d dnfRoot) query(t *testing.T, arch string, args ...string) []string {
	t.Helper()
	return d.ok(t, append([]string{"--quiet", "--forcearch=" + arch, "repoquery"}, args...)...)
}

// Real dnf reads what was pushed, through the redirects of the resolver.
func TestDnf(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "dnf")
	s := shared(t)
	hello := rpmtest.Spec{
		Requires: []string{"bash >= 4.0", "(gcc or clang)"}, Files: map[string]string{"/usr/bin/hello": "#!", "/usr/share/hello/": ""},
		Changes: []rpmtest.Change{{Time: time.Unix(1_700_000_000, 0), Author: "Jo Doe <jo@example.org> - 1.0-1", Text: "- first words"}},
	}
	var files []packageFile
	for _, v := range []struct {
		epoch   uint32
		version string
	}{{0, "1.0"}, {0, "1.0~rc1"}, {0, "1.0^git1"}, {0, "1.0+x"}, {1, "0.5"}} {
		spec := hello
		spec.Epoch, spec.Version = v.epoch, v.version
		files = append(files, newRPM(t, spec))
	}
	common := newRPM(t, rpmtest.Spec{Name: "common", Arch: "noarch", Compressor: "zstd"})
	source := newRPM(t, rpmtest.Spec{Source: true, Version: "0.5", Epoch: 1})
	s.publish(t, "acme/dnf/el/9", append(files, common, source)...)
	repo := string(s.fetch(t, "acme/dnf/el/9.repo"))

	t.Run("the configuration file is all that a client needs", func(t *testing.T) {
		t.Parallel()
		d := newDnf(t, repo)
		if out := d.run(t, "makecache"); out.Code != 0 || !strings.Contains(out.Said(), "Importing GPG key") {
			t.Fatalf("%v", out)
		}
		want := []string{"common-0:1.0-1.noarch", "hello-0:1.0+x-1.x86_64", "hello-0:1.0-1.x86_64", "hello-0:1.0^git1-1.x86_64", "hello-0:1.0~rc1-1.x86_64", "hello-1:0.5-1.x86_64"}
		if diff := cmp.Diff(want, d.query(t, "x86_64")); diff != "" {
			t.Errorf("packages (-want +got):\n%s", diff)
		}
		for _, tt := range []struct{ option, want string }{
			{"--latest-limit=1", "hello-1:0.5-1.x86_64"},
			{"--latest-limit=-4", "hello-0:1.0~rc1-1.x86_64"}, // all but the newest four
		} {
			if got := d.query(t, "x86_64", tt.option, "hello"); !slices.Contains(got, tt.want) {
				t.Errorf("%s: %q, want %s", tt.option, got, tt.want)
			}
		}
		if got, want := d.query(t, "x86_64", "--requires", "hello-1.0-1"), []string{"(gcc or clang)", "bash >= 4.0"}; !cmp.Equal(got, want) {
			t.Errorf("requires %q, want %q", got, want)
		}
		if got, want := d.query(t, "x86_64", "--list", "hello-1.0-1"), []string{"/usr/bin/hello", "/usr/share/hello"}; !cmp.Equal(got, want) {
			t.Errorf("files %q, want %q", got, want)
		}
		if got := d.query(t, "x86_64", "--changelogs", "hello-1.0-1"); !slices.Contains(got, "- first words") {
			t.Errorf("changelogs %q", got)
		}
	})
	t.Run("noarch is seen by other architectures, and nothing else is", func(t *testing.T) {
		t.Parallel()
		d := newDnf(t, repo)
		if got, want := d.query(t, "aarch64"), []string{"common-0:1.0-1.noarch"}; !cmp.Equal(got, want) {
			t.Errorf("aarch64 sees %q, want %q", got, want)
		}
	})
	t.Run("every version downloads as it was pushed", func(t *testing.T) {
		t.Parallel()
		d := newDnf(t, repo)
		var want []string
		for _, f := range append(files, common) {
			want = append(want, f.sha256())
		}
		slices.Sort(want)
		d.ok(t, "download", "--destdir", d.dir+"/got", "common", "hello-1.0-1", "hello-1.0~rc1-1", "hello-1.0^git1-1", "hello-1.0+x-1", "hello-1:0.5-1")
		if diff := cmp.Diff(want, digests(t, d.dir+"/got/*.rpm")); diff != "" {
			t.Errorf("downloaded (-want +got):\n%s", diff)
		}
		d.ok(t, "download", "--source", "--destdir", d.dir+"/source", "hello")
		if got, want := digests(t, d.dir+"/source/*.src.rpm"), []string{source.sha256()}; !cmp.Equal(got, want) {
			t.Errorf("source %q, want %q", got, want)
		}
	})
	t.Run("reposync makes a sound mirror", func(t *testing.T) {
		t.Parallel()
		d := newDnf(t, repo)
		d.ok(t, "reposync", "--download-metadata", "--download-path", d.dir+"/mirror")
		if got, want := len(digests(t, d.dir+"/mirror/acme_dnf/*.rpm"))+len(digests(t, d.dir+"/mirror/acme_dnf/e1/*.rpm")), len(files)+1; got != want {
			t.Errorf("%d packages, want %d", got, want)
		}
		if a := repomill(t, "check", d.dir+"/mirror/acme_dnf", "--keyring", s.keyring(t, "acme/dnf")); a.Code != 0 {
			t.Errorf("check of the mirror: %v", a)
		}
	})
	t.Run("another key is refused", func(t *testing.T) {
		t.Parallel()
		d := newDnf(t, withKey(t, repo, otherKey(t)))
		if out := d.run(t, "makecache"); out.Code == 0 || !strings.Contains(out.Stderr, "GPG signature") {
			t.Errorf("makecache with another key: %v", out)
		}
	})
	t.Run("an architecture without packages is an empty repository", func(t *testing.T) {
		t.Parallel()
		s.publish(t, "acme/dnf/fedora/43", files[0])
		d := newDnf(t, string(s.fetch(t, "acme/dnf/fedora/43.repo")))
		d.ok(t, "--forcearch=aarch64", "makecache")
		d.ok(t, "--enablerepo=*-source", "--repo=acme_dnf-source", "makecache")
	})
}

// withKey returns a .repo file with another public key.
func withKey(t *testing.T, repo, key string) string {
	t.Helper()
	lines := strings.Split(repo, "\n")
	for i, line := range lines {
		if strings.HasPrefix(line, "gpgkey=") {
			lines[i] = "gpgkey=file://" + newFile(t, "other.asc", []byte(key)).path
		}
	}
	return strings.Join(lines, "\n")
}
