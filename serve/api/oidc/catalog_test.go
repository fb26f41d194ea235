package oidc_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

// With a catalog: of many exchanges of one ID token at once one succeeds. The token of the job has its name and URL, and opens
// what the trusts open, until it expires or they are removed.
func TestExchangeWithACatalog(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	db, err := catalogdb.Open("sqlite://" + filepath.Join(t.TempDir(), "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: catalog.Repository{Owner: "acme", Name: "tools"}}, start); err != nil {
		t.Fatal(err)
	}
	trust := trustIn(ci.URL, map[string]string{"repository_id": "424242", "workflow_ref": "acme/tools/.github/workflows/release.yml@refs/tags/*"})
	if err := db.AddTrust(t.Context(), trust); err != nil {
		t.Fatal(err)
	}
	second := trust
	second.Name, second.Scope, second.Created = "", "manage", start.Add(time.Second)
	second.ID = second.Digest()
	if err := db.AddTrust(t.Context(), second); err != nil {
		t.Fatal(err)
	}
	a, clock := newAuthenticator(ci, db)
	jobs := &oidc.JobTokens{Store: db, Now: clock.now}
	callers := api.Chain{jobs, a}
	e := &oidc.Exchange{Authenticator: a, Uses: db, Used: catalogdb.ErrExists, Issuer: jobs}
	idToken := func(jti string) string {
		return key.sign(t, payloadOf(t, with(githubToken(ci.URL), values{"jti": jti})), nil)
	}
	post := func(jti string) (status int, token string) {
		r := httptest.NewRequest(http.MethodPost, oidc.ExchangePath, nil)
		r.Header.Set("Authorization", "Bearer "+idToken(jti))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		var body struct{ Token string }
		if err := json.Unmarshal(w.Body.Bytes(), &body); err != nil {
			t.Errorf("%s: %v", w.Body, err)
		}
		return w.Code, body.Token
	}
	var calls sync.WaitGroup
	var refused atomic.Int32
	tokens := make(chan string, 20)
	for range 20 {
		calls.Go(func() {
			switch status, token := post("one"); status {
			case http.StatusOK:
				tokens <- token
			case http.StatusUnauthorized:
				refused.Add(1)
			default:
				t.Errorf("answer %d", status)
			}
		})
	}
	calls.Wait()
	if len(tokens) != 1 || refused.Load() != 19 {
		t.Fatalf("%d succeed, %d are refused; want 1 and 19", len(tokens), refused.Load())
	}
	token := <-tokens
	checkExchanged(t, db, fmt.Sprintf("oidc %s repo:acme/tools:environment:release", ci.URL), "acme", "acme/tools")

	who := func(credential string) string {
		p, err := callers.Authenticate(t.Context(), credential)
		if err != nil && !errors.Is(err, api.ErrUnknownCredential) {
			t.Error(err)
		}
		if err != nil {
			return err.Error()
		}
		return fmt.Sprint(p.ID, " ", p.Name, " ", p.Grants)
	}
	both := fmt.Sprintf("trust:%s+%s oidc %s repo:acme/tools:environment:release [{push acme tools} {manage acme }]", trust.ID, second.ID, ci.URL)
	for credential, want := range map[string]string{
		token: both, idToken("two"): both, token + "x": api.ErrUnknownCredential.Error(), token[4:]: api.ErrUnknownCredential.Error(),
		"rmj_" + unknownToken(): api.ErrUnknownCredential.Error(), "": api.ErrUnknownCredential.Error(),
	} {
		if got := who(credential); got != want {
			t.Errorf("%q is %s, want %s", credential, got, want)
		}
	}
	remove := func(id string) {
		if _, err := db.RemoveTrust(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	remove(second.ID)
	clock.forward(time.Hour - time.Millisecond)
	if got, want := who(token), strings.Replace(strings.Replace(both, " {manage acme }", "", 1), "+"+second.ID, "", 1); got != want {
		t.Errorf("with one trust: %s, want %s", got, want)
	}
	clock.forward(time.Millisecond)
	if got, want := who(token), "this token of a CI job expired at 2026-11-29 13:00:00 UTC: exchange another ID token"; got != want {
		t.Errorf("an hour later: %s", got)
	}
	clock.forward(-time.Minute)
	remove(trust.ID)
	if got, want := who(token), "the trust that this token of a CI job was issued for was removed: repomill trust list shows which there are"; got != want {
		t.Errorf("without trusts: %s", got)
	}
}

// checkExchanged checks that the audit log has one exchange by a job for each target.
func checkExchanged(t *testing.T, db *catalogdb.DB, by string, targets ...string) {
	t.Helper()
	var got []string
	for e, err := range db.Log(t.Context(), catalog.Target{}, time.Time{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == catalog.ActionTokenExchange && e.By == by {
			got = append(got, e.Target)
		}
	}
	if !slices.Equal(got, targets) {
		t.Errorf("the log has exchanges for %q, want %q", got, targets)
	}
}

func unknownToken() string {
	secret, _ := serve.NewToken()
	return secret
}
