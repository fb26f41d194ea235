package proctest

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

// An Apt is an apt with a root of its own: nothing of this machine's apt is read or written.
type Apt struct{ Dir string }

// NewApt returns an apt without sources, for one architecture and, perhaps, foreign ones. Without apt the test is skipped.
func NewApt(t testing.TB, arch string, foreign ...string) Apt {
	t.Helper()
	return NewAptIn(t, OpenDir(t), arch, foreign...)
}

// NewAptIn is NewApt in a folder, which other users must be able to read.
func NewAptIn(t testing.TB, dir, arch string, foreign ...string) Apt {
	t.Helper()
	Need(t, "apt-get", "apt-cache")
	a := Apt{dir}
	for _, d := range []string{"etc/sources.list.d", "etc/preferences.d", "etc/trusted.gpg.d", "etc/apt.conf.d", "state/lists/partial", "cache/archives/partial", "log"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.Write(t, "status", "")
	a.Write(t, "apt.conf", fmt.Sprintf(`Dir %[1]q; Dir::Etc "%[1]s/etc"; Dir::State "%[1]s/state"; Dir::State::status "%[1]s/status";
Dir::Etc::netrc "%[1]s/etc/auth.conf"; Dir::Cache "%[1]s/cache"; Dir::Log "%[1]s/log";
APT::Architecture %[2]q; APT::Architectures { "%[3]s"; }; APT::Sandbox::User %[4]q; APT::Get::Download-Only "true";
APT::Update::Error-Mode "any"; Acquire::Languages "none"; Acquire::Retries "0";
`, dir, arch, strings.Join(append([]string{arch}, foreign...), `"; "`), SandboxUser()))
	return a
}

// SandboxUser returns the user as which apt downloads, if root runs it.
func SandboxUser() string {
	if _, err := user.Lookup("_apt"); err != nil {
		return "root"
	}
	return "_apt"
}

// Write writes a file of the root and returns its path.
func (a Apt) Write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(a.Dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
	return path
}

// Source makes text the one configured source; ext is "sources" or "list".
func (a Apt) Source(t testing.TB, ext, text string) {
	t.Helper()
	a.Write(t, "etc/sources.list.d/test."+ext, text)
}

// Env returns the variable that makes programs of apt use this root.
func (a Apt) Env() []string { return []string{"APT_CONFIG=" + a.Dir + "/apt.conf"} }

// Run runs a program of apt.
func (a Apt) Run(t testing.TB, program string, args ...string) Answer {
	t.Helper()
	return Run(t, a.Env(), program, args...)
}

// Must runs a program of apt, which must succeed without an error, a warning or a notice.
func (a Apt) Must(t testing.TB, program string, args ...string) Answer {
	t.Helper()
	out := a.Run(t, program, args...)
	if bad := AptComplaints(out); out.Code != 0 || len(bad) > 0 {
		t.Fatalf("%s %.500q complains: %q\n%v", program, args, bad, out)
	}
	return out
}

// Update is Must of apt-get update.
func (a Apt) Update(t testing.TB, options ...string) Answer {
	t.Helper()
	return a.Must(t, "apt-get", append(options, "update")...)
}

// Download downloads packages, given as NAME or NAME=VERSION, with what they depend on. It returns the paths of all files
// that were ever downloaded.
func (a Apt) Download(t testing.TB, packages ...string) (files []string) {
	t.Helper()
	a.Must(t, "apt-get", append([]string{"install", "-y", "--download-only"}, packages...)...)
	files, err := filepath.Glob(a.Dir + "/cache/archives/*.deb")
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// AptComplaints returns the errors, warnings and notices that a program of apt printed.
func AptComplaints(out Answer) (bad []string) {
	for line := range strings.Lines(out.Said()) {
		for _, kind := range []string{"E:", "W:", "N:", "Err:"} {
			if strings.HasPrefix(line, kind) {
				bad = append(bad, strings.TrimSpace(line))
			}
		}
	}
	return bad
}
