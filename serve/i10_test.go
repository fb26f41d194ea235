package serve_test

import (
	"encoding/base64"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/serve/cloudfront"
)

// newPrivateSite is a site whose acme/secret has a good token and one that has ended; acme/other has one of
// its own. What is read through the resolver is counted.
func newPrivateSite(t *testing.T, through bool) (*site, *forwardBucket) {
	t.Helper()
	ended := noon
	b := &forwardBucket{bucket: newBucket()}
	b.bucket[".repomill/acme/secret.json"] = privateSettings(
		catalog.Token{Name: "ci", SHA256: serve.TokenDigest(goodToken)}, catalog.Token{Name: "ended", SHA256: serve.TokenDigest("ended"), Expires: &ended})
	b.bucket[".repomill/acme/other.json"] = `{"repository":{"owner":"acme","name":"other"},"visibility":"private","tokens":[{"name":"x","sha256":"` + serve.TokenDigest("other's") + `"}]}`
	return newSiteWith(t, b.bucket, newKey(t), func(cfg *serve.ResolverConfig) {
		if through {
			cfg.Through = b
		}
	}), b
}

// noTokens are headers without a good token in them.
var noTokens = []struct{ name, header string }{
	{"nothing", "X: y"},
	{"an empty header", "Authorization:"},
	{"a wrong token", basic("wrong", "wrong")},
	{"a token that has ended", basic("ended", "ended")},
	{"another repository's token", basic("other's", "other's")},
	{"the digest", basic("", serve.TokenDigest(goodToken))},
	{"the token cut off", basic(goodToken[:5], "")},
	{"the token in capitals", basic(strings.ToUpper(goodToken), "")},
	{"a NUL before the token", plainBasic("\x00" + goodToken + ":")},
	{"a NUL after it", plainBasic(goodToken + "\x00:")},
	{"a line end after it", plainBasic(goodToken + "\r\n:")},
	{"blanks around it", plainBasic(" " + goodToken + " : ")},
	{"colons around it", plainBasic(":" + goodToken + ":")},
	{"colons alone", plainBasic(strings.Repeat(":", 5000))},
	{"no colon", plainBasic(goodToken)},
	{"bytes that are no text", plainBasic("\xff\xfe:\xc0\x80")},
	{"a long token", basic(strings.Repeat("x", 20_000), "")},
	{"no base64", "Authorization: Basic " + goodToken},
	{"base64 without padding", strings.TrimRight(plainBasic(goodToken+":"), "=")},
	{"base64 as URLs have it", "Authorization: Basic _-_-"},
	{"base64 twice", plainBasic(plainBasic(goodToken + ":"))},
	{"a scheme alone", "Authorization: Basic"},
	{"two schemes", "Authorization: Basic Bearer " + goodToken},
	{"another scheme", `Authorization: Digest username="` + goodToken + `"`},
	{"a scheme without a blank", "Authorization: Bearer" + goodToken},
	{"a scheme with a tab", "Authorization: Bearer\t" + goodToken},
	{"an empty bearer", "Authorization: Bearer "},
	{"a bearer in base64", strings.Replace(plainBasic(goodToken+":"), "Basic", "Bearer", 1)},
	{"a second header", "Authorization: Bearer x\r\nAuthorization: Bearer " + goodToken},
	{"a header of another name", "X-Token: " + goodToken},
	{"a proxy's header", "Proxy-Authorization: Bearer " + goodToken},
	{"a cookie", "Cookie: token=" + goodToken},
	{"somebody's word for it", "X-Forwarded-User: ci"},
	{"a condition", `If-None-Match: "v1"`},
	{"a range", "Range: bytes=0-1"},
}

func plainBasic(s string) string {
	return "Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(s))
}

