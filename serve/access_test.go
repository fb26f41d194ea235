package serve_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
)

func TestNewToken(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		secret, digest := serve.NewToken()
		if !serve.IsToken(secret) || len(secret) != 53 || !strings.HasPrefix(secret, "rmt_") {
			t.Fatalf("%q is no token", secret)
		}
		if strings.Trim(secret[4:], "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			t.Fatalf("%q cannot stand in a URL", secret)
		}
		if digest != serve.TokenDigest(secret) || seen[secret] {
			t.Fatalf("%q has digest %q", secret, digest)
		}
		seen[secret] = true
	}
}

func TestIsToken(t *testing.T) {
	secret, _ := serve.NewToken()
	swapped := secret[:10] + string(secret[10]^1) + secret[11:]
	for _, tt := range []struct {
		name, s string
		want    bool
	}{
		{"a token", secret, true},
		{"one character changed", swapped, false},
		{"cut off", secret[:52], false},
		{"more than a token", secret + "0", false},
		{"another prefix", "ghp_" + secret[4:], false},
		{"nothing", "", false},
		{"the prefix alone", "rmt_", false},
	} {
		if got := serve.IsToken(tt.s); got != tt.want {
			t.Errorf("%s: got %v", tt.name, got)
		}
	}
}

// A known vector: leak scanners compute the same digest.
func TestTokenDigest(t *testing.T) {
	if got, want := serve.TokenDigest("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

// However a secret is printed, it is not seen.
func TestSecretIsNeverPrinted(t *testing.T) {
	const s = serve.Secret("hunter2")
	var log bytes.Buffer
	slog.New(slog.NewJSONHandler(&log, nil)).Info("x", "secret", s, "all", []serve.Secret{s})
	slog.New(slog.NewTextHandler(&log, nil)).Info("x", "secret", s, "in", struct{ S serve.Secret }{s})
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d", "%T %v"} {
		fmt.Fprintf(&log, verb+"\n", s, struct{ S serve.Secret }{s})
	}
	if err := json.NewEncoder(&log).Encode(map[string]serve.Secret{"s": s}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log.String(), "hunter2") || strings.Contains(log.String(), "68756e74657232") || !strings.Contains(log.String(), "***") {
		t.Errorf("printed:\n%s", log.String())
	}
}

func basic(user, password string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

func TestPrivateRepository(t *testing.T) {
	before, after := noon, noon.Add(time.Second)
	b := newBucket()
	b[".repomill/acme/secret.json"] = privateSettings(
		catalog.Token{Name: "ci", SHA256: serve.TokenDigest(goodToken)},
		catalog.Token{Name: "ends later", SHA256: serve.TokenDigest("later"), Expires: &after},
		catalog.Token{Name: "has ended", SHA256: serve.TokenDigest("ended"), Expires: &before},
		catalog.Token{Name: "nothing", SHA256: serve.TokenDigest("")},
		catalog.Token{Name: "bad", SHA256: "xyz"},
		catalog.Token{Name: "empty", SHA256: ""},
		catalog.Token{Name: "cut off", SHA256: serve.TokenDigest("cut off")[:62]},
		catalog.Token{Name: "long", SHA256: serve.TokenDigest("long") + "00"},
	)
	s := newSite(t, b)
	for _, tt := range []struct {
		name, header string
		want         int
	}{
		{"no token", "X: y", 401},
		{"the user name", basic(goodToken, ""), 302},
		{"the user name, with any password", basic(goodToken, "x"), 302},
		{"the password", basic("token", goodToken), 302},
		{"the password of nobody", basic("", goodToken), 302},
		{"a bearer", "Authorization: Bearer " + goodToken, 302},
		{"a bearer in another case", "authorization: bearer " + goodToken, 302},
		{"a token that ends later", basic("later", ""), 302},
		{"a token that has ended", basic("ended", ""), 401},
		{"a token that ended, as a bearer", "Authorization: Bearer ended", 401},
		{"another token", basic("other", "other"), 401},
		{"the token's name", basic("ci", "ci"), 401},
		{"the digest", basic(serve.TokenDigest(goodToken), serve.TokenDigest(goodToken)), 401},
		{"no words", basic("", ""), 401},
		{"an empty bearer", "Authorization: Bearer ", 401},
		{"a token whose digest is bad", basic("xyz", "bad"), 401},
		{"a token whose digest is cut off", basic("cut off", ""), 401},
		{"a token whose digest is too long", basic("long", ""), 401},
		{"the token in two", basic(goodToken[:3], goodToken[3:]), 401},
		{"the token and more", basic(goodToken+"x", ""), 401},
		{"no base64", "Authorization: Basic " + goodToken, 401},
		{"another scheme", "Authorization: Digest " + goodToken, 401},
		{"no scheme", "Authorization: " + goodToken, 401},
		{"a token in a cookie", "Cookie: token=" + goodToken, 401},
		{"a very long one", basic(strings.Repeat("x", 20_000), ""), 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD"} {
				resp, _ := raw(t, s.resolver, method, "/"+secretKey, tt.header)
				if resp.StatusCode != tt.want {
					t.Errorf("%s: got %d, want %d", method, resp.StatusCode, tt.want)
				}
				if location := resp.Header.Get("Location"); (location != "") != (tt.want == 302) {
					t.Errorf("%s: got location %q", method, location)
				}
			}
		})
	}
	if log := s.log.String(); log != "" {
		t.Errorf("a wrong token is no event, but the log has\n%s", log)
	}
}

