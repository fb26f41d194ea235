package cloudfront_test

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/serve/cloudfront"
)

const (
	edge    = "https://d111.cloudfront.net"
	keyID   = "K2JCJMDEHXQW5F"
	plusKey = "acme/tools/ubuntu/pool/jammy/main/h/hello/hello_2.10+dfsg~rc1-3_amd64.deb"
)

var noon = time.Date(2026, 7, 1, 12, 0, 0, 0, time.UTC)

func ecdsaKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

var oneRSAKey = sync.OnceValues(func() (*rsa.PrivateKey, error) { return rsa.GenerateKey(rand.Reader, 2048) })

func rsaKey(t testing.TB) *rsa.PrivateKey {
	t.Helper()
	key, err := oneRSAKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func parseURL(t testing.TB, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func newSigner(t testing.TB, edge string, key crypto.Signer) *cloudfront.Signer {
	t.Helper()
	s, err := cloudfront.NewSigner(parseURL(t, edge), keyID, key)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func newVerifier(t testing.TB, edge string, key crypto.Signer) *cloudfront.Verifier {
	t.Helper()
	return cloudfront.NewVerifier(parseURL(t, edge), map[string]crypto.PublicKey{keyID: key.Public()})
}

func sign(t testing.TB, s *cloudfront.Signer, objectKey string, now time.Time) string {
	t.Helper()
	location, err := s.Sign(objectKey, now)
	if err != nil {
		t.Fatal(err)
	}
	return location
}

// requestURI is what a client sends in the request line to follow location.
func requestURI(t testing.TB, location string) string {
	t.Helper()
	_, rest, ok := strings.Cut(location, "://")
	i := strings.Index(rest, "/")
	if !ok || i < 0 {
		t.Fatalf("location %q has no path", location)
	}
	return rest[i:]
}

func TestEscape(t *testing.T) {
	for _, tt := range []struct{ name, key, want string }{
		{"unreserved bytes and slashes stay", "a/Z0-._~", "a/Z0-._~"},
		{"a plus is encoded", "g++_1.0", "g%2B%2B_1.0"},
		{"a caret is encoded", "a-1^git", "a-1%5Egit"},
		{"hexadecimal digits are upper case", "a:b", "a%3Ab"},
		{"a percent sign is encoded, not trusted", "a%2Fb", "a%252Fb"},
		{"bytes beyond ASCII are encoded one by one", "é", "%C3%A9"},
		{"line ends are encoded", "a\r\nb", "a%0D%0Ab"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := cloudfront.Escape(tt.key); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
			if got, err := url.PathUnescape(tt.want); err != nil || got != tt.key {
				t.Errorf("decoded again: got %q, %v, want %q", got, err, tt.key)
			}
		})
	}
}

// FuzzEscape checks that a path leads back to its key, with nothing in it that a client, a proxy or a
// policy might read as syntax.
func FuzzEscape(f *testing.F) {
	for _, seed := range []string{plusKey, "", "/", "a b", "\x00\r\n\xff", "é%2F%", "a?b#c;d\\e\"<>*", "\u202e\u2028"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, key string) {
		path := cloudfront.Escape(key)
		if back, err := url.PathUnescape(path); err != nil || back != key {
			t.Errorf("%q is %q, which is %q, %v", key, path, back, err)
		}
		if strings.Trim(path, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/%") != "" || cloudfront.Escape(path) != strings.ReplaceAll(path, "%", "%25") {
			t.Errorf("%q is %q", key, path)
		}
	})
}
