package oidc_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

var errUsed = errors.New("used before")

// A desk records uses and issues tokens, as a catalog does.
type desk struct {
	used         map[string]time.Time
	issued       []api.Principal
	ttl          time.Duration
	useErr, fail error
}

func (d *desk) UseIDToken(_ context.Context, issuer, jti string, expires, _ time.Time) error {
	if _, ok := d.used[issuer+" "+jti]; ok {
		return errUsed
	}
	d.used[issuer+" "+jti] = expires
	return d.useErr
}

func (d *desk) IssueToken(_ context.Context, p api.Principal, ttl time.Duration) (string, time.Time, error) {
	d.issued, d.ttl = append(d.issued, p), ttl
	return "secret-1", start.Add(ttl), d.fail
}

func TestExchange(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	trust := trustIn(ci.URL, map[string]string{"repository_id": "424242"})
	const bearer = "Bearer "
	for _, tt := range []struct {
		name, method string
		header       func(good string) string
		change       values
		desk         desk
		status       int
		body         string
		issued       int
	}{
		{"an ID token", "POST", func(s string) string { return bearer + s }, nil, desk{}, 200, `{"expires":"2026-11-29T13:00:00Z","token":"secret-1"}`, 1},
		{"a scheme in another case", "POST", func(s string) string { return "bearer " + s }, nil, desk{}, 200, `{"expires":"2026-11-29T13:00:00Z","token":"secret-1"}`, 1},
		{"another method", "GET", func(s string) string { return bearer + s }, nil, desk{}, 405, `{"error":"use POST with the ID token in the header Authorization: Bearer"}`, 0},
		{"no credential", "POST", func(string) string { return "" }, nil, desk{}, 401, `{"error":"send the ID token of the CI job in the header Authorization: Bearer"}`, 0},
		{"another scheme", "POST", func(s string) string { return "Basic " + s }, nil, desk{}, 401, `{"error":"send the ID token of the CI job in the header Authorization: Bearer"}`, 0},
		{"something else", "POST", func(string) string { return bearer + "x" }, nil, desk{}, 401, `{"error":"` + api.ErrUnknownCredential.Error() + `"}`, 0},
		{"another repository", "POST", func(s string) string { return bearer + s }, values{"repository_id": "1"}, desk{}, 401,
			`{"error":"no trust fits the claims of this ID token (repo:acme/tools:environment:release): an administrator sees in the log of the API which claim differs"}`, 0},
		{"one without an ID", "POST", func(s string) string { return bearer + s }, values{"jti": nil}, desk{}, 401,
			`{"error":"this ID token has no ID of its own (claim jti), and so cannot be exchanged: send it as it is with each call"}`, 0},
		{"one that was used", "POST", func(s string) string { return bearer + s }, nil, desk{used: map[string]time.Time{ci.URL + " 6c1ad4fd-3aa3-4b26-9f31-0b54dcd6e1de": start}}, 401,
			`{"error":"this ID token was exchanged before, and each is exchanged once: ask the CI system for another one"}`, 0},
		{"a catalog that does not answer", "POST", func(s string) string { return bearer + s }, nil, desk{useErr: errors.New("secret of the catalog")}, 503,
			`{"error":"the use of the ID token may not be recorded: ask the CI system for another ID token, and try again in 10 seconds"}`, 0},
		{"a token that cannot be issued", "POST", func(s string) string { return bearer + s }, nil, desk{fail: errors.New("secret of the catalog")}, 503,
			`{"error":"no token can be issued now: ask the CI system for another ID token, and try again in 10 seconds"}`, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a, _ := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trust}})
			d := &tt.desk
			if d.used == nil {
				d.used = map[string]time.Time{}
			}
			e := &oidc.Exchange{Authenticator: a, Uses: d, Used: errUsed, Issuer: d}
			r := httptest.NewRequest(tt.method, oidc.ExchangePath, nil)
			if h := tt.header(key.sign(t, payloadOf(t, with(githubToken(ci.URL), tt.change)), nil)); h != "" {
				r.Header.Set("Authorization", h)
			}
			w := httptest.NewRecorder()
			e.ServeHTTP(w, r)
			if w.Code != tt.status || strings.TrimSpace(w.Body.String()) != tt.body || !json.Valid(w.Body.Bytes()) {
				t.Errorf("got %d %s, want %d %s", w.Code, w.Body, tt.status, tt.body)
			}
			if got := w.Header(); got.Get("Cache-Control") != "no-store" || got.Get("Content-Type") != "application/json" ||
				(got.Get("WWW-Authenticate") == `Basic realm="repomill"`) != (w.Code == 401) || (got.Get("Retry-After") == "10") != (w.Code == 503) {
				t.Errorf("header %v", got)
			}
			if len(d.issued) != tt.issued {
				t.Fatalf("issued for %+v, want %d", d.issued, tt.issued)
			}
			if tt.issued == 0 {
				return
			}
			want := api.Principal{ID: "trust:" + trust.ID, Name: "oidc " + ci.URL + " repo:acme/tools:environment:release",
				Grants: []api.Grant{{Right: api.Push, Owner: "acme", Name: "tools"}}}
			if diff := cmp.Diff(want, d.issued[0]); diff != "" || d.ttl != time.Hour {
				t.Errorf("issued for %v (-want +got):\n%s", d.ttl, diff)
			}
		})
	}
}

func TestExchangeWhileTheIssuerIsDown(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	ci.answer("/keys", http.NotFound)
	a, _ := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"repository_id": "424242"})}})
	d := &desk{used: map[string]time.Time{}}
	r := httptest.NewRequest(http.MethodPost, oidc.ExchangePath, nil)
	r.Header.Set("Authorization", "Bearer "+key.sign(t, payloadOf(t, githubToken(ci.URL)), nil))
	w := httptest.NewRecorder()
	(&oidc.Exchange{Authenticator: a, Uses: d, Used: errUsed, Issuer: d}).ServeHTTP(w, r)
	const body = `{"error":"the ID token cannot be verified now: try again in 10 seconds"}`
	if w.Code != 503 || strings.TrimSpace(w.Body.String()) != body || len(d.used)+len(d.issued) > 0 {
		t.Errorf("got %d %s, used %v", w.Code, w.Body, d.used)
	}
}

func TestExchangeOnce(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"repository_id": "424242"})}})
	d := &desk{used: map[string]time.Time{}}
	e := &oidc.Exchange{Authenticator: a, Uses: d, Used: errUsed, Issuer: d}
	post := func(token string) int {
		r := httptest.NewRequest(http.MethodPost, oidc.ExchangePath, nil)
		r.Header.Set("Authorization", "Bearer "+token)
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code
	}
	payload := payloadOf(t, githubToken(ci.URL))
	one, again := key.sign(t, payload, nil), key.sign(t, payload, nil) // ECDSA: two signatures
	if got := []int{post(one), post(one), post(again)}; !cmp.Equal(got, []int{200, 401, 401}) || one == again {
		t.Errorf("got %v", got)
	}
	if _, err := a.Authenticate(t.Context(), one); err != nil {
		t.Errorf("it is still an ID token: %v", err)
	}
	clock.forward(6 * time.Minute)
	if got := post(key.sign(t, payloadOf(t, with(githubToken(ci.URL), values{"jti": "x"})), nil)); got != 401 {
		t.Errorf("one that has expired: %d", got)
	}
}