// Without a token, present and absent objects have one answer, to the byte, and nothing is read.
// What cannot be an object at all, and every repository that was not declared, has another; but for its keys.
func TestI10NoHintWithoutAToken(t *testing.T) {
	there := []string{
		secretKey, "acme/secret/index.html", "acme/secret/p/there/index.html", "acme/secret/feed.atom", "acme/secret/ubuntu/dists/jammy/InRelease", "acme/secret/el/9.repo", "acme/secret/el/9/x86_64/repodata/repomd.xml", "acme/secret/el/9/x86_64/a-1-1.x86_64.rpm",
		"acme/secret/ubuntu/pool/jammy/main/h/hello/hello_1_amd64.deb", "priv/wrong/" + secretKey, "priv/ended/" + secretKey, secretKey + "?token=" + url.QueryEscape(goodToken),
	}
	absent := []string{
		"acme/secret/ubuntu/dists/noble/InRelease", "acme/secret/el/10.repo", "acme/secret/el/10/x86_64/repodata/repomd.xml", "acme/secret/el/9/x86_64/b-1-1.x86_64.rpm",
		"acme/secret/ubuntu/pool/jammy/main/h/hello/hello_2_amd64.deb", "acme/secret/os/dists/x/InRelease",
		"acme/secret/gpgkey/acme-secret-3D645A26AB9FBD22.pub.gpg",
		"acme/secret", "acme/secret/", "acme/secret/p/hello", "acme/secret/p/hello/1-1/", "acme/secret/p/hello.json", "acme/secret/status.json",
		"acme/secret/packages/el/9/a-1-1.x86_64.rpm", "app/acme/secret/search?q=hello", "priv/wrong/acme/secret/names/", "priv/ended/app/acme/secret/search",
		"acme/nothing/gpgkey", "priv/wrong/acme/nothing/gpgkey", "nobody/nothing/gpgkey/nobody-nothing-3D645A26AB9FBD22.pub.gpg",
	}
	nowhere := []string{"acme/nothing/el/9.repo", "nobody/nothing/el/9.repo", "priv/wrong/acme/nothing/el/9.repo", "acme/secret/nothing", "acme/nothing", "acme/nothing/", "acme/nothing/p/hello/", "app/acme/nothing/search",
		"acme/nothing/packages", ".repomill/acme/secret.json", "acme/secret/.repomill", "acme"}
	for _, through := range []bool{false, true} {
		s, b := newPrivateSite(t, through)
		for _, key := range there {
			b.bucket[key] = "something"
		}
		answer := func(method, target, header string) string {
			resp, body := raw(t, s.resolver, method, "/"+target, header)
			resp.Header.Del("Date")
			return fmt.Sprint(resp.Status, resp.Header, body)
		}
		for _, method := range []string{"GET", "HEAD"} {
			locked, unknown := answer(method, there[0], "X: y"), answer(method, nowhere[0], "X: y")
			if !strings.HasPrefix(locked, "401 ") || !strings.HasPrefix(unknown, "404 ") || strings.Contains(locked+unknown, "Location") {
				t.Fatalf("got %s and %s", locked, unknown)
			}
			hidden, other := answer(method, "acme/secret/status/", "X: y"), answer(method, "acme/nothing/status/", "X: y")
			if !strings.HasPrefix(hidden, "302 ") || strings.ReplaceAll(other, "acme/nothing", "acme/secret") != hidden {
				t.Fatalf("the API decides who sees the status: got %s and %s", hidden, other)
			}
			for _, tt := range noTokens {
				for _, target := range slices.Concat(there, absent) {
					if got := answer(method, target, tt.header); got != locked {
						t.Fatalf("%s, %s %s: got %s\nwant %s", tt.name, method, target, got, locked)
					}
				}
				for _, target := range nowhere {
					if got := answer(method, target, tt.header); got != unknown {
						t.Fatalf("%s, %s %s: got %s\nwant %s", tt.name, method, target, got, unknown)
					}
				}
			}
		}
		if b.gets.Load()+b.stats.Load() != 0 || s.log.String() != "" || s.signer.Signatures() != 0 {
			t.Errorf("%d reads, %d signatures, and the log has %s", b.gets.Load()+b.stats.Load(), s.signer.Signatures(), s.log)
		}
		if got := answer("GET", secretKey, basic(goodToken, "")); strings.HasPrefix(got, "401") { // the token was not the reason
			t.Errorf("with the token: %s", got)
		}
	}
}

// A refusal costs the same for present and absent objects and for each wrong token, by what can be counted:
// reads of the bucket, signatures, and allocations, of which each hash has its own. (Time is not counted: tokens are
// found by their digest, in a map.)
func TestI10RefusalsCostTheSame(t *testing.T) {
	secret, _ := serve.NewToken()
	near, far := secret[:len(secret)-1]+"!", "!"+secret[1:]
	b := &forwardBucket{bucket: newBucket()}
	ended := noon
	for name, n := range map[string]int{"one": 1, "many": 5000} {
		tokens := []catalog.Token{{Name: "ci", SHA256: serve.TokenDigest(secret)}, {Name: "ended", SHA256: serve.TokenDigest("e" + secret[1:]), Expires: &ended}}
		for range n {
			_, digest := serve.NewToken()
			tokens = append(tokens, catalog.Token{SHA256: digest})
		}
		b.bucket[".repomill/acme/"+name+".json"] = strings.Replace(privateSettings(tokens...), `"secret"`, `"`+name+`"`, 1)
	}
	b.bucket["acme/many/el/9/x86_64/a-1.rpm"] = "there"
	signer, err := cloudfront.NewSigner(&url.URL{Scheme: "https", Host: "d111.cloudfront.net"}, keyID, newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return noon }
	h := serve.NewResolver(serve.ResolverConfig{Signer: signer, Settings: newSettings(b.bucket, slog.New(slog.DiscardHandler), now), Through: b, Log: slog.New(slog.DiscardHandler), Now: now})
	costs := map[float64][]string{}
	for _, target := range []string{"/acme/many/el/9/x86_64/a-1.rpm", "/acme/many/el/9/x86_64/b-1.rpm", "/acme/one/el/99/x86_64/b-1.rpm"} {
		for _, token := range []string{near, far, "e" + secret[1:], strings.Repeat("x", len(secret))} {
			r := httptest.NewRequest("GET", target, nil)
			r.SetBasicAuth(token, token)
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != 401 {
				t.Fatalf("%s: got %d", target, w.Code)
			}
			cost := testing.AllocsPerRun(50, func() { h.ServeHTTP(httptest.NewRecorder(), r) })
			costs[cost] = append(costs[cost], target+" with "+token)
		}
	}
	if len(costs) != 1 || b.gets.Load()+b.stats.Load() != 0 || signer.Signatures() != 0 {
		t.Errorf("%d reads and %d signatures were made; by allocations: %v", b.gets.Load()+b.stats.Load(), signer.Signatures(), costs)
	}
}

