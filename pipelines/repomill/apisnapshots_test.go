package main_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// Callers of the API take, find and delete snapshots, if they may.
func TestSnapshotsByAPI(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const path = "/api/v1/repos/acme/tools/snapshots"
	s.publish(t, "acme/tools/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	manage, push := apiToken(t, s.data, "acme/tools", "release", "manage"), apiToken(t, s.data, "acme/tools", "ci", "push")
	reader, other := apiToken(t, s.data, "acme/tools", "web", "tokens"), apiToken(t, s.data, "others", "ci", "manage")
	calls := func(method, who, path, body string, status int, begins string) (answer string) {
		t.Helper()
		got, answer := s.ask(t, method, who, path, body)
		if got != status || !strings.HasPrefix(answer, begins) {
			t.Errorf("%s %s %s: got %d %s; want %d %s", method, path, body, got, answer, status, begins)
		}
		return answer
	}
	calls(http.MethodGet, push, path, "", 200, "[]")
	var made struct {
		ID    string
		State string
		URL   string
		Files []string
	}
	body := calls(http.MethodPost, manage, path, `{"name":"r1","keep":"90d","distribution":"ubuntu/jammy"}`, 200, `{"number":1,"target":"acme/tools/ubuntu/jammy","id":"20`)
	if err := json.Unmarshal([]byte(body), &made); err != nil || made.State != "kept" || len(made.Files) != 1 {
		t.Fatalf("%v: %s", err, body)
	}
	if status, _ := get(t, made.Files[0]); status != http.StatusOK {
		t.Errorf("%s is answered with %d", made.Files[0], status)
	}
	for _, name := range []string{"r1", made.ID, "1", "1?wait=1s"} {
		calls(http.MethodGet, push, path+"/"+name, "", 200, `{"number":1,`)
	}
	calls(http.MethodGet, push, path+".json", "", 200, `[{"number":1,`)

	calls(http.MethodPost, manage, path, `{"name":"r1"}`, 409, `{"error":"snapshot `+made.ID+` (r1) of acme/tools has that name`)
	calls(http.MethodPost, manage, path, `{"name":"a/b"}`, 422, `{"name":["snapshot name`)
	calls(http.MethodPost, manage, path, `{"keep":"soon"}`, 422, `{"keep":[`)
	calls(http.MethodPost, manage, path, `{"distribution":"jammy"}`, 422, `{"distribution":["use os/version`)
	calls(http.MethodPost, manage, path, `{"distribution":"ubuntu/none"}`, 422, `{"distribution":["acme/tools/ubuntu/none has no releases`)
	calls(http.MethodPost, manage, path, `{"nam":"r2"}`, 400, `{"error":"the body is no JSON object`)
	calls(http.MethodPost, manage, path, `{"name":"`+strings.Repeat("x", 20<<10)+`"}`, 413, ``)
	calls(http.MethodPut, manage, path, ``, 405, ``)
	calls(http.MethodPost, push, path, ``, 403, ``)
	calls(http.MethodGet, reader, path, ``, 403, ``)
	calls(http.MethodGet, other, path, ``, 404, ``)
	calls(http.MethodGet, push, path+"/r2", ``, 404, `{"error":"acme/tools has no snapshot \"r2\""}`)
	calls(http.MethodDelete, manage, path+"/r2", ``, 404, ``)

	calls(http.MethodDelete, push, path+"/r1", ``, 403, ``)
	calls(http.MethodDelete, manage, path+"/r1", ``, 204, ``)
	calls(http.MethodGet, push, path, "", 200, "[]")
	log := s.does(t, 0, "", "log", "acme/tools").Stdout
	for _, line := range []string{"token release of acme/tools  snapshot.create", "token release of acme/tools  snapshot.delete"} {
		if !strings.Contains(log, line) {
			t.Errorf("the log lacks %q: %s", line, log)
		}
	}
}