func TestTokenInThePath(t *testing.T) {
	b := newBucket()
	b[".repomill/acme/secret.json"] = privateSettings(catalog.Token{Name: "ci", SHA256: serve.TokenDigest("rmt_x")})
	s := newSite(t, b)
	for target, want := range map[string]int{
		"/priv/rmt_x/" + secretKey:               302,
		"/priv/%72mt_x/" + secretKey:             302,
		"/priv/rmt_x/" + debKey:                  302, // public
		"/priv/rmt_y/" + secretKey:               401,
		"/priv//" + secretKey:                    404,
		"/priv/rmt_x":                            404,
		"/priv/rmt_x/":                           404,
		"/priv/%zz/" + secretKey:                 400,
		"/priv/rmt_x/priv/rmt_x/" + secretKey:    404,
		"/priv/rmt_x/../" + secretKey:            404,
		"/priv/rmt_x/.repomill/acme/secret.json": 404,
		"/priv/rmt_x%2F" + secretKey:             404,
		"/priv/..%2F..%2Fsecret/" + secretKey:    401, // a wrong token, however odd
		"/PRIV/rmt_x/" + secretKey:               404,
	} {
		resp, _ := raw(t, s.resolver, "GET", target)
		if resp.StatusCode != want {
			t.Errorf("%s: got %d, want %d", target, resp.StatusCode, want)
		}
		if strings.Contains(fmt.Sprint(resp.Header), "rmt_x") {
			t.Errorf("%s: the token is in the answer: %v", target, resp.Header)
		}
	}
	raw(t, s.edge, "GET", "/priv/rmt_x/"+secretKey) // a client of the wrong server
	if strings.Contains(s.log.String(), "rmt_x") {
		t.Errorf("the token is in the log:\n%s", s.log.String())
	}
}

func TestAnswersAreObserved(t *testing.T) {
	observed := make(chan serve.Answer, 1)
	s := newSiteWith(t, newBucket(), newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Observe = func(a serve.Answer) { observed <- a }
		cfg.Ready = func() error { return fmt.Errorf("no") }
	})
	const old = "/acme/tools/ubuntu/jammy/dists/jammy/InRelease"
	var got []serve.Answer
	for _, target := range []string{old, "/" + debKey, "/" + secretKey, "/acme/nothing/el/9.repo", "/gpg.key/x", "/acme/tools/", "/acme/secret/", "/acme/tools", "/livez", "/readyz"} {
		raw(t, s.resolver, "GET", target)
		got = append(got, <-observed) // once the client may have its answer already
	}
	want := []serve.Answer{
		{Status: http.StatusFound, Visibility: catalog.Public, Spelling: layout.CodenameBase},
		{Status: http.StatusFound, Visibility: catalog.Public}, {Status: http.StatusUnauthorized, Visibility: catalog.Private},
		{Status: http.StatusNotFound}, {Status: http.StatusNotFound},
		{Status: http.StatusNotFound, Visibility: catalog.Public, Page: true}, {Status: http.StatusUnauthorized, Visibility: catalog.Private},
		{Status: http.StatusMovedPermanently, Visibility: catalog.Public, Page: true}, {Status: http.StatusOK}, {Status: http.StatusServiceUnavailable},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("answers (-want +got):\n%s", diff)
	}
}
