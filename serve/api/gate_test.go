package api_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/api"
)

func TestCredential(t *testing.T) {
	token, _ := serve.NewToken()
	other, _ := serve.NewToken()
	basic := func(user, password string) string {
		return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
	}
	for _, tt := range []struct{ name, header, want string }{
		{"none", "", ""},
		{"one that is too long", "Bearer " + strings.Repeat("x", 16<<10+1), ""},
		{"Bearer", "Bearer " + token, token},
		{"Bearer in another case", "bearer  " + token + " ", token},
		{"Basic, as in https://TOKEN:@host", basic(token, ""), token},
		{"Basic with any password", basic(token, "x"), token},
		{"Basic with a token for a password", basic("ci", token), token},
		{"Basic with a token for a password alone", basic("", token), token},
		{"Basic with two tokens", basic(token, other), token},
		{"Basic of another server's token", basic("0123abc", ""), "0123abc"},
		{"Basic that is none", "Basic !", ""},
		{"another scheme", "Digest " + token, ""},
		{"a token alone", token, ""},
	} {
		r := httptest.NewRequest("GET", "/api/v1/repos?token="+token, nil)
		if tt.header != "" {
			r.Header.Set("Authorization", tt.header)
		}
		got, ok := api.Credential(r)
		if ok != (tt.want != "") || ok && got != tt.want {
			t.Errorf("%s: got %.80q, %v, want %q", tt.name, got, ok, tt.want)
		}
		r.Header.Add("Authorization", "Bearer "+token)
		if _, ok := api.Credential(r); ok != (tt.header == "") {
			t.Errorf("%s, and one more header: %v", tt.name, ok)
		}
	}
}

func TestErrorsAreJSON(t *testing.T) {
	tools := catalog.Repository{Owner: "acme", Name: "tools"}
	pusher := api.Principal{Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}}}
	for _, tt := range []struct {
		name   string
		err    error
		status int
		body   string
		header map[string]string
	}{
		{"401", api.Unauthenticated("no token"), 401, `{"error":"no token"}`, map[string]string{"WWW-Authenticate": `Basic realm="repomill"`}},
		{"403", api.Authorize(pusher, api.Manage, tools), 403, `{"error":"this token may not do that in acme/tools: it needs the scope \"manage\", see repomill token create"}`, nil},
		{"404", api.NotFound("no such file"), 404, `{"error":"no such file"}`, nil},
		{"409", api.Conflict("it is there"), 409, `{"error":"it is there"}`, nil},
		{"422", api.Invalid("filename", "has already been taken"), 422, `{"filename":["has already been taken"]}`, nil},
		{"429", api.TooMany("slow down", 1500*time.Millisecond), 429, `{"error":"slow down"}`, map[string]string{"Retry-After": "2"}},
		{"503", api.Unavailable(errors.New("secret of the server")), 503, `{"error":"the server cannot do this now; try again"}`, map[string]string{"Retry-After": "5"}},
		{"an error that is no answer", errors.New("secret of the server"), 503, `{"error":"the server cannot do this now; try again"}`, map[string]string{"Retry-After": "5"}},
		{"one that is wrapped", fmt.Errorf("because: %w", api.Conflict("it is there")), 409, `{"error":"it is there"}`, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			w := httptest.NewRecorder()
			api.WriteError(w, tt.err)
			if got := strings.TrimSpace(w.Body.String()); w.Code != tt.status || got != tt.body || !json.Valid(w.Body.Bytes()) {
				t.Errorf("got %d %s, want %d %s", w.Code, got, tt.status, tt.body)
			}
			got := map[string]string{}
			for _, name := range []string{"WWW-Authenticate", "Retry-After"} {
				if v := w.Header().Get(name); v != "" {
					got[name] = v
				}
			}
			if diff := cmp.Diff(tt.header, got); diff != "" && len(tt.header)+len(got) > 0 {
				t.Errorf("header (-want +got):\n%s", diff)
			}
		})
	}
}

// A caller cannot find out which repositories exist that it has no right in.
func TestOneAnswerForNoRepositoryAndNoRight(t *testing.T) {
	hidden := catalog.Repository{Owner: "acme", Name: "hidden"}
	answer := func(err error) string {
		w := httptest.NewRecorder()
		api.WriteError(w, err)
		return fmt.Sprint(w.Code, w.Header(), w.Body)
	}
	stranger := api.Principal{Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}}}
	if noRight, absent := answer(api.Authorize(stranger, api.Read, hidden)), answer(api.NoRepository(hidden)); noRight != absent || !strings.HasPrefix(noRight, "404") {
		t.Errorf("got %s and %s", noRight, absent)
	}
}

func newGate(s *store, c api.LimitConfig) (*api.Gate, *clock) {
	tokens, at := newTokens(s)
	return &api.Gate{Auth: tokens, Limits: api.NewLimits(c, at.now), Log: slog.New(slog.DiscardHandler)}, at
}

// call makes a call with a token.
func call(h http.Handler, token string) *httptest.ResponseRecorder {
	r, w := httptest.NewRequest("GET", "/", nil), httptest.NewRecorder()
	if token != "" {
		r.SetBasicAuth(token, "")
	}
	h.ServeHTTP(w, r)
	return w
}

