package main_test

import (
	"fmt"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// An aptRoot is an apt of its own: nothing of this machine's apt is read or written.
type aptRoot struct{ dir string }

// newApt returns an apt for one architecture and, perhaps, foreign ones.
func newApt(t *testing.T, arch string, foreign ...string) aptRoot {
	t.Helper()
	need(t, "apt-get", "apt-cache")
	a := aptRoot{openDir(t)}
	for _, d := range []string{"etc/sources.list.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/apt.conf.d", "state/lists/partial", "cache/archives/partial", "log"} {
		if err := os.MkdirAll(filepath.Join(a.dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.write(t, "status", "")
	config := fmt.Sprintf(`Dir %[1]q; Dir::Etc "%[1]s/etc"; Dir::State "%[1]s/state"; Dir::State::status "%[1]s/status";
Dir::Cache "%[1]s/cache"; Dir::Log "%[1]s/log"; APT::Architecture %[2]q; APT::Architectures { "%[3]s"; };
APT::Sandbox::User %[4]q; APT::Get::Download-Only "true"; Acquire::Languages "none"; Acquire::Retries "0";
`, a.dir, arch, strings.Join(append([]string{arch}, foreign...), `"; "`), sandboxUser())
	a.write(t, "apt.conf", config)
	return a
}

// sandboxUser is whom apt downloads as, if we are root.
func sandboxUser() string {
	if _, err := user.Lookup("_apt"); err != nil {
		return "root"
	}
	return "_apt"
}

func (a aptRoot) write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(a.dir, name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// source makes text the one configured source; ext is "sources" or "list".
func (a aptRoot) source(t *testing.T, ext, text string) {
	t.Helper()
	a.write(t, "etc/sources.list.d/test."+ext, text)
}

func (a aptRoot) env() []string { return []string{"APT_CONFIG=" + a.dir + "/apt.conf"} }

func (a aptRoot) run(t *testing.T, program string, args ...string) answer {
	t.Helper()
	return run(t, a.env(), program, args...)
}

// update must go without an error, a warning or a notice.
func (a aptRoot) update(t *testing.T, options ...string) answer {
	t.Helper()
	out := a.run(t, "apt-get", append(options, "update")...)
	if bad := complaints(out); out.code != 0 || len(bad) > 0 {
		t.Fatalf("apt-get update complains: %q\n%v", bad, out)
	}
	return out
}

// complaints returns apt's errors, warnings and notices.
func complaints(out answer) (bad []string) {
	for line := range strings.Lines(out.stdout + out.stderr) {
		for _, kind := range []string{"E:", "W:", "N:", "Err:"} {
			if strings.HasPrefix(line, kind) {
				bad = append(bad, strings.TrimSpace(line))
			}
		}
	}
	return bad
}

// download downloads packages, given as NAME or NAME=VERSION, and returns the digests of all that was ever downloaded.
func (a aptRoot) download(t *testing.T, packages ...string) (sha256 []string) {
	t.Helper()
	out := a.run(t, "apt-get", append([]string{"install", "-y", "--download-only"}, packages...)...)
	if bad := complaints(out); out.code != 0 || len(bad) > 0 {
		t.Fatalf("apt-get install --download-only %q complains: %q\n%v", packages, bad, out)
	}
	return digests(t, a.dir+"/cache/archives/*.deb")
}

// digests returns the sorted SHA-256 of the files that match a pattern.
func digests(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		set[digest(b)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// versions returns the versions of a package that apt knows, in its order: the newest first.
func (a aptRoot) versions(t *testing.T, name string) (versions []string) {
	t.Helper()
	out := a.run(t, "apt-cache", "madison", name)
	for line := range strings.Lines(out.stdout) {
		if f := strings.Split(line, "|"); len(f) == 3 && strings.HasSuffix(strings.TrimSpace(f[2]), "Packages") {
			versions = append(versions, strings.TrimSpace(f[1]))
		}
	}
	return versions
}
