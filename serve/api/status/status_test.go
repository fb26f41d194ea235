package status_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/status"
)

var update = flag.Bool("update", false, "rewrite the golden file")

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	empty = catalog.Repository{Owner: "acme", Name: "empty"}
	now   = time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
)

// A source has two repositories, and one whose catalog does not answer.
type source struct{}

func (source) Report(_ context.Context, r catalog.Repository, _ func(catalog.Repository) bool) (model.StatusPage, error) {
	switch r {
	case tools:
		return report(), nil
	case empty:
		return model.StatusPage{Repository: model.Repository{Name: empty}, At: now}, nil
	case catalog.Repository{Owner: "acme", Name: "holds"}:
		reserved := model.UploadStatus{File: "secret_19.5.1.deb", Target: "acme/holds/ubuntu/jammy", State: catalog.Rejected, Reason: catalog.ReservedIdentity, Received: now}
		return model.StatusPage{Repository: model.Repository{Name: r}, At: now, Pushes: []model.UploadStatus{reserved}, Rejections: []model.UploadStatus{reserved}}, nil
	case catalog.Repository{Owner: "acme", Name: "down"}:
		return model.StatusPage{}, errors.New("mysql is away, at db.internal")
	}
	return model.StatusPage{}, fmt.Errorf("repository %s: %w", r, catalog.ErrNotFound)
}

func report() model.StatusPage {
	at := func(minutes int) time.Time { return now.Add(-time.Duration(minutes) * time.Minute) }
	since, finished, seen, expires := at(3), at(4), at(0), now.AddDate(1, 0, 0)
	rejected := model.UploadStatus{File: "bad<b>.deb", Target: "acme/tools/ubuntu/jammy", State: catalog.Rejected, Reason: catalog.Empty, Detail: "it is empty",
		Received: at(5), Finished: &finished, By: "ci", Job: "javascript:alert(1)"}
	return model.StatusPage{
		Repository: model.Repository{Name: tools, Description: "Compilers", Private: true}, At: now,
		Releases:   []model.ReleaseStatus{{Release: "acme/tools/ubuntu/jammy", Latest: 8, Published: 7, Since: &since, Fault: "no space", Waiting: true}},
		Waiting:    []model.WaitingStatus{{State: catalog.Received, Count: 2, Oldest: at(9)}},
		Pushes:     []model.UploadStatus{{File: "a.deb", Target: "acme/tools/ubuntu/jammy", State: catalog.Stored, Package: "a 1 amd64", Size: 9, Received: at(1)}, rejected},
		Rejections: []model.UploadStatus{rejected},
		Worker:     model.WorkerStatus{Runs: true, Seen: &seen},
		Keys:       []model.KeyStatus{{Fingerprint: strings.Repeat("AB", 20), Role: "signing", Expires: &expires}},
		Downloads:  &model.DownloadsStatus{At: at(2), Since: "2026-11-01", Total: 12, Top: []model.DownloadCount{{Package: "a", Downloads: 12}}},
		Changes:    []model.ChangeStatus{{At: at(60), By: "kim", Action: catalog.ActionRepoSet, Target: "acme/tools", Detail: "visibility: private, was public", Why: "as asked"}},
	}
}

// Auth knows tokens by the rights that they are named after.
type auth struct{}

func (auth) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	right, ok := strings.CutPrefix(credential, "has-")
	if !ok {
		return api.Principal{}, api.ErrUnknownCredential
	}
	owner := "acme"
	if right == "other" {
		right, owner = string(api.Manage), "other"
	}
	return api.Principal{ID: credential, Name: credential, Grants: []api.Grant{{Right: api.Right(right), Owner: owner}}}, nil
}

func handler() http.Handler {
	gate := &api.Gate{Auth: auth{}, Limits: api.NewLimits(api.LimitConfig{}, func() time.Time { return now }), Log: slog.New(slog.DiscardHandler)}
	return status.New(status.Config{Source: source{}, Gate: gate, PublicURL: "https://packages.example"})
}

func get(t *testing.T, path, token string) *httptest.ResponseRecorder {
	t.Helper()
	w, r := httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
	if token != "" {
		r.SetBasicAuth(token, "")
	}
	handler().ServeHTTP(w, r)
	return w
}

// That a name waits for a release train is said to those who may push it, or manage the repository.
func TestStatusKeepsReservedNames(t *testing.T) {
	t.Parallel()
	for right, want := range map[string]int{"has-read": 0, "has-push": 2, "has-manage": 2} {
		if got := strings.Count(get(t, "/api/v1/repos/acme/holds/status.json", right).Body.String(), "secret_19.5.1.deb"); got != want {
			t.Errorf("%s: the name is in status.json %d times, want %d", right, got, want)
		}
	}
}

