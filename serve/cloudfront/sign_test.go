package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	sdk "github.com/aws/aws-sdk-go-v2/feature/cloudfront/sign"

	"repomill/serve/cloudfront"
)

// signings are both ways to sign.
var signings = []struct {
	name string
	sign func(testing.TB, *cloudfront.Signer, string, time.Time) string
	ends func(t *testing.T, location string) time.Time
	life time.Duration // at least
}{
	{"one object", sign, cannedEnd, 10 * time.Minute},
	{"a repository", signBelow, customEnd, time.Hour},
}

// signBelow signs for all of the repository of an object.
func signBelow(t testing.TB, s *cloudfront.Signer, objectKey string, now time.Time) string {
	t.Helper()
	p := strings.SplitN(objectKey, "/", 3)
	location, err := s.SignBelow(p[0]+"/"+p[1], objectKey, now)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

func cannedEnd(t *testing.T, location string) time.Time {
	t.Helper()
	return parseExpires(t, parseURL(t, location).Query().Get("Expires"))
}

func customEnd(t *testing.T, location string) time.Time {
	t.Helper()
	var p sdk.Policy
	if err := json.Unmarshal(decode(t, parseURL(t, location).Query().Get("Policy")), &p); err != nil {
		t.Fatal(err)
	}
	return p.Statements[0].Condition.DateLessThan.Time
}

func decode(t testing.TB, s string) []byte {
	t.Helper()
	b, err := base64.StdEncoding.DecodeString(strings.NewReplacer("-", "+", "_", "=", "~", "/").Replace(s))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestSignatureIsAFunctionOfNameAndBucket(t *testing.T) {
	for _, key := range []crypto.Signer{ecdsaKey(t), rsaKey(t)} {
		for _, kind := range signings {
			t.Run(fmt.Sprintf("%T, %s", key, kind.name), func(t *testing.T) {
				one, other := newSigner(t, edge, key), newSigner(t, edge, key) // two replicas, nothing cached in the second
				changes := 0
				for last, i := kind.sign(t, one, plusKey, noon), 0; i < 300; i += 10 {
					now := noon.Add(time.Duration(i) * time.Second)
					got := kind.sign(t, one, plusKey, now)
					if want := kind.sign(t, other, plusKey, now); got != want {
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
}

// However many ask at once, one signature is made.
func TestSignedOnce(t *testing.T) {
	for _, kind := range signings {
		s := newSigner(t, edge, rsaKey(t)) // which is not drawn again
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() { kind.sign(t, s, plusKey, noon) })
		}
		wg.Wait()
		if got := s.Signatures(); got != 1 {
			t.Errorf("%s: %d signatures, want 1", kind.name, got)
		}
	}
}

func TestOneSignaturePerRepository(t *testing.T) {
	s := newSigner(t, edge, rsaKey(t))
	queries := map[string]bool{}
	for _, key := range []string{plusKey, "acme/tools/gpgkey", "acme/tools/el/9/x86_64/a-1-1.x86_64.rpm"} {
		location := signBelow(t, s, key, noon)
		path, query, _ := strings.Cut(location, "?")
		if want := edge + "/" + cloudfront.Escape(key); path != want {
			t.Errorf("got %s, want %s", path, want)
		}
		queries[query] = true
	}
	signBelow(t, s, "acme/tool/gpgkey", noon)
	if len(queries) != 1 || s.Signatures() != 2 {
		t.Errorf("%d queries of one repository and %d signatures of two, want 1 and 2", len(queries), s.Signatures())
	}
}

func TestWildcardPolicy(t *testing.T) {
	for _, at := range []string{edge, edge + "/packages/"} {
		location := signBelow(t, newSigner(t, at, ecdsaKey(t)), plusKey, noon)
		q := parseURL(t, location).Query()
		got := string(decode(t, q.Get("Policy")))
		want := fmt.Sprintf(`{"Statement":[{"Resource":"%s/acme/tools/*","Condition":{"DateLessThan":{"AWS:EpochTime":%d}}}]}`,
			strings.TrimRight(at, "/"), customEnd(t, location).Unix())
		if got != want || q.Get("Expires") != "" {
			t.Errorf("got %s\nwant %s", got, want)
		}
	}
}

func TestWildcardOpensItsRepositoryAlone(t *testing.T) {
	key := ecdsaKey(t)
	s, v := newSigner(t, edge, key), newVerifier(t, edge, key)
	_, query, _ := strings.Cut(signBelow(t, s, "acme/tools/gpgkey", noon), "?")
	for path, good := range map[string]bool{
		"/acme/tools/gpgkey":                             true,
		"/acme/tools/el/9/x86_64/g%2B-1-1.x86_64.rpm":    true,
		"/acme/tools/el/9/x86_64/g%2b-1%7e-1.x86_64.rpm": true, // as old apt would
		"/acme/tools2/gpgkey":                            false,
		"/acme/tool/gpgkey":                              false,
		"/other/tools/gpgkey":                            false,
		"/acme/tools/../secret/gpgkey":                   false,
		"/acme/tools/%2e%2e/secret/gpgkey":               false,
		"/acme/tools//acme/secret/gpgkey":                false,
	} {
		if _, err := v.Verify(path+"?"+query, noon); (err == nil) != good {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestSignBelowRefuses(t *testing.T) {
	s := newSigner(t, edge, ecdsaKey(t))
	for _, tt := range [][2]string{{"acme/tool", "acme/tools/gpgkey"}, {"", "acme/tools/gpgkey"}, {"acme/tools/gpgkey", "acme/tools/gpgkey"}, {"acme/tools/", "acme/tools/gpgkey"}, {"a", "acme/tools/gpgkey"}} {
		if location, err := s.SignBelow(tt[0], tt[1], noon); err == nil {
			t.Errorf("%q below %q: %s", tt[1], tt[0], location)
		}
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
	for i := range 500 {
		for _, location := range []string{
			sign(t, s, fmt.Sprintf("acme/tools/el/9/x86_64/a~%d-1.x86_64.rpm", i), noon),
			signBelow(t, s, fmt.Sprintf("acme/tools%d/gpgkey", i), noon),
		} {
			if _, query, _ := strings.Cut(location, "?"); strings.Contains(query, "~") {
				t.Fatalf("%s: old apt re-quotes the '~'", location)
			}
		}
	}
}

func TestLifetime(t *testing.T) {
	for _, kind := range signings {
		t.Run(kind.name, func(t *testing.T) {
			s := newSigner(t, edge, ecdsaKey(t))
			ends := map[time.Time]bool{}
			for i := range 50 {
				location := kind.sign(t, s, fmt.Sprintf("acme/tools%d/el/9/x86_64/a-%d-1.x86_64.rpm", i, i), noon)
				end := kind.ends(t, location)
				if left := end.Sub(noon); left < kind.life || left > kind.life+5*time.Minute+time.Minute {
					t.Errorf("%s lives %v, want %v to five minutes and some draws more", location, left, kind.life)
				}
				ends[end] = true
			}
			if len(ends) < 25 {
				t.Errorf("50 names expire at %d moments only: buckets are not offset", len(ends))
			}
		})
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
