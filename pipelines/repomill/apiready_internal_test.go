package main

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/serve"
)

// silentStaging does not answer.
type silentStaging struct{ objects.Staging }

func (silentStaging) Stat(context.Context, string) (catalog.Upload, error) {
	return catalog.Upload{}, errors.New("the bucket does not answer")
}

// A watchedAPI is the role without its ports.
type watchedAPI struct {
	*apiServer
	t      *testing.T
	public http.Handler
}

func newWatchedAPI(t *testing.T) *watchedAPI {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + t.TempDir() + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir() + "/staging"
	if err := os.Mkdir(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	staging, err := objects.OpenStaging(t.Context(), "file://"+folder)
	if err != nil {
		t.Fatal(err)
	}
	table, err := layout.ReadTable("")
	if err != nil {
		t.Fatal(err)
	}
	log := slog.New(slog.DiscardHandler)
	s := &apiServer{cmd: &apiCmd{}, staging: staging, catalog: db, ready: &apiReadiness{staging: staging, catalog: db, log: log}}
	s.handler = newAPI(apiConfig{staging: staging, catalog: db, table: table, publicURL: "https://packages.example", maxSize: 1 << 20, log: log})
	t.Cleanup(s.close)
	return &watchedAPI{s, t, s.ready.before(s.handler)}
}

func (w *watchedAPI) ask(h http.Handler, method, path string) *httptest.ResponseRecorder {
	w.t.Helper()
	r := httptest.NewRequest(method, path, nil)
	token, _ := serve.NewToken()
	r.SetBasicAuth(token, "")
	answer := httptest.NewRecorder()
	h.ServeHTTP(answer, r)
	return answer
}

func (w *watchedAPI) expect(what string, h http.Handler, path string, status int, body string) {
	w.t.Helper()
	if got := w.ask(h, http.MethodGet, path); got.Code != status || !strings.Contains(got.Body.String(), body) {
		w.t.Errorf("%s: %s answers %d %q, want %d and %q", what, path, got.Code, got.Body, status, body)
	}
}

// Without the catalog an API stays behind its load balancer, and answers calls itself.
func TestAPIIsReadyWithoutTheCatalog(t *testing.T) {
	w := newWatchedAPI(t)
	ops := w.opsHandler()
	w.expect("all is there", w.public, "/readyz", 200, "ok\n")
	w.expect("all is there", ops, "/metrics", 200, "\nrepomill_api_catalog_up 1\n")
	if got := w.ask(ops, http.MethodGet, "/readyz"); got.Body.String() != "ok\n" {
		t.Errorf("with all there, operators see %q", got.Body)
	}
	w.catalog.Close()
	if got := w.ask(w.public, http.MethodGet, "/readyz"); got.Code != 200 || got.Body.String() != "ok\n" {
		t.Errorf("without the catalog, the load balancer sees %d %q", got.Code, got.Body)
	}
	w.expect("without the catalog", ops, "/readyz", 200, "ok\ncalls are answered with 503: reach the catalog: ")
	w.expect("without the catalog", ops, "/metrics", 200, "\nrepomill_api_catalog_up 0\n")

	got := w.ask(w.public, http.MethodGet, "/api/v1/repos/acme/tools/packages.json")
	var body struct{ Error string }
	if err := json.Unmarshal(got.Body.Bytes(), &body); err != nil {
		t.Fatalf("%v: %q", err, got.Body)
	}
	if got.Code != 503 || got.Header().Get("Retry-After") != "5" || body.Error != "the server cannot do this now; try again" {
		t.Errorf("a call is answered with %d, Retry-After %q, %q", got.Code, got.Header().Get("Retry-After"), got.Body)
	}
}

// Without staging an API takes no upload: the load balancer sends calls elsewhere, and learns no reason.
func TestAPIIsNotReadyWithoutStaging(t *testing.T) {
	w := newWatchedAPI(t)
	w.ready.staging = silentStaging{w.staging}
	w.expect("no staging", w.opsHandler(), "/readyz", 503, "not ready: the bucket does not answer\n")
	if got := w.ask(w.public, http.MethodGet, "/readyz"); got.Code != 503 || got.Body.String() != "not ready; the log says why\n" {
		t.Errorf("the load balancer sees %d %q", got.Code, got.Body)
	}
	w.ready.staging = w.staging
	w.ready.checked = w.ready.checked.Add(-time.Minute)
	w.expect("it is back", w.public, "/readyz", 200, "ok\n")
}

// /readyz is the one path that the port of calls has besides them.
func TestAPIAnswersLoadBalancersOnePathOnly(t *testing.T) {
	w := newWatchedAPI(t)
	for _, tt := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/readyz", 200}, {"HEAD", "/readyz", 200}, {"POST", "/readyz", 404}, {"GET", "/readyz/", 404}, {"GET", "/metrics", 404}, {"GET", "/healthz", 404},
	} {
		if got := w.ask(w.public, tt.method, tt.path); got.Code != tt.status {
			t.Errorf("%s %s answers %d, want %d: %s", tt.method, tt.path, got.Code, tt.status, got.Body)
		}
	}
}
