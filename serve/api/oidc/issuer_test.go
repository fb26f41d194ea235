package oidc_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"repomill/schemas/catalog"
	"repomill/serve/api/oidc"
)

// A ciServer is the issuer of a CI system on the loopback interface.
type ciServer struct {
	*httptest.Server
	discoveries, fetches atomic.Int32

	mu      sync.Mutex
	keys    []jose.JSONWebKey
	answers map[string]http.HandlerFunc // instead of its own, by path
}

func newCI(t *testing.T, keys ...signingKey) *ciServer {
	t.Helper()
	ci := &ciServer{answers: map[string]http.HandlerFunc{}}
	ci.publish(keys...)
	ci.Server = httptest.NewTLSServer(http.HandlerFunc(ci.serve))
	ci.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(ci.Close)
	return ci
}

func (ci *ciServer) publish(keys ...signingKey) {
	ci.mu.Lock()
	defer ci.mu.Unlock()
	ci.keys = nil
	for _, k := range keys {
		ci.keys = append(ci.keys, jose.JSONWebKey{Key: k.private.Public(), KeyID: k.id, Algorithm: k.says, Use: k.use})
	}
}

// answer makes the server answer a path in another way.
func (ci *ciServer) answer(path string, f http.HandlerFunc) {
	ci.mu.Lock()
	defer ci.mu.Unlock()
	ci.answers[path] = f
}

func (ci *ciServer) serve(w http.ResponseWriter, r *http.Request) {
	ci.mu.Lock()
	instead, set := ci.answers[r.URL.Path], jose.JSONWebKeySet{Keys: ci.keys}
	ci.mu.Unlock()
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		ci.discoveries.Add(1)
	case "/keys":
		ci.fetches.Add(1)
	}
	var body any
	switch {
	case instead != nil:
		instead(w, r)
		return
	case r.URL.Path == "/keys":
		body = set
	case r.URL.Path == "/.well-known/openid-configuration":
		body = map[string]any{"issuer": ci.URL, "jwks_uri": ci.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"}}
	default:
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(body)
}

// A signingKey is a key of an issuer.
type signingKey struct {
	id, says, use string
	algorithm     jose.SignatureAlgorithm
	private       crypto.Signer
}

func newECDSA(t *testing.T, id string) signingKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{id: id, use: "sig", algorithm: jose.ES256, private: k}
}

func newRSA(t *testing.T, id string) signingKey {
	t.Helper()
	k, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return signingKey{id: id, says: "RS256", use: "sig", algorithm: jose.RS256, private: k}
}

// sign returns a JWT of a payload, with more in its header.
func (k signingKey) sign(t *testing.T, payload []byte, header map[jose.HeaderKey]any) string {
	t.Helper()
	return signed(t, jose.SigningKey{Algorithm: k.algorithm, Key: jose.JSONWebKey{Key: k.private, KeyID: k.id}}, payload, header)
}

func signed(t *testing.T, key jose.SigningKey, payload []byte, header map[jose.HeaderKey]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithType("JWT")
	for name, value := range header {
		options.WithHeader(name, value)
	}
	signer, err := jose.NewSigner(key, options)
	if err != nil {
		t.Fatal(err)
	}
	jws, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := jws.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

type values = map[string]any

// with returns values with changes; a change to nil removes.
func with(v values, changes values) values {
	v = maps.Clone(v)
	for name, value := range changes {
		if v[name] = value; value == nil {
			delete(v, name)
		}
	}
	return v
}

func payloadOf(t *testing.T, v values) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const audience = "packages.acme.example"

var discard = slog.New(slog.DiscardHandler)

var start = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)

