package api_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"repomill/serve/api"
)

// callers knows one credential, and fails for another.
type callers struct{}

func (callers) Authenticate(_ context.Context, credential string) (api.Principal, error) {
	switch credential {
	case "good":
		return api.Principal{ID: "1"}, nil
	case "fault":
		return api.Principal{}, errors.New("db.internal: connection refused")
	}
	return api.Principal{}, api.ErrUnknownCredential
}

func TestCaller(t *testing.T) {
	basic := func(user, password string) []string {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.SetBasicAuth(user, password)
		return r.Header["Authorization"]
	}
	for _, tt := range []struct {
		name   string
		header []string
		status int // 0: the call goes on
	}{
		{"a Bearer token", []string{"Bearer good"}, 0},
		{"in any case", []string{"bearer  good"}, 0},
		{"the user name of Basic authentication", basic("good", ""), 0},
		{"whose password does not count", basic("good", "x"), 0},
		{"none", nil, 401},
		{"an empty one", []string{"Bearer "}, 401},
		{"an empty user", basic("", "good"), 401},
		{"another scheme", []string{"Digest good"}, 401},
		{"two of them", []string{"Bearer good", "Bearer good"}, 401},
		{"an unknown one", []string{"Bearer bad"}, 401},
		{"one that is too long", []string{"Bearer " + strings.Repeat("x", 20_000)}, 401},
		{"a fault is not a refusal", []string{"Bearer fault"}, 503},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w := httptest.NewRequest(http.MethodGet, "/", nil), httptest.NewRecorder()
			r.Header["Authorization"] = tt.header
			p, err := api.Caller(w, r, callers{})
			if tt.status == 0 {
				if err != nil || p.ID != "1" || w.Body.Len() > 0 {
					t.Fatalf("got %+v, %v, %s", p, err, w.Body)
				}
				return
			}
			if err == nil || w.Code != tt.status || !strings.HasPrefix(w.Body.String(), "{\n  \"error\": \"") {
				t.Errorf("got %v, %d %s; want %d", err, w.Code, w.Body, tt.status)
			}
			if challenge := w.Header().Get("WWW-Authenticate"); (challenge == `Basic realm="repomill"`) != (tt.status == 401) {
				t.Errorf("%d with WWW-Authenticate: %s", w.Code, challenge)
			}
			if strings.Contains(w.Body.String(), "internal") {
				t.Errorf("the answer names what is behind it: %s", w.Body)
			}
		})
	}
}

func TestAnswers(t *testing.T) {
	w := httptest.NewRecorder()
	api.Refuse(w, "path", "a <b>")
	if got, want := w.Body.String(), "{\n  \"path\": [\n    \"a \\u003cb\\u003e\"\n  ]\n}\n"; w.Code != 422 || got != want {
		t.Errorf("got %d %s, want 422 %s", w.Code, got, want)
	}
	if got, want := w.Header().Get("Content-Type")+w.Header().Get("X-Content-Type-Options"), "application/jsonnosniff"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	w = httptest.NewRecorder()
	api.FailFor(w, 429, 0, "later")
	if got, want := w.Header().Get("Retry-After")+w.Body.String(), "1{\n  \"error\": \"later\"\n}\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := (api.Fields{"b": {"3"}, "a": {"1", "2"}}).String(), "1; 2; 3"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}
