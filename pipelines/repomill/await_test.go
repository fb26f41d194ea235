package main_test

import (
	"bytes"
	"compress/gzip"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// loseCatalog deletes the catalog of a site that has ended.
func loseCatalog(t *testing.T, data string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm"} {
		if err := os.Remove(data + "/catalog.db" + suffix); err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
	}
}

// lists reports whether clients see a version of hello in acme/tools.
func (s *site) lists(t *testing.T, version string) bool {
	t.Helper()
	return bytes.Contains(s.index(t, "acme/tools"), []byte("Version: "+version+"\n"))
}

// index returns what clients of jammy on amd64 find in a repository.
func (s *site) index(t *testing.T, repository string) []byte {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(s.fetch(t, repository+"/ubuntu/dists/jammy/main/binary-amd64/Packages.gz")))
	if err != nil {
		t.Fatal(err)
	}
	index, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return index
}

// does runs a command on the site's folder, which has to end with a code and say something on the standard error.
func (s *site) does(t *testing.T, code int, says string, args ...string) proctest.Answer {
	t.Helper()
	a := repomill(t, append(args, "--data", s.data)...)
	if a.Code != code || !strings.Contains(a.Stderr, says) {
		t.Errorf("%q: got %v, want code %d and %q", args, a, code, says)
	}
	return a
}

// What was asked for while no worker ran is not undone by rebuilding the rows from what is published.
func TestUnyankOutlivesRebuild(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "2.0"}))
	s.does(t, 0, "", "yank", "acme/tools/ubuntu/jammy", "hello=1.0", "--reason", "bad")
	if s.lists(t, "1.0") {
		t.Error("yank has returned, and clients see the package")
	}
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s.does(t, 3, "recorded; no worker runs (none has been seen since 20", "unyank", "acme/tools/ubuntu/jammy", "hello=1.0")
	s.does(t, 0, "recorded: ", "yank", "acme/tools/ubuntu/jammy", "hello=2.0", "--reason", "bad", "--no-wait")
	// It publishes, too: the rows as they are.
	s.does(t, 0, "", "reindex", "acme/tools", "--from", "published")
	s = restart(t, s.data)
	s.does(t, 0, "", "unyank", "acme/tools/ubuntu/jammy", "hello=1.0")
	s.does(t, 0, "", "yank", "acme/tools/ubuntu/jammy", "hello=2.0", "--reason", "bad")
	if !s.lists(t, "1.0") || s.lists(t, "2.0") {
		t.Errorf("clients see 1.0: %v, 2.0: %v; want the first alone", s.lists(t, "1.0"), s.lists(t, "2.0"))
	}
}

// An unyank that reports that clients see the package is right, even if the rows are rebuilt at the same time.
// REPOMILL_RACE_ROUNDS in the environment sets how often that is tried.
func TestUnyankRacesRebuild(t *testing.T) {
	t.Parallel()
	rounds := raceRounds(3)
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "2.0"}))
	wrong, seen := 0, 0
	for range rounds {
		s.does(t, 0, "", "yank", "acme/tools/ubuntu/jammy", "hello=1.0", "--reason", "bad")
		if s.lists(t, "1.0") {
			t.Error("yank has returned, and clients see the package")
		}
		var both sync.WaitGroup
		var back, rebuilt proctest.Answer
		both.Go(func() { back = repomill(t, "unyank", "--data", s.data, "acme/tools/ubuntu/jammy", "hello=1.0") })
		both.Go(func() { rebuilt = repomill(t, "reindex", "--data", s.data, "acme/tools", "--from", "published") })
		both.Wait()
		if there := s.lists(t, "1.0"); back.Code == 0 && !there {
			wrong++
			t.Errorf("unyank said %v; clients do not see the package; reindex said %v", back, rebuilt)
		} else if there {
			seen++
		}
		if back.Code != 0 || rebuilt.Code != 0 {
			t.Errorf("unyank said %v, reindex %v", back, rebuilt)
		}
	}
	t.Logf("%d rounds: %d wrong, %d times the package was seen", rounds, wrong, seen)
}

