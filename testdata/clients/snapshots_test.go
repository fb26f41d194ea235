package clients_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// Real systems install from a snapshot what was withdrawn since: by the lines of the repository with the URL of the snapshot in them, and
// apt from 2.7 on by --snapshot.
func TestSystemsUseSnapshots(t *testing.T) {
	if *roots == "" {
		t.Skip("skipped: real systems in roots of their own; make test-clients makes them and runs this")
	}
	s := newRootsSite(t)
	ids := map[string]string{}
	for _, repository := range []string{"acme/tools", "acme/secret"} {
		ids[repository] = s.supersede(t, repository)
	}
	for _, sys := range systems {
		root := filepath.Join(*roots, sys.suite)
		if _, err := os.Stat(filepath.Join(root, "usr/bin", sys.program)); err != nil {
			t.Run(sys.suite+" "+sys.program, func(t *testing.T) { t.Skipf("SKIPPED, NOT TRIED: %v", err) })
			continue
		}
		r := newRoot(t, root)
		version := strings.Fields(proctest.Must(t, nil, "chroot", root, sys.program, "--version"))
		t.Run(fmt.Sprintf("%s %s for %s", sys.suite, strings.Join(version[:min(3, len(version))], " "), sys.target), func(t *testing.T) {
			for repository, id := range ids {
				t.Run("below its URL, "+repository, func(t *testing.T) {
					r.installs(t, strings.ReplaceAll(s.hint(t, repository+"/"+sys.target), s.url+"/"+repository+"/"+distributionOf(sys.target).OS, s.url+"/"+repository+"/snapshots/"+id+"/"+distributionOf(sys.target).OS))
					r.has(t, "1.0")
				})
			}
			if sys.program != "apt-get" || sys.suite == "bookworm" { // whose apt is 2.6
				return
			}
			t.Run("by --snapshot", func(t *testing.T) {
				r.installs(t, s.hint(t, "acme/tools/"+sys.target))
				r.has(t, "2.0")
				id := ids["acme/tools"]
				a := r.sh(t, "apt-get update --snapshot "+id+" && apt-get install -y --allow-downgrades --snapshot "+id+" hello-mill=1.0")
				if a.Code != 0 {
					t.Fatal(a)
				}
				r.has(t, "1.0")
			})
		})
	}
}

// supersede takes a snapshot of a repository, and replaces its package by a newer version. It returns the identifier.
func (s *rootsSite) supersede(t *testing.T, repository string) (id string) {
	t.Helper()
	var taken struct{ ID string }
	out := proctest.Must(t, nil, s.program, "snapshot", "create", "--data", s.data, "--json", repository)
	if err := json.Unmarshal([]byte(out), &taken); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	debFile := write(t, dir, "hello-mill.deb", string(debtest.Build(t, debtest.Spec{Name: "hello-mill", Version: "2.0", Control: "gz", Data: "gz", Files: map[string]string{"usr/share/hello-mill": "x"}})))
	rpmFile := write(t, dir, "hello-mill.rpm", string(rpmtest.Build(t, rpmtest.Spec{Name: "hello-mill", Version: "2.0", Arch: "noarch", Files: map[string]string{"/usr/share/hello-mill": "x"}})))
	seen := map[string]bool{}
	for _, sys := range systems {
		if seen[sys.target] {
			continue
		}
		seen[sys.target] = true
		file := rpmFile
		if sys.program == "apt-get" {
			file = debFile
		}
		proctest.Must(t, nil, s.program, "push", "--wait", "--timeout", "5m", "--staging", "file://"+s.data+"/staging", repository+"/"+sys.target, file)
	}
	proctest.Must(t, nil, s.program, "yank", "--data", s.data, repository, "hello-mill=1.0*", "--reason", "superseded")
	return taken.ID
}

// has fails unless a version of the package is installed.
func (r root) has(t *testing.T, version string) {
	t.Helper()
	a := r.sh(t, "dpkg-query -W -f '${Version}\\n' hello-mill 2>/dev/null || rpm -q --dbpath \"$(ls -d /root/.rpmdb /usr/lib/sysimage/rpm /var/lib/rpm 2>/dev/null | head -n 1)\" --qf '%{version}\\n' hello-mill")
	if a.Code != 0 || !strings.HasPrefix(a.Stdout, version) {
		t.Errorf("installed is %v, want version %s", a, version)
	}
}