func TestStatusIsForThoseWhoMayLook(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name, path, token string
		want              int
		says              string
	}{
		{"without a token", "/api/v1/repos/acme/tools/status/", "", 401, "user name of Basic"},
		{"without a token, a repository that is absent", "/api/v1/repos/acme/absent/status/", "", 401, "user name of Basic"},
		{"with a token that opens a repository for reading alone", "/api/v1/repos/acme/tools/status/", "read-token", 401, "not known here"},
		{"with a right to read", "/api/v1/repos/acme/tools/status/", "has-read", 200, "Status of"},
		{"with a right to push", "/api/v1/repos/acme/tools/status/", "has-push", 200, "Status of"},
		{"with a right to manage", "/api/v1/repos/acme/tools/status.json", "has-manage", 200, `"repository":"acme/tools"`},
		{"with a master token of customers", "/api/v1/repos/acme/tools/status/", "has-tokens", 403, `needs the scope \"read\"`},
		{"of another owner", "/api/v1/repos/acme/tools/status/", "has-other", 404, `no repository \"acme/tools\" here that this token has any right in`},
		{"of another owner, a repository that is absent", "/api/v1/repos/acme/absent/status/", "has-other", 404, `no repository \"acme/absent\" here that this token has any right in`},
		{"a repository that is absent", "/api/v1/repos/acme/absent/status.json", "has-manage", 404, `no repository \"acme/absent\" here that this token has any right in`},
		{"while the catalog does not answer", "/api/v1/repos/acme/down/status/", "has-push", 503, "the server cannot do this now; try again"},
		{"without its slash", "/api/v1/repos/acme/tools/status", "has-push", 302, "/api/v1/repos/acme/tools/status/"},
	} {
		w := get(t, tt.path, tt.token)
		if w.Code != tt.want || !strings.Contains(w.Body.String(), tt.says) || strings.Contains(w.Body.String(), "db.internal") {
			t.Errorf("%s: got %d %s, want %d with %q", tt.name, w.Code, w.Body, tt.want, tt.says)
		}
		if asks := w.Header().Get("WWW-Authenticate") == `Basic realm="repomill"`; asks != (tt.want == http.StatusUnauthorized) {
			t.Errorf("%s: WWW-Authenticate: %q", tt.name, w.Header().Get("WWW-Authenticate"))
		}
		if cache := w.Header().Get("Cache-Control"); !strings.Contains(cache, "no-store") {
			t.Errorf("%s: Cache-Control: %q", tt.name, cache)
		}
	}
}

func TestStatusPageHasThePolicyOfPages(t *testing.T) {
	t.Parallel()
	h := get(t, "/api/v1/repos/acme/tools/status/", "has-push").Header()
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
		"Cache-Control": "private, no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer",
	} {
		if got := h.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/api/v1/repos/acme/tools/status/", nil)
	w := httptest.NewRecorder()
	if handler().ServeHTTP(w, r); w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "GET, HEAD" {
		t.Errorf("POST: %d %v", w.Code, w.Header())
	}
}

func TestStatusTwin(t *testing.T) {
	t.Parallel()
	for name, path := range map[string]string{"tools": "/api/v1/repos/acme/tools/status.json", "empty": "/api/v1/repos/acme/empty/status.json"} {
		w := get(t, path, "has-push")
		var text bytes.Buffer
		if err := json.Indent(&text, w.Body.Bytes(), "", "  "); err != nil || w.Header().Get("Content-Type") != "application/json; charset=utf-8" {
			t.Fatalf("%s: %v, %v: %s", name, err, w.Header(), w.Body)
		}
		file := filepath.Join("testdata", name+".json")
		if *update {
			if err := os.WriteFile(file, text.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if diff := cmp.Diff(string(want), text.String()); err != nil || diff != "" {
			t.Errorf("%s: %v (-want +got):\n%s", name, err, diff)
		}
	}
}

// What the page loads is answered without a token: browsers ask for it as for files of the public host.
func TestStatusAssets(t *testing.T) {
	t.Parallel()
	body := get(t, "/api/v1/repos/acme/tools/status/", "has-push").Body.String()
	_, rest, _ := strings.Cut(body, `<link rel="stylesheet" href="../../../../`)
	name, _, ok := strings.Cut(rest, `"`)
	if !ok {
		t.Fatalf("the page has no style sheet:\n%s", body)
	}
	w := get(t, "/api/v1/"+name, "")
	if w.Code != 200 || w.Header().Get("Content-Type") != "text/css; charset=utf-8" || !strings.Contains(w.Header().Get("Cache-Control"), "immutable") || w.Body.Len() == 0 {
		t.Errorf("%s: %d %v, %d bytes", name, w.Code, w.Header(), w.Body.Len())
	}
	if w := get(t, "/api/v1/assets/absent.css", ""); w.Code != http.StatusNotFound {
		t.Errorf("an absent file: %d", w.Code)
	}
}

func TestIsPath(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/api/v1/repos/acme/tools/status/": true, "/api/v1/repos/acme/tools/status.json": true, "/api/v1/repos/acme/tools/status": true,
		"/api/v1/assets/style-0123.css": true, "/api/v1/repos/acme/tools.json": false, "/api/v1/repos/acme/status.json": false,
		"/api/v1/repos/acme/tools/packages.json": false, "/api/v1/repos/acme/tools/status/x": false, "/api/v1/repos//tools/status/": false,
		"/acme/tools/status/": false,
	} {
		if got := status.IsPath(path); got != want {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
	}
}