// Once a command that changes settings has returned, the loss of the catalog does not undo it.
func TestSettingsOutliveTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.does(t, 0, "", "repo", "create", "acme/secret", "--distribution", "ubuntu/jammy")
	pointer := "/acme/secret/ubuntu/dists/jammy/InRelease"
	if status := ask(t, http.MethodGet, s.url+pointer).StatusCode; status != http.StatusFound {
		t.Errorf("repo create has returned, and the empty release answers %d", status)
	}
	as := func(token string) int {
		return ask(t, http.MethodGet, strings.Replace(s.url, "http://", "http://"+strings.TrimSpace(token)+":@", 1)+pointer).StatusCode
	}
	kept := s.does(t, 0, "", "token", "create", "acme/secret", "kept").Stdout
	revoked := s.does(t, 0, "", "token", "create", "acme/secret", "revoked").Stdout
	s.does(t, 0, "/bucket as files asks for no token", "repo", "set", "acme/secret", "--visibility", "private")
	if a := s.does(t, 0, "", "repo", "set", "acme/secret", "--visibility", "private"); strings.Contains(a.Stderr, "note: ") {
		t.Errorf("it was private before: %v", a)
	}
	if got := [3]int{ask(t, http.MethodGet, s.url+pointer).StatusCode, as(kept), as(revoked)}; got != [3]int{401, 302, 302} {
		t.Errorf("repo set has returned, and clients get %v", got)
	}
	s.does(t, 0, "", "token", "revoke", "acme/secret", "revoked")
	if got := as(revoked); got != 401 {
		t.Errorf("token revoke has returned, and the token is good for %d", got)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	loseCatalog(t, s.data)
	s = restart(t, s.data)
	if got := [3]int{ask(t, http.MethodGet, s.url+pointer).StatusCode, as(kept), as(revoked)}; got != [3]int{401, 302, 401} {
		t.Errorf("after the loss of the catalog clients get %v", got)
	}
	s.untilDeclared(t, "acme/secret")
	if a := s.does(t, 0, "", "token", "list", "acme/secret"); !strings.Contains(a.Stdout, "kept") || strings.Contains(a.Stdout, "revoked") {
		t.Error(a)
	}
}

