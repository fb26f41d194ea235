package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"repomill/serve/cloudfront"
)

func TestSignatureIsAFunctionOfObjectAndBucket(t *testing.T) {
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		t.Run(fmt.Sprintf("%T", key), func(t *testing.T) {
			one, other := newSigner(t, edge, key), newSigner(t, edge, key) // two replicas, nothing cached in the second
			changes := 0
			for last, i := sign(t, one, plusKey, noon), 0; i < 300; i += 10 {
				now := noon.Add(time.Duration(i) * time.Second)
				got := sign(t, one, plusKey, now)
				if want := sign(t, other, plusKey, now); got != want {
					t.Fatalf("after %d s two replicas disagree:\n%s\n%s", i, got, want)
				}
				if got != last {
					changes++
				}
				last = got
			}
			if changes > 1 {
				t.Errorf("the URL changed %d times in five minutes, want once at most", changes)
			}
		})
	}
}

func TestSignedAgainAfterOthers(t *testing.T) {
	key := ecdsaKey(t)
	s := newSigner(t, edge, key)
	first := sign(t, s, plusKey, noon)
	sign(t, s, plusKey, noon.Add(5*time.Minute)) // the generations move on ...
	sign(t, s, plusKey, noon.Add(time.Hour))
	if got := sign(t, s, plusKey, noon); got != first { // ... and the clock back
		t.Errorf("the clock went back: got %s, want %s", got, first)
	}
}

func TestNoTildeInSignatures(t *testing.T) {
	s := newSigner(t, edge, ecdsaKey(t))
	for i := range 1000 {
		location := sign(t, s, fmt.Sprintf("acme/tools/el/9/x86_64/a~%d-1.x86_64.rpm", i), noon)
		if _, query, _ := strings.Cut(location, "?"); strings.Contains(query, "~") {
			t.Fatalf("%s: old apt re-quotes the '~'", location)
		}
	}
}

func TestLifetime(t *testing.T) {
	s := newSigner(t, edge, ecdsaKey(t))
	ends := map[int64]bool{}
	for i := range 50 {
		u := parseURL(t, sign(t, s, fmt.Sprintf("acme/tools/el/9/x86_64/a-%d-1.x86_64.rpm", i), noon))
		expires, err := strconv.ParseInt(u.Query().Get("Expires"), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Unix(expires, 0).Sub(noon); left < time.Hour || left > 65*time.Minute+time.Minute {
			t.Errorf("%s lives %v, want one hour to 65 minutes and some draws", u, left)
		}
		ends[expires] = true
	}
	if len(ends) < 25 {
		t.Errorf("50 objects expire at %d moments only: buckets are not offset", len(ends))
	}
}

func TestLocation(t *testing.T) {
	for _, tt := range []struct{ name, edge, want string }{
		{"an origin", "https://d111.cloudfront.net", "https://d111.cloudfront.net/acme/"},
		{"a slash at the end is not doubled", "https://d111.cloudfront.net/", "https://d111.cloudfront.net/acme/"},
		{"a path prefix", "http://127.0.0.1:8081/edge/", "http://127.0.0.1:8081/edge/acme/"},
		{"a host in capitals", "https://CDN.Example.org", "https://cdn.example.org/acme/"},
		{"an IPv6 address", "http://[::1]:8081", "http://[::1]:8081/acme/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			key := ecdsaKey(t)
			location := sign(t, newSigner(t, tt.edge, key), plusKey, noon)
			if !strings.HasPrefix(location, tt.want) {
				t.Errorf("got %s, want it to start with %s", location, tt.want)
			}
			if len(location) > 350 {
				t.Errorf("%s has %d bytes", location, len(location))
			}
			if got, err := newVerifier(t, tt.edge, key).Verify(requestURI(t, location), noon); err != nil || got != plusKey {
				t.Errorf("verified: got %q, %v, want %q", got, err, plusKey)
			}
		})
	}
}

func TestNewSignerRefuses(t *testing.T) {
	p384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rsa1024, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := ecdsaKey(t)
	for _, tt := range []struct {
		name, edge, keyID string
		key               crypto.Signer
		want              string // in the error
	}{
		{"P-384", edge, keyID, p384, "P-256 only"},
		{"RSA-1024", edge, keyID, rsa1024, "1024 bits"},
		{"Ed25519", edge, keyID, ed, "ed25519.PublicKey"},
		{"no key", edge, keyID, nil, "missing"},
		{"no key pair id", edge, "", good, "key pair id"},
		{"a key pair id that is a parameter", edge, "K&Expires=1", good, "key pair id"},
		{"no scheme", "//cdn.example.org", keyID, good, "http or https"},
		{"another scheme", "ftp://cdn.example.org", keyID, good, "http or https"},
		{"no host", "https:///x", keyID, good, "http or https"},
		{"a password, which the error does not show", "https://u:secret@cdn.example.org", keyID, good, "no user"},
		{"a query", "https://cdn.example.org/?a=b", keyID, good, "query"},
		{"a fragment", "https://cdn.example.org/#a", keyID, good, "fragment"},
		{"a path that is not canonical", "https://cdn.example.org/a/../b", keyID, good, "canonical"},
		{"a host that JSON would escape", `https://cdn"example.org`, keyID, good, "letters"},
		{"a path that needs encoding", "https://cdn.example.org/a b", keyID, good, "letters"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			u, err := url.Parse(tt.edge)
			if err != nil {
				t.Fatal(err)
			}
			_, err = cloudfront.NewSigner(u, tt.keyID, tt.key)
			if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("got error %v, want one with %q", err, tt.want)
			}
		})
	}
}