func TestGate(t *testing.T) {
	var s store
	gate, _ := newGate(&s, api.LimitConfig{})
	var actor catalog.Actor
	var fault error
	h := gate.Handle(func(w http.ResponseWriter, r *http.Request, p api.Principal) error {
		actor = catalog.ActorOf(r.Context())
		if fault == nil {
			api.WriteJSON(w, http.StatusCreated, map[string]string{"hello": p.ID})
		}
		return fault
	})
	token, other := s.issue("ci"), func() string { o, _ := serve.NewToken(); return o }()
	if w := call(h, token); w.Code != 201 || strings.TrimSpace(w.Body.String()) != `{"hello":"id-ci"}` || actor.User != "token ci of acme" {
		t.Errorf("got %d %s, actor %+v", w.Code, w.Body, actor)
	}
	for _, credential := range []string{"", other, "x"} {
		if w := call(h, credential); w.Code != 401 || w.Header().Get("WWW-Authenticate") == "" || !strings.HasPrefix(w.Body.String(), `{"error":"this `) {
			t.Errorf("%q: got %d %s", credential, w.Code, w.Body)
		}
	}
	fault = api.NotFound("no such file")
	if w := call(h, token); w.Code != 404 {
		t.Errorf("an error of the handler: got %d %s", w.Code, w.Body)
	}
	s.fault = errors.New("gone away")
	other, _ = serve.NewToken()
	if w := call(h, other); w.Code != 503 || w.Header().Get("Retry-After") == "" || strings.Contains(w.Body.String(), "gone") {
		t.Errorf("without the catalog: got %d %s", w.Code, w.Body)
	}
}

func TestGateOfACallerWhoWentAway(t *testing.T) {
	var s store
	gate, _ := newGate(&s, api.LimitConfig{})
	h := gate.Handle(func(http.ResponseWriter, *http.Request, api.Principal) error { return context.Canceled })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	r, w := httptest.NewRequestWithContext(ctx, "GET", "/", nil), httptest.NewRecorder()
	r.SetBasicAuth(s.issue("ci"), "")
	h.ServeHTTP(w, r)
	if w.Body.Len() > 0 {
		t.Errorf("got %d %s", w.Code, w.Body)
	}
}

func TestRequestsAreLimited(t *testing.T) {
	var s store
	gate, at := newGate(&s, api.LimitConfig{RequestsPerSecond: 10, Burst: 5})
	h := gate.Handle(func(w http.ResponseWriter, _ *http.Request, _ api.Principal) error {
		w.WriteHeader(204)
		return nil
	})
	ci, other := s.issue("ci"), s.issue("other")
	codes := func(token string, n int) (ok, refused int) {
		for range n {
			switch w := call(h, token); {
			case w.Code == 204:
				ok++
			case w.Code == 429 && w.Header().Get("Retry-After") == "1":
				refused++
			default:
				t.Fatalf("got %d %s %v", w.Code, w.Body, w.Header())
			}
		}
		return ok, refused
	}
	if ok, refused := codes(ci, 8); ok != 5 || refused != 3 {
		t.Errorf("of 8 at once %d passed, %d did not", ok, refused)
	}
	if ok, _ := codes(other, 3); ok != 3 {
		t.Errorf("another token: %d of 3", ok)
	}
	at.pass(200 * time.Millisecond)
	if ok, _ := codes(ci, 4); ok != 2 {
		t.Errorf("after 200 ms: %d passed, want 2", ok)
	}
}

func TestUploadsAreLimited(t *testing.T) {
	limits := api.NewLimits(api.LimitConfig{UploadsPerToken: 2, Uploads: 3}, newClock().now)
	begin := func(id string, want int) func() {
		t.Helper()
		done, err := limits.Upload(api.Principal{ID: id})
		var answer *api.Error
		switch {
		case want == 0 && err != nil:
			t.Errorf("%s: got %v", id, err)
		case want > 0 && (!errors.As(err, &answer) || answer.Status != want || answer.RetryAfter == 0):
			t.Errorf("%s: got %v, want %d", id, err, want)
		}
		return done
	}
	first := begin("a", 0)
	begin("a", 0)
	begin("a", 429)
	begin("b", 0)
	begin("b", 503)
	first()
	first() // counts once
	begin("b", 0)
	begin("c", 503)
	begin("a", 503)
}

// However many principals there are, what is kept of them has a bound, and who is at work keeps its limits.
func TestLimitsForget(t *testing.T) {
	at := newClock()
	limits := api.NewLimits(api.LimitConfig{RequestsPerSecond: 1, Burst: 1, UploadsPerToken: 1, Uploads: 2}, at.now)
	if _, err := limits.Upload(api.Principal{ID: "busy"}); err != nil {
		t.Fatal(err)
	}
	for n := range 25_000 {
		if err := limits.Request(api.Principal{ID: fmt.Sprint(n)}); err != nil {
			t.Fatal(err)
		}
	}
	if n := limits.States(); n > 10_000 {
		t.Errorf("%d principals are known", n)
	}
	if _, err := limits.Upload(api.Principal{ID: "busy"}); err == nil {
		t.Error("the upload of a principal was forgotten")
	}
}