// Without a worker a command says so soon: what it recorded is published when one is started.
func TestNoWorker(t *testing.T) {
	t.Parallel()
	s := &site{data: proctest.OpenDir(t)}
	if err := seedKey(s.data); err != nil {
		t.Fatal(err)
	}
	writeEmpty(t, s.data+"/catalog.db")
	s.does(t, 4, "run repomill migrate", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	catalogURL := "sqlite://" + s.data + "/catalog.db"
	if a := repomill(t, "migrate", "--catalog", catalogURL); a.Code != 0 {
		t.Fatal(a)
	}
	s.does(t, 3, "recorded; no worker runs (none has ever been seen)", "repo", "create", "acme/tools", "--distribution", "ubuntu/jammy")
	if a := s.does(t, 0, "", "status"); !strings.HasSuffix(a.Stdout, "\nno worker runs (none has ever been seen): nothing is published until one (or repomill up) is started\n") {
		t.Errorf("status without a worker: %v", a)
	}
	s.does(t, 0, "recorded: ", "token", "create", "acme/tools", "ci", "--no-wait")
	s.does(t, 3, "recorded; no worker runs", "repo", "set", "acme/tools", "--visibility", "private")

	db, err := catalogdb.Open(catalogURL)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	now, err := db.Clock(t.Context())
	if err == nil {
		err = db.SeeWorker(t.Context(), catalogdb.Worker{Name: "killed"}, false, now.Add(-25*time.Second))
	}
	if err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	a := s.does(t, 3, "recorded; no worker runs (none has been seen since "+now.Add(-25*time.Second).UTC().Format(time.DateTime), "token", "revoke", "acme/tools", "ci")
	if d := time.Since(start); d < 3*time.Second || a.Stdout != "" {
		t.Errorf("after a worker was seen 25 s ago, that took %v: %v", d, a)
	}
	if a := s.does(t, 0, "", "status", "acme"); !strings.Contains(a.Stdout, "\nno worker runs (none has been seen since "+now.Add(-25*time.Second).UTC().Format(time.DateTime)+" UTC)") {
		t.Errorf("status after a worker was seen: %v", a)
	}
	s = restart(t, s.data)
	proctest.Eventually(t, "status knows the worker, which announces itself once it is ready", func() bool {
		return !strings.Contains(s.does(t, 0, "", "status").Stdout, "no worker")
	})
	var report struct{ Worker struct{ Runs bool } }
	if a := s.does(t, 0, "", "status", "--json"); json.Unmarshal([]byte(a.Stdout), &report) != nil || !report.Worker.Runs {
		t.Errorf("status --json with a worker: %v", a)
	}
	s.does(t, 0, "", "repo", "set", "acme/tools", "--visibility", "private") // a repeat waits for what is recorded
	if status := ask(t, http.MethodGet, s.url+"/acme/tools/ubuntu/dists/jammy/InRelease").StatusCode; status != http.StatusUnauthorized {
		t.Errorf("what is private answers %d", status)
	}
}

// A command that finds its change in the catalog, as an earlier run that was ended has left it, waits for clients as the earlier one would have.
func TestRepeatWaits(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "2.0"}))
	then := fmt.Sprint(s.status(t, "acme/tools").Releases[0].Revision)
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{Version: "3.0"}))
	s.does(t, 0, "", "retain", "set", "acme/tools", "--newest", "1")
	s.age(t, "acme/tools", longAgo)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	for _, command := range [][]string{{"rollback", "acme/tools", "--to", then}, {"retain", "run", "acme/tools"}} {
		s.does(t, 0, "recorded: ", append(command, "--no-wait")...)
		s.does(t, 3, "recorded; no worker runs", command...)
		s.does(t, 0, "", append(command, "--no-wait")...)
	}
	s = restart(t, s.data)
	s.does(t, 0, "", "retain", "run", "acme/tools")
	if s.lists(t, "1.0") || !s.lists(t, "2.0") || s.lists(t, "3.0") {
		t.Errorf("the last command has returned, and clients see 1.0: %v, 2.0: %v, 3.0: %v; want the second alone", s.lists(t, "1.0"), s.lists(t, "2.0"), s.lists(t, "3.0"))
	}
}

// An earlier run that was ended has changed one distribution, and the repeated one finds something to change in another, which is published sooner: it
// waits for both.
func TestRepeatWaitsForAll(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const jammy, noble = "acme/tools/ubuntu/jammy", "acme/tools/ubuntu/noble"
	for _, target := range []string{jammy, noble} {
		s.publish(t, target, newDEB(t, debtest.Spec{Version: "1.0"}), newDEB(t, debtest.Spec{Version: "1.1"}))
	}
	s.does(t, 0, "", "snapshot", "create", "acme/tools", "--name", "then")
	for _, target := range []string{jammy, noble} {
		s.publish(t, target, newDEB(t, debtest.Spec{Version: "2.0"}))
	}
	s.does(t, 0, "", "retain", "set", "acme/tools", "--newest", "1")
	s.age(t, "acme/tools", longAgo)
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "catalog.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	const published = `CREATE TRIGGER published AFTER UPDATE OF revision ON releases WHEN NEW.distribution_id = (SELECT id FROM distributions WHERE version = 'noble')
		BEGIN UPDATE releases SET published_revision = NEW.revision WHERE id = NEW.id; END`
	if _, err := db.Exec(published); err != nil {
		t.Fatal(err)
	}
	for _, repeated := range [][2][]string{
		{{"rollback", jammy, "--to", "then"}, {"rollback", "acme/tools", "--to", "then"}},
		{{"retain", "run", jammy}, {"retain", "run", "acme/tools"}},
	} {
		s.does(t, 0, "recorded: ", append(repeated[0], "--no-wait")...)
		s.does(t, 3, "clients do not see it after 1s: "+jammy, append(repeated[1], "--timeout", "1s")...)
	}
}
