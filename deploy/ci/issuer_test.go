package ci_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"encoding/pem"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// An issuer gives ID tokens as GitLab does, on loopback.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	i := &issuer{key: key}
	mux := http.NewServeMux()
	answer := func(path string, body func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			json.NewEncoder(w).Encode(body()) //nolint:errcheck // the API sees it
		})
	}
	answer("/.well-known/openid-configuration", func() any { return map[string]any{"issuer": i.url(), "jwks_uri": i.url() + "/keys"} })
	answer("/keys", func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "1", Use: "sig"}}}
	})
	i.Server = httptest.NewTLSServer(mux)
	t.Cleanup(i.Close)
	return i
}

// url is what the issuer calls itself. A trust of an address that only this machine has is refused: hosts gives the name one.
func (i *issuer) url() string { return strings.Replace(i.URL, "127.0.0.1", issuerName, 1) }

// issuerName is a name that the certificate of httptest is for.
const issuerName = "gitlab.example.com"

// hosts returns the path of a file like /etc/hosts with the issuer's name.
func (i *issuer) hosts(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hosts")
	if err := os.WriteFile(path, []byte("127.0.0.1 localhost "+issuerName+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// trusted returns the path of a file with the issuer's certificate.
func (i *issuer) trusted(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "issuer.pem")
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificate().Raw}), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// token returns the ID token of a job of acme/tools on a protected tag, with other claims.
func (i *issuer) token(t *testing.T, other map[string]any) string {
	t.Helper()
	now := time.Now()
	claims := map[string]any{"iss": i.url(), "aud": "packages.acme.example", "sub": "project_path:acme/tools:ref_type:tag:ref:v1.0", "jti": rand.Text(),
		"iat": now.Unix(), "nbf": now.Add(-5 * time.Second).Unix(), "exp": now.Add(time.Hour).Unix(), "project_path": "acme/tools", "project_id": "20",
		"namespace_id": "72", "ref": "v1.0", "ref_type": "tag", "ref_protected": "true", "pipeline_id": "574", "job_id": "302"}
	maps.Copy(claims, other)
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: i.key, KeyID: "1"}}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return token
}
