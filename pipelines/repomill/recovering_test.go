package main_test

import (
	"database/sql"
	"net/http"
	"path/filepath"
	"testing"

	"repomill/testdata/debtest"
)

// While the packages of a release are recovered, commands and calls that select some of them change nothing, and say until when.
func TestSelectingWhileRecovering(t *testing.T) {
	t.Parallel()
	s := shared(t)
	const repository, jammy, path = "recovering/tools", "recovering/tools/ubuntu/jammy", "/api/v1/repos/recovering/tools"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}))
	s.does(t, 0, "", "retain", "set", repository, "--newest", "1")
	manage := apiToken(t, s.data, repository, "release", "manage")
	calls := s.apiCalls(t)
	db, err := sql.Open("sqlite", "file:"+filepath.Join(s.data, "catalog.db")+"?_pragma=busy_timeout(20000)")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	// What a recovery has that is under way: no worker touches it, because the release is published as it is.
	const recovers = `INSERT INTO recoveries (release_id, revision, nonce, done, total, sum, inserted, replaced, yanked, shared, began_at)
		SELECT r.id, 7, 'other', 3000, 10000, 'x', 3000, 0, 0, 0, 1 FROM releases r JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = 'recovering'`
	if _, err := db.ExecContext(t.Context(), recovers); err != nil {
		t.Fatal(err)
	}
	const sentence = "the packages of recovering/tools/ubuntu/jammy are being recovered from its published indexes (3000 of 10000 rows)"
	for _, args := range [][]string{
		{"yank", repository, "hel*", "--reason", "bad"}, {"yank", repository, "hel*", "--reason", "bad", "--dry-run"}, {"unyank", repository, "hello"},
		{"retain", "plan", repository}, {"retain", "run", repository}, {"rollback", jammy, "--to", "1"}, {"promote", repository, "recovering/other", "hello"},
		{"repo", "delete", repository, "--dry-run", "--plan", filepath.Join(t.TempDir(), "plan.json")},
	} {
		s.does(t, 4, sentence, args...)
	}
	calls(http.MethodPost, manage, path+"/yank", "package=hello&reason=bad&all=yes", 503, sentence, "try again when repomill status")
	calls(http.MethodPost, manage, path+"/unyank", "package=hello", 503, sentence)
	calls(http.MethodGet, manage, path+"/retention/plan.json?distribution=ubuntu/jammy", "", 503, sentence)
	calls(http.MethodPost, manage, path+"/deletion", "confirm="+repository+"&digest=that", 503, sentence)
	calls(http.MethodGet, manage, path+"/deletion", "", 200, `"packages":2,"files":2,`, `"deleted":null,"parts":[],"published":`) // what is known, without the digest of a plan
	says(t, s.does(t, 0, "", "status", jammy), "recovering: 3000 of 10000 rows")
	// Exact names of what is back are withdrawn, and not those of what is not.
	says(t, s.does(t, 5, "", "yank", repository, "hello=1.0", "--reason", "bad", "--dry-run"), "left out: hello=1.0 in "+jammy+": "+sentence, "what is back by now is withdrawn")
	calls(http.MethodPost, manage, path+"/yank", "package=hello=1.0&reason=bad&dry_run=yes", 200, sentence, "what comes back later is not withdrawn")
	s.does(t, 4, sentence+", and hello=3.0 is not among those that are back: nothing is changed", "yank", repository, "hello=3.0", "--reason", "bad", "--now")
	calls(http.MethodPost, manage, path+"/yank", "package=hello=3.0&reason=bad", 503, sentence, "hello=3.0 is not among those that are back")
	if _, err := db.ExecContext(t.Context(), `UPDATE releases SET fault = 'index 7 is broken' WHERE id IN (SELECT release_id FROM recoveries)`); err != nil {
		t.Fatal(err)
	}
	const failed = "(3000 of 10000 rows; the last try failed: index 7 is broken)"
	s.does(t, 4, failed, "yank", repository, "hel*", "--reason", "bad")
	calls(http.MethodPost, manage, path+"/yank", "package=hello=3.0&reason=bad", 503, failed, "mend that fault, and try again when")
	s.does(t, 3, "withdrawn is what was back of "+jammy, "yank", repository, "hello=1.0", "--reason", "bad", "--now") // its revision is one of this catalog: that ends the recovery
	if _, err := db.ExecContext(t.Context(), recovers); err != nil {                                                  // what it finds may show what is withdrawn
		t.Fatal(err)
	}
	says(t, s.does(t, 0, "", "yank", repository, "hello=1.0", "--reason", "bad", "--dry-run"), "left out: hello 1.0 all in "+jammy+"/main: it is withdrawn already, and the recovery leaves it so from now on")
	if _, err := db.ExecContext(t.Context(), `DELETE FROM recoveries WHERE release_id IN (SELECT r.id FROM releases r JOIN distributions d ON d.id = r.distribution_id
		JOIN repositories p ON p.id = d.repository_id WHERE p.owner = 'recovering')`); err != nil {
		t.Fatal(err)
	}
	s.does(t, 0, "", "yank", repository, "hello=2.0", "--reason", "bad")
}
