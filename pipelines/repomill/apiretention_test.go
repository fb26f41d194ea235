package main_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// Rules of retention are read and applied through the API: a run does what its plan says, or nothing.
func TestAPIRetention(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	const repository, jammy = "acme/apiretained", "acme/apiretained/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{}), newDEB(t, debtest.Spec{Version: "2.0"}))
	s.age(t, repository, longAgo)
	token := func(scope string) string {
		a := s.does(t, 0, "", "token", "create", repository, "api-"+scope, "--scope", scope)
		return strings.TrimSpace(strings.Split(a.Stdout, "\n")[0])
	}
	manager, reader := token("manage"), token("push")
	const path = "/api/v1/repos/" + repository + "/retention"
	says := func(status int, want, method, token, path, form string) string {
		t.Helper()
		got, body := s.ask(t, method, token, path, form)
		if got != status || !strings.Contains(body, want) {
			t.Errorf("%s %s: %d %s, want %d and %q", method, path, got, body, status, want)
		}
		return body
	}
	says(http.StatusOK, "[]", http.MethodGet, reader, path+".json", "")
	says(http.StatusConflict, "no rules of retention are for", http.MethodGet, reader, path+"/plan.json", "")
	s.does(t, 0, "", "retain", "set", repository, "--newest", "1")
	says(http.StatusOK, `"rules":["newest 1"],"automatic":false`, http.MethodGet, reader, path+".json", "")
	says(http.StatusNotFound, "", http.MethodGet, reader, "/api/v1/repos/acme/unknown/retention.json", "")
	says(http.StatusNotFound, "there is no distribution "+repository+"/ubuntu/noble", http.MethodGet, reader, path+"/plan.json?distribution=ubuntu/noble", "")
	says(http.StatusMethodNotAllowed, "use POST", http.MethodGet, manager, path+"/run.json", "")
	says(http.StatusUnprocessableEntity, "send the digest", http.MethodPost, manager, path+"/run.json", "")
	var plan struct{ At, Digest string }
	body := says(http.StatusOK, `"name":"hello","version":"1.0"`, http.MethodGet, reader, path+"/plan.json?distribution=ubuntu/jammy", "")
	if err := json.Unmarshal([]byte(body), &plan); err != nil {
		t.Fatal(err)
	}
	form := url.Values{"at": {plan.At}, "digest": {plan.Digest}, "distribution": {"ubuntu/jammy"}}.Encode()
	says(http.StatusForbidden, "manage", http.MethodPost, reader, path+"/run.json", form)
	says(http.StatusConflict, "nothing was changed", http.MethodPost, manager, path+"/run.json", url.Values{"at": {plan.At}, "digest": {"other"}}.Encode())
	says(http.StatusOK, `"withdrawn":1,"published":true`, http.MethodPost, manager, path+"/run.json", form)
	if a := s.does(t, 0, "", "log", repository); !strings.Contains(a.Stdout, "token api-manage") || !strings.Contains(a.Stdout, "package.retain") {
		t.Errorf("the log says %s", a.Stdout)
	}
	if n := s.status(t, jammy).Releases[0].Packages; n != 1 {
		t.Errorf("%d packages stay, want 1", n)
	}
}
