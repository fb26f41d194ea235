package main_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A zypperRoot is a zypper of its own: nothing of this machine's zypper and rpm is read or written.
type zypperRoot struct{ dir string }

// newZypper returns a zypper with one .repo file.
func newZypper(t *testing.T, repo string) zypperRoot {
	t.Helper()
	z := zypperRoot{proctest.OpenDir(t)}
	path := filepath.Join(z.dir, "etc/zypp/repos.d/test.repo")
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(repo), 0o644); err != nil {
		t.Fatal(err)
	}
	return z
}

func (z zypperRoot) run(t *testing.T, args ...string) proctest.Answer {
	t.Helper()
	env := []string{"ZYPP_LOGFILE=" + z.dir + "/log", "ZYPP_CONF=" + z.dir + "/zypp.conf"}
	return proctest.Run(t, env, "zypper", append([]string{"--non-interactive", "--root", z.dir}, args...)...)
}

// Real zypper reads what was pushed, through the redirects of the resolver. Debian's zypper cannot be
// installed beside dnf-plugins-core; unpacked somewhere in PATH, with libzypp installed, it can.
func TestZypper(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "zypper")
	s := shared(t)
	var all []packageFile
	for _, spec := range []rpmtest.Spec{{Version: "1.0~rc1"}, {Version: "1.0"}, {Version: "1.0^git1"}, {Version: "0.5", Epoch: 1}, {Name: "common", Compressor: "xz"}} {
		spec.Arch = "noarch" // for the architecture of any machine
		all = append(all, newRPM(t, spec))
	}
	s.publish(t, "acme/zypper/opensuse/15.6", all...)
	repo := string(s.fetch(t, "acme/zypper/opensuse/15.6.repo"))

	t.Run("it lists and downloads every version", func(t *testing.T) {
		t.Parallel()
		z := newZypper(t, repo)
		if a := z.run(t, "--gpg-auto-import-keys", "refresh"); a.Code != 0 {
			t.Fatalf("%v", a)
		}
		var got []string
		for line := range strings.Lines(z.run(t, "search", "--details").Stdout) {
			if f := strings.Split(line, "|"); len(f) == 6 && strings.TrimSpace(f[2]) == "package" {
				got = append(got, strings.TrimSpace(f[1])+" "+strings.TrimSpace(f[3]))
			}
		}
		want := []string{"common 1.0-1", "hello 1:0.5-1", "hello 1.0^git1-1", "hello 1.0-1", "hello 1.0~rc1-1"} // the newest first
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("packages (-want +got):\n%s", diff)
		}
		var sums []string
		for _, f := range all {
			sums = append(sums, f.sha256())
		}
		slices.Sort(sums)
		for _, name := range []string{"common", "hello=1.0~rc1", "hello=1.0", "hello=1.0^git1", "hello=1:0.5"} {
			if a := z.run(t, "install", "--download-only", name); a.Code != 0 {
				t.Errorf("%s: %v", name, a)
			}
		}
		var downloaded []string
		for _, pattern := range []string{"*.rpm", "e1/*.rpm"} {
			downloaded = append(downloaded, digests(t, z.dir+"/var/cache/zypp/packages/acme_zypper/"+pattern)...)
		}
		slices.Sort(downloaded)
		if diff := cmp.Diff(sums, downloaded); diff != "" {
			t.Errorf("downloaded (-want +got):\n%s", diff)
		}
	})
	// With --gpg-auto-import-keys zypper imports the key beside repomd.xml, even if gpgkey names another one.
	t.Run("another key is refused", func(t *testing.T) {
		t.Parallel()
		z := newZypper(t, withKey(t, repo, otherKey(t)))
		if a := z.run(t, "refresh"); a.Code == 0 || !strings.Contains(a.Said(), "Signature verification failed") {
			t.Errorf("%v", a)
		}
	})
}
