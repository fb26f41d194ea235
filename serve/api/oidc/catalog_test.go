package oidc_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/oidc"
)

// issuers counts the tokens that it issues. It may be called concurrently.
type issuers struct{ n atomic.Int32 }

func (i *issuers) IssueToken(_ context.Context, _ api.Principal, ttl time.Duration) (string, time.Time, error) {
	i.n.Add(1)
	return "secret", start.Add(ttl), nil
}

// With trusts and uses in a catalog: of many exchanges of one ID token at once one succeeds, and a trust that was removed
// opens nothing.
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
	a, _ := newAuthenticator(ci, db)
	issuer := &issuers{}
	e := &oidc.Exchange{Authenticator: a, Uses: db, Used: catalogdb.ErrExists, Issuer: issuer}
	post := func(jti string) int {
		r := httptest.NewRequest(http.MethodPost, oidc.ExchangePath, nil)
		r.Header.Set("Authorization", "Bearer "+key.sign(t, payloadOf(t, with(githubToken(ci.URL), values{"jti": jti})), nil))
		w := httptest.NewRecorder()
		e.ServeHTTP(w, r)
		return w.Code
	}
	var calls sync.WaitGroup
	var ok, refused atomic.Int32
	for range 20 {
		calls.Go(func() {
			switch status := post("one"); status {
			case http.StatusOK:
				ok.Add(1)
			case http.StatusUnauthorized:
				refused.Add(1)
			default:
				t.Errorf("answer %d", status)
			}
		})
	}
	calls.Wait()
	if ok.Load() != 1 || refused.Load() != 19 || issuer.n.Load() != 1 {
		t.Errorf("%d succeed, %d are refused, %d tokens were issued; want 1, 19 and 1", ok.Load(), refused.Load(), issuer.n.Load())
	}
	if got := post("two"); got != http.StatusOK {
		t.Errorf("another ID token: %d", got)
	}
	if _, err := db.RemoveTrust(t.Context(), trust.ID); err != nil {
		t.Fatal(err)
	}
	if got := post("three"); got != http.StatusUnauthorized {
		t.Errorf("after the trust was removed: %d", got)
	}
}
