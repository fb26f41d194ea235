package clients_test

import (
	"fmt"
	"strings"
	"testing"

	"repomill/testdata/corpus"
	"repomill/testdata/proctest"
)

// A dnfRoot is a dnf of its own, for x86_64: nothing of this machine's dnf and rpm is read or written.
type dnfRoot struct{ dir string }

// newDnf returns a dnf with one .repo file.
func newDnf(t *testing.T, s *site, name, repo string) dnfRoot {
	t.Helper()
	proctest.Need(t, "dnf")
	d := dnfRoot{s.folder(t, name)}
	write(t, d.dir, "repos/test.repo", repo)
	write(t, d.dir, "dnf.conf", fmt.Sprintf("[main]\nreposdir=%[1]s/repos\ncachedir=%[1]s/cache\npersistdir=%[1]s/persist\nlogdir=%[1]s/log\nvarsdir=%[1]s/vars\ninstallroot=%[1]s/root\n", d.dir))
	return d
}

// run runs a command that must succeed and returns its standard output. Of dnf's plugins, some would write
// outside of the root.
func (d dnfRoot) run(t *testing.T, args ...string) string {
	t.Helper()
	a := proctest.Run(t, nil, "dnf", append([]string{"-y", "-c", d.dir + "/dnf.conf", "--releasever=9", "--forcearch=x86_64",
		"--disableplugin=*", "--enableplugin=download", "--enableplugin=reposync"}, args...)...)
	if strings.Contains(a.Stderr, "No such command") {
		t.Skipf("dnf-plugins-core is not installed: %v", a)
	}
	if a.Code != 0 {
		t.Fatalf("dnf %q: %v", args, a)
	}
	return a.Stdout
}

// query returns the lines that repoquery prints.
func (d dnfRoot) query(t *testing.T, args ...string) map[string]bool {
	t.Helper()
	out := d.run(t, append([]string{"--quiet", "repoquery"}, args...)...)
	return set(t, "dnf repoquery", strings.Split(strings.TrimSpace(out), "\n"))
}

// nevras returns what dnf calls the packages of a release.
func nevras(rows []row) map[string]bool {
	all := map[string]bool{}
	for _, r := range rows {
		all[r.name+"-0:"+r.version+"."+r.arch] = true
	}
	return all
}

// dnf sees every package, knows 100,000 files of one, and downloads the packages at the ends of members.
func readDnf(t *testing.T, s *site) func(*testing.T, realPackage) {
	proctest.Need(t, "dnf", "rpm")
	d := newDnf(t, s, "dnf", s.fetch(t, "acme/tools/el/9.repo"))
	d.run(t, "makecache")
	compare(t, "dnf repoquery", nevras(s.want), d.query(t, "--all"))
	name := proctest.Must(t, nil, "rpm", "-qp", "--nosignature", "--qf", "%{NAME}", s.big.path)
	files := strings.Split(strings.TrimSpace(proctest.Must(t, nil, "rpm", "-qpl", "--nosignature", s.big.path)), "\n")
	if len(files) != corpus.BigFiles {
		t.Fatalf("%d files", len(files))
	}
	compare(t, "dnf repoquery --list "+name, set(t, "rpm -qpl", files), d.query(t, "--list", name))
	d.run(t, append([]string{"download", "--destdir", d.dir + "/got", name}, realNames(s.real)...)...)
	wantDownloads(t, d.dir+"/got/*.rpm", append(s.real, s.big)...)
	return func(t *testing.T, more realPackage) {
		d.run(t, "makecache", "--refresh")
		compare(t, "dnf repoquery", nevras(s.want), d.query(t, "--all"))
		d.run(t, "download", "--destdir", d.dir+"/more", more.name)
		wantDownloads(t, d.dir+"/more/*.rpm", more)
	}
}