// gitlabToken has the claims of an ID token as GitLab makes them.
func gitlabToken(issuer string) values {
	return values{
		"namespace_id": "72", "namespace_path": "acme", "project_id": "20", "project_path": "acme/tools", "user_id": "1", "user_login": "jo",
		"user_email": "jo@acme.example", "user_access_level": "maintainer", "user_identities": []values{{"provider": "ldap", "extern_uid": "jo"}},
		"pipeline_id": "574", "pipeline_source": "push", "job_id": "302", "ref": "main", "ref_type": "branch", "ref_path": "refs/heads/main",
		"ref_protected": "true", "groups_direct": []string{"acme/release", "acme/ops"}, "environment": "production", "environment_protected": "false",
		"runner_id": 17, "runner_environment": "self-hosted", "sha": "714a629c0b401fdce83e847fc9589983fc6f46bc", "project_visibility": "private",
		"ci_config_ref_uri": "gitlab.acme.example/acme/tools//.gitlab-ci.yml@refs/heads/main", "ci_config_sha": nil,
		"jti": "235b3a54-b797-45c7-ae9a-f72d7bc6ef5b", "iss": issuer, "aud": audience,
		"iat": start.Unix(), "nbf": start.Add(-5 * time.Second).Unix(), "exp": start.Add(time.Hour).Unix(),
		"sub": "project_path:acme/tools:ref_type:branch:ref:main",
	}
}

// githubToken has the claims of an ID token as GitHub Actions makes them.
func githubToken(issuer string) values {
	return values{
		"jti": "6c1ad4fd-3aa3-4b26-9f31-0b54dcd6e1de", "sub": "repo:acme/tools:environment:release", "aud": audience, "ref": "refs/tags/v1.2.0",
		"sha": "c040cae0f0dc81641728557b80f09cfa23b83fe5", "repository": "acme/tools", "repository_owner": "acme", "repository_owner_id": "2020",
		"run_id": "22259804324", "run_number": "42", "run_attempt": "2", "repository_visibility": "private", "repository_id": "424242",
		"actor_id": "1001", "actor": "jo", "workflow": "release", "head_ref": "", "base_ref": "", "event_name": "push", "ref_protected": "true",
		"ref_type": "tag", "workflow_ref": "acme/tools/.github/workflows/release.yml@refs/tags/v1.2.0", "environment": "release",
		"job_workflow_ref": "acme/tools/.github/workflows/release.yml@refs/tags/v1.2.0", "runner_environment": "github-hosted", "iss": issuer,
		"nbf": start.Add(-time.Minute).Unix(), "exp": start.Add(5 * time.Minute).Unix(), "iat": start.Unix(),
	}
}

// fixedTrusts are the trusts of a catalog.
type fixedTrusts struct {
	all []catalog.Trust
	err error
}

func (f *fixedTrusts) TrustsOf(_ context.Context, issuer string) (found []catalog.Trust, err error) {
	for _, t := range f.all {
		if t.Issuer == issuer {
			found = append(found, t)
		}
	}
	return found, f.err
}

// A clock goes when a test says so.
type clock struct{ at atomic.Int64 }

func (c *clock) now() time.Time          { return time.UnixMilli(c.at.Load()) }
func (c *clock) forward(d time.Duration) { c.at.Add(d.Milliseconds()) }

// newAuthenticator returns an authenticator that may ask issuers on the loopback interface.
func newAuthenticator(ci *ciServer, trusts oidc.Trusts) (*oidc.Authenticator, *clock) {
	roots := x509.NewCertPool()
	roots.AddCert(ci.Certificate())
	c := &clock{}
	c.at.Store(start.UnixMilli())
	return oidc.New(oidc.Config{
		Trusts: trusts, Now: c.now, Log: discard, Roots: roots,
		Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")},
	}), c
}

// trustIn returns a trust of acme/tools.
func trustIn(issuer string, claims map[string]string) catalog.Trust {
	t := catalog.Trust{Owner: "acme", Name: "tools", Scope: "push", Issuer: issuer, Audience: audience, Claims: claims, Created: start}
	t.ID = t.Digest()
	return t
}
