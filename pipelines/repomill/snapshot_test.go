package main_test

import (
	"encoding/json"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A listedSnapshot is what snapshot create and list print of one with --json.
type listedSnapshot struct {
	ID, Name, State string
	Releases        []struct {
		Release  string
		Revision int64
	}
	Files []string
}

// snapshot takes a snapshot.
func (s *site) snapshot(t *testing.T, args ...string) (taken listedSnapshot) {
	t.Helper()
	a := s.does(t, 0, "", append([]string{"snapshot", "create", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(a.Stdout), &taken); err != nil {
		t.Fatalf("%v: %s", err, a.Stdout)
	}
	return taken
}

// Real clients install what a snapshot has, after it was withdrawn from the repository, by the file that the command names. When the
// snapshot is deleted, it is gone.
func TestSnapshot(t *testing.T) {
	t.Parallel()
	proctest.Need(t, "apt-get", "dnf")
	s := newSite(t)
	const jammy, el9 = "acme/kept/ubuntu/jammy", "acme/kept/el/9"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{}))
	taken := s.snapshot(t, "acme/kept", "--name", "r1", "--keep", "90d")
	want := []string{"acme/kept/snapshots/" + taken.ID + "/el/9.repo", "acme/kept/snapshots/" + taken.ID + "/ubuntu/jammy.sources"}
	if diff := cmp.Diff(want, taken.Files); diff != "" || taken.State != "kept" || taken.Name != "r1" {
		t.Fatalf("%+v (-want +got):\n%s", taken, diff)
	}
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	s.publish(t, el9, newRPM(t, rpmtest.Spec{Version: "2.0"}))
	s.does(t, 0, "", "yank", "acme/kept", "hello=1.0*", "--reason", "old")

	ring, err := s.ownKeyring()
	if err != nil {
		t.Fatal(err)
	}
	for _, place := range []string{taken.ID, "r1"} { // with what it lacks on purpose
		if c := repomill(t, "check", s.url+"/acme/kept/snapshots/"+place, "--keyring", ring); c.Code != 0 || !strings.HasPrefix(lastLine(c.Stdout), "sound: ") {
			t.Errorf("check of snapshot %s: %v", place, c)
		}
	}

	a := newApt(t, "amd64")
	a.Source(t, "sources", string(s.fetch(t, taken.Files[1])))
	a.Update(t)
	if got := slices.Compact(a.versions(t, "hello")); !slices.Equal(got, []string{"1.0"}) {
		t.Errorf("in the snapshot apt sees %q", got)
	}
	a.download(t, "hello=1.0")
	byName := newApt(t, "amd64")
	byName.Source(t, "sources", strings.ReplaceAll(string(s.fetch(t, taken.Files[1])), "/"+taken.ID+"/", "/r1/"))
	byName.Update(t)
	byName.download(t, "hello=1.0")
	d := newDnf(t, string(s.fetch(t, taken.Files[0])))
	if got := d.query(t, "x86_64"); !slices.Equal(got, []string{"hello-0:1.0-1.x86_64"}) {
		t.Errorf("in the snapshot dnf sees %q", got)
	}
	d.ok(t, "--forcearch=x86_64", "download", "--destdir="+d.dir, "hello")
	if got, err := filepath.Glob(d.dir + "/hello-1.0-1*.rpm"); err != nil || len(got) != 1 {
		t.Errorf("dnf has %q, %v", got, err)
	}

	if a := s.does(t, 5, "snapshots have the package, and clients of them get 404 for its file: acme/kept "+taken.ID+" (r1)",
		"yank", "--now", jammy, "hello=1.0", "--reason", "leak", "--dry-run"); a.Stdout == "" {
		t.Error("the dry run prints nothing")
	}
	if a := s.does(t, 0, "", "rollback", "acme/kept", "--to", "r1"); !strings.Contains(a.Stdout, "2 withdrawn, 2 restored") {
		t.Errorf("a rollback to the snapshot says %s", a.Stdout)
	}
	s.does(t, 0, "", "snapshot", "delete", "acme/kept", "r1")
	for _, path := range taken.Files {
		if status, _ := get(t, s.url+"/"+path); status != 404 {
			t.Errorf("after it was deleted, %s is answered with %d", path, status)
		}
	}
	log := s.does(t, 0, "", "log", "acme/kept").Stdout
	for _, action := range []string{"snapshot.create", "snapshot.delete"} {
		if !strings.Contains(log, action) {
			t.Errorf("the log lacks %s: %s", action, log)
		}
	}
}

// What cannot be a snapshot is one sentence, and leaves nothing.
func TestSnapshotRefuses(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy = "acme/refused/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}))
	s.snapshot(t, jammy, "--name", "r1")
	for _, tt := range []struct {
		code int
		says string
		args []string
	}{
		{1, "has that name: choose another one, or delete that snapshot", []string{"create", "acme/refused", "--name", "r1"}},
		{2, `snapshot name "a/b": use 1 to 64 letters`, []string{"create", "acme/refused", "--name", "a/b"}},
		{2, "looks like the identifier of a snapshot", []string{"create", "acme/refused", "--name", "20261129T021500Z"}},
		{2, "leave out /main", []string{"create", jammy + "/main"}},
		{2, "use a duration such as 90d", []string{"create", jammy, "--keep", "soon"}},
		{1, "repository acme/refuse is not declared; did you mean acme/refused?", []string{"create", "acme/refuse"}},
		{1, "acme/refused has no snapshot \"r2\"; it has ", []string{"delete", "acme/refused", "r2"}},
	} {
		s.does(t, tt.code, tt.says, append([]string{"snapshot"}, tt.args...)...)
	}
	s.does(t, 2, `or a snapshot: acme/refused has no snapshot "r2"; it has `, "rollback", jammy, "--to", "r2")
	a := s.does(t, 0, "", "snapshot", "list", "acme/refused", "--json")
	if got := strings.Count(a.Stdout, "\n"); got != 1 {
		t.Errorf("there are %d snapshots: %s", got, a.Stdout)
	}
}
