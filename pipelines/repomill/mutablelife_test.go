package main_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strconv"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

// packages returns apt's index of a distribution.
func (s *site) packages(t *testing.T, target string) string {
	t.Helper()
	p := strings.Split(target, "/")
	z, err := gzip.NewReader(bytes.NewReader(s.fetch(t, strings.Join(p[:3], "/")+"/dists/"+p[3]+"/main/binary-amd64/Packages.gz")))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// shows fails unless apt's index of a distribution has one hello, of some bytes, and the right file under the name that it gives.
func (s *site) shows(t *testing.T, when, target string, f packageFile) {
	t.Helper()
	p := strings.Split(target, "/")
	base := strings.Join(p[:3], "/")
	index := s.packages(t, target)
	if strings.Count(index, "Package: hello\n") != 1 || !strings.Contains(index, "SHA256: "+f.sha256()+"\n") {
		t.Errorf("%s, want one hello with sha256 %s in the index:\n%s", when, f.sha256(), index)
		return
	}
	_, name, _ := strings.Cut(index, "\nFilename: ")
	name, _, _ = strings.Cut(name, "\n")
	if got := digest(s.fetch(t, base+"/"+name)); got != f.sha256() {
		t.Errorf("%s, %s has sha256 %s, want %s", when, name, got, f.sha256())
	}
}

// Rollback, yank, unyank, snapshots, diff and status know what was replaced.
func TestReplacedAmongOperations(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/rolling")
	debs, _ := builds(t, 5)
	then := strconv.FormatInt(s.publish(t, jammy, debs[0])[0].Releases[0].Revision, 10)
	s.does(t, 0, "", "snapshot", "create", "acme/rolling", "--name", "first")
	s.publish(t, jammy, debs[1])
	s.shows(t, "replaced", jammy, debs[1])

	if d := repomill(t, "diff", jammy+"@"+then, jammy, "--data", s.data); !strings.Contains(d.Said(), "hello 1.0 amd64 has other bytes") {
		t.Errorf("diff says %s", d.Said())
	}
	if st := s.does(t, 0, "", "status", "acme/rolling", "hello=1.0"); !strings.HasPrefix(st.Stdout, "out: hello 1.0 amd64") || strings.Contains(st.Stdout, "yanked") {
		t.Errorf("status says %s", st.Said())
	}
	s.does(t, 1, "hello 1.0 amd64 in acme/rolling/ubuntu/jammy/main is published with other bytes, in place of sha256 "+debs[0].sha256(), "unyank", jammy, "hello=1.0")

	s.does(t, 0, "", "rollback", jammy, "--to", then)
	s.shows(t, "rolled back", jammy, debs[0])
	s.publish(t, jammy, debs[2])
	s.shows(t, "replaced again", jammy, debs[2])
	s.does(t, 0, "", "rollback", jammy, "--to", "first")
	s.shows(t, "at the snapshot", jammy, debs[0])
	if a, vs := s.push(t, jammy, debs[2]); a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.YankedIdentity || !strings.Contains(vs[0].Detail, "by repomill unyank or rollback alone") {
		t.Errorf("what a rollback has withdrawn is pushed again: %v", a)
	}

	s.does(t, 0, "", "yank", jammy, "hello=1.0", "--reason", "bad")
	s.does(t, 0, "", "unyank", jammy, "hello=1.0") // of those that were withdrawn, the last one
	s.shows(t, "unyanked", jammy, debs[0])
	s.publish(t, jammy, debs[3])
	s.does(t, 0, "", "yank", "--now", jammy, "hello=1.0", "--reason", "all of it")
	for i, f := range debs[:4] {
		if a, vs := s.push(t, jammy, f); a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.YankedIdentity {
			t.Errorf("build %d comes back, though it was withdrawn at once: %v", i, a)
		}
	}
	v := s.publish(t, jammy, debs[4])[0]
	if v.Replaced != "" {
		t.Errorf("it took the place of nothing: %+v", v)
	}
	s.shows(t, "other bytes", jammy, debs[4])
	proctest.Eventually(t, "the page of the repository says that it is mutable", func() bool {
		return strings.Contains(s.page(t, "acme/rolling/index.html"), "The repository is mutable: a version can get other bytes.")
	})
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// Packages are promoted into a mutable repository under names with a digest, and out of it under names without.
func TestPromoteAmongMutableRepositories(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/unstable")
	const stable = "acme/stable/ubuntu/jammy"
	debs, _ := builds(t, 3)
	s.does(t, 0, "", "repo", "create", "acme/stable", "--distribution", "ubuntu/jammy")
	s.publish(t, jammy, debs[0])
	s.does(t, 0, "", "promote", jammy, stable, "hello=1.0")
	s.shows(t, "promoted", stable, debs[0])
	if !s.lies(t, "bucket/acme/stable/ubuntu/pool/jammy/main/h/hello/hello_1.0_amd64.deb") {
		t.Error("its name has a digest where nothing is mutable")
	}
	s.publish(t, jammy, debs[1])
	s.does(t, 1, "", "promote", jammy, stable, "hello=1.0") // it has other bytes there
	s.shows(t, "refused", stable, debs[0])
	s.does(t, 0, "", "promote", stable, jammy, "hello=1.0", "--move")
	s.shows(t, "promoted back", jammy, debs[0])
	if index := s.packages(t, stable); index != "" {
		t.Errorf("what was moved is there still:\n%s", index)
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// What is asked for in the wrong way changes nothing.
func TestMutableRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, _ := s.mutable(t, "acme/moving")
	debs, _ := builds(t, 2)
	s.publish(t, jammy, debs[0])
	absent := func(target string, f packageFile) proctest.Answer {
		return repomill(t, "push", "--wait", "--if-absent", "--staging", s.staging(), target, f.path)
	}
	if a := absent(jammy, debs[1]); a.Code != 1 || !strings.Contains(a.Stderr, "rejected: conflict: hello 1.0 amd64 in acme/moving/ubuntu/jammy/main is published with other bytes") || !strings.Contains(a.Stderr, "--if-absent replaces nothing") {
		t.Errorf("--if-absent of other bytes: %v", a)
	}
	if a := absent(jammy, debs[0]); a.Code != 0 || !strings.Contains(a.Stdout, "duplicate") {
		t.Errorf("--if-absent of the same bytes: %v", a)
	}
	if a := absent("acme/usual/ubuntu/jammy", debs[1]); a.Code != 0 || !strings.Contains(a.Stdout, "published") {
		t.Errorf("--if-absent where nothing is mutable: %v", a)
	}
	if a := repomill(t, "push", "--if-absent", "--train", "1", "--staging", s.staging(), jammy, debs[1].path); a.Code != 2 || !strings.Contains(a.Stderr, "--if-absent and --train: name one of them") {
		t.Errorf("--if-absent for a train: %v", a)
	}
	if a, vs := s.push(t, jammy+"/extra", debs[1]); a.Code != 1 || len(vs) != 1 || vs[0].Reason != catalog.Conflict || !strings.Contains(vs[0].Detail, "the same bytes in all components") {
		t.Errorf("other bytes for another component: %v", a)
	}
	s.does(t, 1, "repository acme/usual exists already, and whether it is mutable is decided when it is created", "repo", "create", "--mutable", "acme/usual")
	s.does(t, 2, "unknown flag --mutable", "repo", "set", "--mutable", "acme/usual")
	s.shows(t, "after all that", jammy, debs[0])
}

// A mutable repository comes back from its bucket as it was, and the uploads that lie in staging still replace nothing.
func TestMutableOutlivesTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	jammy, el9 := s.mutable(t, "acme/lost")
	debs, rpms := builds(t, 3)
	for i := range 2 {
		s.publish(t, jammy, debs[i])
		s.publish(t, el9, rpms[i])
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(s.data + "/catalog.db"); err != nil {
		t.Fatal(err)
	}
	s = restart(t, s.data)
	s.untilDeclared(t, "acme/lost")
	if got := s.settings(t, "acme/lost"); !got.Mutable {
		t.Errorf("it is not mutable any more: %+v", got)
	}
	ends := func() (all []string) {
		for _, u := range s.status(t, "acme/lost").Uploads {
			all = append(all, string(u.State)+" "+string(u.Reason))
		}
		return all
	}
	proctest.Until(t, "the uploads that lie in staging are handled", ends, func(all []string) bool {
		text := strings.Join(all, ", ")
		return strings.Count(text, "duplicate")+strings.Count(text, "published") == 2 && strings.Count(text, "rejected replaced") == 2
	})
	s.shows(t, "rebuilt", jammy, debs[1])
	if v := s.publish(t, jammy, debs[2])[0]; v.Replaced != debs[1].sha256() {
		t.Errorf("after that: %+v", v)
	}
	s.does(t, 0, "", "reindex", "acme/lost", "--from", "published")
	s.shows(t, "read back", jammy, debs[2])
	if v := s.publish(t, el9, rpms[0])[0]; v.Replaced != rpms[1].sha256() {
		t.Errorf("what was replaced before comes back: %+v", v)
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}