// A private URL opens one object; a public one opens its repository and nothing beside it.
func TestI10WhatASignatureOpens(t *testing.T) {
	b := newBucket()
	b["acme/tools-more/gpgkey"] = "a neighbour's"
	b["acme/secret/el/9.repo"] = "also secret"
	s := newSite(t, b)
	query := func(target string, headers ...string) string {
		resp, _ := raw(t, s.resolver, "GET", target, headers...)
		location, ok := strings.CutPrefix(resp.Header.Get("Location"), s.edge.URL)
		if !ok {
			t.Fatalf("%s: got %d", target, resp.StatusCode)
		}
		_, query, _ := strings.Cut(location, "?")
		return "?" + query
	}
	public, private := query("/"+debKey), query("/"+secretKey, basic(goodToken, ""))
	for _, tt := range []struct {
		name, target string
		want         int
	}{
		{"the package", "/" + strings.ReplaceAll(debKey, "+", "%2B") + public, 200},
		{"the package, as old apt spells it", "/" + strings.NewReplacer("+", "%2b", "~", "%7e").Replace(debKey) + public, 200},
		{"another file of the public repository", "/acme/tools/gpgkey" + public, 200},
		{"a neighbour that begins alike", "/acme/tools-more/gpgkey" + public, 403},
		{"a private repository", "/" + secretKey + public, 403},
		{"dots", "/acme/tools/../secret/gpgkey" + public, 403},
		{"encoded dots", "/acme/tools/%2e%2e/secret/gpgkey" + public, 403},
		{"the private object", "/" + secretKey + private, 200},
		{"another private object", "/acme/secret/el/9.repo" + private, 403},
	} {
		if resp, _ := raw(t, s.edge, "GET", tt.target); resp.StatusCode != tt.want {
			t.Errorf("%s: got %d, want %d", tt.name, resp.StatusCode, tt.want)
		}
	}
	if strings.Contains(private, "Policy=") || !strings.Contains(public, "Policy=") {
		t.Errorf("private: %s\npublic: %s", private, public)
	}
}

// A signed URL is valid for its lifetime only: about an hour for public objects, and a quarter of one for
// private ones, at any offset into its interval.
func TestI10SignedURLsEnd(t *testing.T) {
	key := newKey(t)
	edge := &url.URL{Scheme: "https", Host: "d111.cloudfront.net"}
	signer, err := cloudfront.NewSigner(edge, keyID, key)
	if err != nil {
		t.Fatal(err)
	}
	verifier := cloudfront.NewVerifier(edge, verifying(key))
	for after := time.Duration(0); after < 10*time.Minute; after += 7 * time.Second {
		now := noon.Add(after)
		name := fmt.Sprintf("acme/secret/el/9/x86_64/a-%d-1.x86_64.rpm", after/time.Second%11)
		private, err := signer.Sign(name, now)
		if err != nil {
			t.Fatal(err)
		}
		public, err := signer.SignBelow("acme/secret", name, now)
		if err != nil {
			t.Fatal(err)
		}
		for _, tt := range []struct {
			location    string
			least, most time.Duration
		}{{private, 10 * time.Minute, 16 * time.Minute}, {public, time.Hour, 66 * time.Minute}} {
			uri := strings.TrimPrefix(tt.location, edge.String())
			if _, err := verifier.Verify(uri, now.Add(tt.least)); err != nil {
				t.Errorf("after %v: %v", tt.least, err)
			}
			if _, err := verifier.Verify(uri, now.Add(tt.most)); err == nil {
				t.Errorf("it is good after %v: %s", tt.most, uri)
			}
		}
	}
}
