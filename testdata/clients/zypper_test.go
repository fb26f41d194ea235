package clients_test

import (
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// A zypperRoot is a zypper of its own, for x86_64: nothing of this machine's zypper and rpm is read or written.
// Debian's zypper cannot be installed beside dnf-plugins-core; unpacked somewhere in PATH, with libzypp
// installed, it can.
type zypperRoot struct{ dir string }

// newZypper returns a zypper with one .repo file.
func newZypper(t *testing.T, s *site, name, repo string) zypperRoot {
	t.Helper()
	proctest.Need(t, "zypper")
	z := zypperRoot{s.folder(t, name)}
	write(t, z.dir, "etc/zypp/repos.d/test.repo", repo)
	write(t, z.dir, "zypp.conf", "[main]\narch = x86_64\n")
	return z
}

func (z zypperRoot) run(t *testing.T, args ...string) string {
	t.Helper()
	env := []string{"ZYPP_LOGFILE=" + z.dir + "/log", "ZYPP_CONF=" + z.dir + "/zypp.conf"}
	return proctest.Must(t, env, "zypper", append([]string{"--non-interactive", "--root", z.dir}, args...)...)
}

// check refreshes and compares all that zypper finds with what is published.
func (z zypperRoot) check(t *testing.T, s *site) {
	t.Helper()
	z.run(t, "--gpg-auto-import-keys", "refresh", "--force")
	want := map[string]bool{}
	for _, r := range s.want {
		want[r.name+" "+r.version+" "+r.arch] = true
	}
	compare(t, "zypper search", want, set(t, "zypper search", found(z.run(t, "search", "--details"))))
}

// zypper sees every package, and downloads the first and the last one.
func readZypper(t *testing.T, s *site) func(*testing.T, realPackage) {
	z := newZypper(t, s, "zypper", s.fetch(t, "acme/tools/el/9.repo"))
	z.check(t, s)
	first, last := s.real[0], s.real[len(s.real)-1]
	z.run(t, "install", "--download-only", first.name, last.name)
	wantDownloads(t, z.dir+"/var/cache/zypp/packages/acme_tools/*.rpm", first, last)
	return func(t *testing.T, _ realPackage) { z.check(t, s) }
}

// found returns "name version arch" of the packages that zypper search --details prints.
func found(table string) (all []string) {
	for line := range strings.Lines(table) {
		if f := strings.Split(line, "|"); len(f) == 6 && strings.TrimSpace(f[2]) == "package" {
			all = append(all, strings.TrimSpace(f[1])+" "+strings.TrimSpace(f[3])+" "+strings.TrimSpace(f[4]))
		}
	}
	return all
}
