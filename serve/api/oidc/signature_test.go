package oidc_test

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/go-jose/go-jose/v4"

	"repomill/schemas/catalog"
	"repomill/serve/api"
)

// Nothing but a signature by a key of the issuer, with the algorithm of that key, counts. The error gives no hint.
func TestAuthenticateRefusesSignatures(t *testing.T) {
	t.Setenv("GODEBUG", "rsa1024min=0")
	key, ec := newRSA(t, "a"), newECDSA(t, "ec")
	weak := newRSA(t, "weak")
	weak.private, _ = rsa.GenerateKey(rand.Reader, 1024)
	encrypts := newRSA(t, "encrypts")
	encrypts.use = "enc"
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	edwards := signingKey{id: "ed", algorithm: jose.EdDSA, private: private}
	ci := newCI(t, key, ec, edwards, weak, encrypts)
	secret := []byte("a secret that was published by mistake, of 52 bytes..")
	addKey(t, ci, jose.JSONWebKey{Key: secret, KeyID: "oct", Algorithm: "HS256", Use: "sig"})

	a, clock := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	payload := payloadOf(t, gitlabToken(ci.URL))
	good := key.sign(t, payload, nil)
	parts := strings.Split(good, ".")
	b64 := base64.RawURLEncoding.EncodeToString
	der, err := x509.MarshalPKIXPublicKey(key.private.Public())
	if err != nil {
		t.Fatal(err)
	}
	public := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	jwk, err := json.Marshal(jose.JSONWebKey{Key: key.private.Public(), KeyID: "a"})
	if err != nil {
		t.Fatal(err)
	}
	hmac := func(id string, key []byte) string {
		return signed(t, jose.SigningKey{Algorithm: jose.HS256, Key: jose.JSONWebKey{Key: key, KeyID: id}}, payload, nil)
	}
	as := func(k signingKey, change func(*signingKey)) string {
		change(&k)
		return k.sign(t, payload, nil)
	}
	other := newRSA(t, "a")
	embedded, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: other.private}, &jose.SignerOptions{EmbedJWK: true})
	if err != nil {
		t.Fatal(err)
	}
	withKey, err := embedded.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, _ := withKey.CompactSerialize()

	for name, credential := range map[string]string{
		"the algorithm none":                              b64([]byte(`{"alg":"none","kid":"a"}`)) + "." + parts[1] + ".",
		"the algorithm None":                              b64([]byte(`{"alg":"None","kid":"a"}`)) + "." + parts[1] + "." + parts[2],
		"no signature":                                    parts[0] + "." + parts[1] + ".",
		"a signature of another payload":                  parts[0] + "." + b64(payloadOf(t, with(gitlabToken(ci.URL), values{"ref": "x"}))) + "." + parts[2],
		"HMAC with the public key as PEM":                 hmac("a", public),
		"HMAC with the public key as DER":                 hmac("a", der),
		"HMAC with the public key as JWK":                 hmac("a", jwk),
		"HMAC with a secret in the key set":               hmac("oct", secret),
		"another key with the same ID":                    other.sign(t, payload, nil),
		"a key in the header":                             compact,
		"a key set in the header":                         other.sign(t, payload, map[jose.HeaderKey]any{"jku": ci.URL + "/evil"}),
		"the key's other algorithm":                       as(key, func(k *signingKey) { k.algorithm = jose.PS256 }),
		"the ID of a key of another kind":                 as(ec, func(k *signingKey) { k.id = "a" }),
		"a key that is too weak":                          weak.sign(t, payload, nil),
		"a key that encrypts":                             encrypts.sign(t, payload, nil),
		"a critical extension":                            key.sign(t, payload, map[jose.HeaderKey]any{"crit": []string{"http://x"}, "http://x": true}),
		"another kind of token":                           key.sign(t, payload, map[jose.HeaderKey]any{"typ": "at+jwt"}),
		"a kind that is a number":                         key.sign(t, payload, map[jose.HeaderKey]any{"typ": 1}),
		"a signature that ends with a line":               good + "\n",
		"base64 that could be written in another way too": good[:len(good)-1] + "B",
	} {
		t.Run(name, func(t *testing.T) {
			clock.forward(11_000_000_000) // a key that is not known is looked for at once
			p, err := a.Authenticate(t.Context(), credential)
			if err != api.ErrUnknownCredential { //nolint:errorlint // without a hint
				t.Errorf("got %+v, %v", p, err)
			}
		})
	}
	for name, credential := range map[string]string{
		"RSA": good, "ECDSA": ec.sign(t, payload, nil), "Ed25519": edwards.sign(t, payload, nil), "no key ID": as(ec, func(k *signingKey) { k.id = "" }),
		"no kind": key.sign(t, payload, map[jose.HeaderKey]any{"typ": "jwt"}),
	} {
		if _, err := a.Authenticate(t.Context(), credential); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// addKey adds a key of any kind to what the issuer publishes.
func addKey(t *testing.T, ci *ciServer, k jose.JSONWebKey) {
	t.Helper()
	set := jose.JSONWebKeySet{Keys: append(ci.keys, k)}
	body, err := json.Marshal(set)
	if err != nil {
		t.Fatal(err)
	}
	body = []byte(strings.Replace(string(body), `{"keys":[`, `{"keys":[{"kty":"unknown","kid":"u"},7,`, 1))
	ci.answer("/keys", func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(body) })
}

func TestTheErrorsOfTheLibraryAreNotShown(t *testing.T) {
	key := newECDSA(t, "a")
	ci := newCI(t, key)
	a, _ := newAuthenticator(ci, &fixedTrusts{all: []catalog.Trust{trustIn(ci.URL, map[string]string{"project_path": "acme/tools"})}})
	_, err := a.Authenticate(t.Context(), newECDSA(t, "a").sign(t, payloadOf(t, gitlabToken(ci.URL)), nil))
	if !errors.Is(err, api.ErrUnknownCredential) || strings.Contains(err.Error(), "signature") {
		t.Errorf("got %v", err)
	}
}
