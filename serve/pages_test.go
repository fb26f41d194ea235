package serve_test

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"

	"repomill/schemas/layout"
	"repomill/serve"
	"repomill/testdata/proctest"
)

const pagePolicy = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"

// pageBucket has pages of a public and of a private repository.
func pageBucket() bucket {
	b := newBucket()
	for _, r := range []string{"acme/tools", "acme/secret"} {
		for key, text := range map[string]string{
			"index.html": "<title>front", "index.json": "{}", "feed.atom": "<feed/>", "status.json": "[]", "names/index.html": "<title>names", "names/0/hello.html": "<title>part",
			"p/hello/index.html": "<title>hello", "p/hello.json": "[1]", "p/hello/9.0-1/index.html": "<title>9.0-1", "p/hello/_1/index.html": "<title>old", "p/hello/_1.json": "[2]",
		} {
			b[r+"/"+key] = text + " of " + r
		}
	}
	b["index.html"], b["acme/index.html"], b["assets/style-0123456789abcdef.css"] = "<title>root", "<title>acme", "body{}"
	b["assets/secrets"], b["acme/tools/p/hello/9.0-1/settings.json"], b["acme/tools/p/.hidden/index.html"] = "no page", "no page", "no page"
	return b
}

func TestPagesAreAnsweredWithBytes(t *testing.T) {
	const html, short = "text/html; charset=utf-8", "public, max-age=30"
	for _, through := range []bool{false, true} {
		objects := pageBucket()
		s := newSiteWith(t, objects, newKey(t), func(cfg *serve.ResolverConfig) {
			if through {
				cfg.Through = objects
			}
		})
		for _, tt := range []struct{ target, body, kind, caching string }{
			{"/", "<title>root", html, short},
			{"/index.html", "<title>root", html, short},
			{"/acme/", "<title>acme", html, short},
			{"/acme/tools/", "<title>front of acme/tools", html, short},
			{"/acme/tools/?q=<script>", "<title>front of acme/tools", html, short},
			{"/acme/tools/index.html", "<title>front of acme/tools", html, short},
			{"/acme/tools/index.json", "{} of acme/tools", "application/json", short},
			{"/acme/tools/feed.atom", "<feed/> of acme/tools", "application/atom+xml; charset=utf-8", short},
			{"/acme/tools/status.json", "[] of acme/tools", "application/json", short},
			{"/acme/tools/names/", "<title>names of acme/tools", html, short},
			{"/acme/tools/names/0/hello.html", "<title>part of acme/tools", html, short},
			{"/acme/tools/p/hello/", "<title>hello of acme/tools", html, short},
			{"/acme/tools/p/%68ello/", "<title>hello of acme/tools", html, short},
			{"/acme/tools/p/hello.json", "[1] of acme/tools", "application/json", short},
			{"/acme/tools/p/hello/9.0-1/", "<title>9.0-1 of acme/tools", html, short},
			{"/acme/tools/p/hello/2:9.0-1/", "<title>9.0-1 of acme/tools", html, short},
			{"/acme/tools/p/hello/2%3A9.0-1/", "<title>9.0-1 of acme/tools", html, short},
			{"/acme/tools/p/hello/_1/", "<title>old of acme/tools", html, short},
			{"/acme/tools/p/hello/_1.json", "[2] of acme/tools", "application/json", short},
			{"/assets/style-0123456789abcdef.css", "body{}", "text/css; charset=utf-8", "public, max-age=31536000, immutable"},
			{"/priv/wrong/acme/tools/", "<title>front of acme/tools", html, short}, // it is public
			{"/priv/wrong/", "<title>root", html, short},
		} {
			resp, body := raw(t, s.resolver, "GET", tt.target)
			h := resp.Header
			if resp.StatusCode != 200 || body != tt.body || h.Get("Content-Type") != tt.kind || h.Get("Cache-Control") != tt.caching || h.Get("ETag") != `"v1"` || h.Get("Vary") != "" {
				t.Errorf("%s: got %d, %q, %v", tt.target, resp.StatusCode, body, h)
			}
			if h.Get("Content-Security-Policy") != pagePolicy || h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" ||
				h.Get("Cross-Origin-Opener-Policy") != "same-origin" || h.Get("Set-Cookie") != "" {
				t.Errorf("%s: got headers %v", tt.target, h)
			}
			if resp, body := raw(t, s.resolver, "HEAD", tt.target); resp.StatusCode != 200 || body != "" || resp.ContentLength != int64(len(tt.body)) || resp.Header.Get("Content-Security-Policy") != pagePolicy {
				t.Errorf("HEAD %s: got %d, %q, %v", tt.target, resp.StatusCode, body, resp.Header)
			}
		}
		for _, target := range []string{
			"/assets/secrets", "/acme/tools/p/hello/9.0-1/settings.json", "/acme/tools/p/.hidden/", "/acme/tools/p/%2ehidden/", "/acme/tools/p/nothing.json", "/acme/tools/p/nothing/feed.atom", "/nothing/", "/acme/nothing/",
			"/acme/tools/p/hello/../../../", "/acme/tools/%2e%2e/secret/", "/acme%2ftools/", "//acme/tools/", "/acme/tools//", "/.repomill/", "/.repomill/acme/", "/priv/", "/priv/x", "/api/",
			"/install/", "/favicon.ico", "/robots.txt",
		} {
			if resp, body := raw(t, s.resolver, "GET", target); resp.StatusCode != 404 || body != "not found\n" {
				t.Errorf("%s: got %d, %q, want 404", target, resp.StatusCode, body)
			}
		}
	}
}

// An old link may lead to a package that is no longer there. Its answer leads on, also below a token.
func TestAPageOfAPackageThatIsAbsent(t *testing.T) {
	s := newSite(t, pageBucket())
	token := "/priv/" + url.PathEscape(goodToken)
	for target, want := range map[string]string{
		"/acme/tools/p/nothing/":                   "/acme/tools/names/",
		"/acme/tools/p/hello/0.1-1/":               "/acme/tools/names/",
		"/acme/tools/p/hello/0.1-1/index.html":     "/acme/tools/names/",
		token + "/acme/secret/p/nothing/":          token + "/acme/secret/names/",
		token + "/acme/secret/p/hello/1%5Egit1-1/": token + "/acme/secret/names/",
	} {
		resp, body := raw(t, s.resolver, "GET", target)
		_, after, _ := strings.Cut(body, `<a href="`)
		href, _, found := strings.Cut(after, `"`)
		base, err := url.Parse(target)
		if err != nil {
			t.Fatal(err)
		}
		to, err := base.Parse(href)
		if err != nil || !found || to.EscapedPath() != want || strings.Contains(body, "nothing") || strings.Count(body, "<main>") != 1 {
			t.Errorf("%s leads to %v, %v, want %s:\n%s", target, to, err, want, body)
		}
		h := resp.Header
		if resp.StatusCode != 404 || h.Get("Content-Type") != "text/html; charset=utf-8" || h.Get("Content-Security-Policy") != pagePolicy || !strings.HasSuffix(h.Get("Cache-Control"), "max-age=10") {
			t.Errorf("%s: got %d, %v", target, resp.StatusCode, h)
		}
		if head, body := raw(t, s.resolver, "HEAD", target); head.StatusCode != 404 || body != "" {
			t.Errorf("HEAD %s: got %d, %q", target, head.StatusCode, body)
		}
	}
}

func TestPagesWithConditions(t *testing.T) {
	b := &forwardBucket{bucket: pageBucket()}
	s := newSiteWith(t, b.bucket, newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Settings = newSettings(b, cfg.Log, cfg.Now)
	})
	raw(t, s.resolver, "GET", "/acme/tools/") // which reads the settings
	b.gets.Store(0)
	for _, tt := range []struct {
		fact, method, header string
		status               int
		body                 string
		gets                 int32
	}{
		{"the same entity tag", "GET", `If-None-Match: "v1"`, 304, "", 0},
		{"the same entity tag behind a proxy that compresses", "GET", `If-None-Match: W/"v1"`, 304, "", 0},
		{"another entity tag", "GET", `If-None-Match: "v0"`, 200, "<title>front of acme/tools", 1},
		{"not modified since", "GET", "If-Modified-Since: Wed, 01 Jul 2026 12:00:00 GMT", 304, "", 0},
		{"modified since", "GET", "If-Modified-Since: Tue, 30 Jun 2026 12:00:00 GMT", 200, "<title>front of acme/tools", 1},
		{"a range", "GET", "Range: bytes=7-11", 206, "front", 1},
		{"a range beyond the end", "GET", "Range: bytes=100-", 416, "invalid range: failed to overlap\n", 1},
		{"several ranges", "GET", "Range: bytes=0-1,4-5", 200, "<title>front of acme/tools", 1},
		{"the same entity tag of a head", "HEAD", `If-None-Match: "v1"`, 304, "", 0},
		{"a head", "HEAD", "X: y", 200, "", 0},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			b.gets.Store(0)
			resp, body := raw(t, s.resolver, tt.method, "/acme/tools/", tt.header)
			if resp.StatusCode != tt.status || body != tt.body || b.gets.Load() != tt.gets {
				t.Errorf("got %d, %q and %d reads, want %d, %q and %d", resp.StatusCode, body, b.gets.Load(), tt.status, tt.body, tt.gets)
			}
			if resp.Header.Get("Content-Security-Policy") != pagePolicy {
				t.Errorf("got headers %v", resp.Header)
			}
		})
	}
	b.broken.Store(true)
	if resp, body := raw(t, s.resolver, "GET", "/acme/tools/p/hello/"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") == "" || strings.Contains(body, "10.0.0.1") {
		t.Errorf("a bucket that cannot be read: %d, %v, %q", resp.StatusCode, resp.Header, body)
	}
	if resp, body := raw(t, s.resolver, "GET", "/"); resp.StatusCode != 200 || !strings.HasPrefix(body, "This is a repomill") || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("the root of a bucket that cannot be read: %d, %v, %q", resp.StatusCode, resp.Header, body)
	}
}

func TestPagesOfPrivateRepositories(t *testing.T) {
	s := newSite(t, pageBucket())
	token := url.PathEscape(goodToken)
	for _, tt := range []struct {
		fact, target, header string
		status               int
	}{
		{"no token", "/acme/secret/", "X: y", 401},
		{"no token for a path that is moved", "/acme/secret", "X: y", 401},
		{"no token for packagecloud's page", "/acme/secret/packages/el/9/hello-9.0-1.noarch.rpm", "X: y", 401},
		{"no token for a search", "/app/acme/secret/search?q=x", "X: y", 401},
		{"no token for a feed", "/acme/secret/feed.atom", "X: y", 401},
		{"no token for a page that is absent", "/acme/secret/p/nothing/", "X: y", 401},
		{"no token, and a condition", "/acme/secret/", `If-None-Match: "v1"`, 401},
		{"a wrong token in the path", "/priv/wrong/acme/secret/", "X: y", 401},
		{"a wrong token as user name", "/acme/secret/", basic("wrong", ""), 401},
		{"a token as user name", "/acme/secret/", basic(goodToken, ""), 200},
		{"a token as password", "/acme/secret/", basic("x", goodToken), 200},
		{"a token as bearer", "/acme/secret/", "Authorization: Bearer " + goodToken, 200},
		{"a token in the path", "/priv/" + token + "/acme/secret/", "X: y", 200},
		{"a token for what is moved", "/acme/secret", basic(goodToken, ""), 301},
		{"a token in the path of what is moved", "/priv/" + token + "/acme/secret", "X: y", 301},
		{"a token for a page that is absent", "/acme/secret/p/nothing/", basic(goodToken, ""), 404},
		{"a token for a page that is the same", "/acme/secret/", basic(goodToken, "") + "\r\n" + `If-None-Match: "v1"`, 304},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			resp, body := raw(t, s.resolver, "GET", tt.target, tt.header)
			h := resp.Header
			if resp.StatusCode != tt.status || !strings.HasPrefix(h.Get("Cache-Control"), "private") || strings.Contains(h.Get("Location"), token) {
				t.Errorf("got %d, %v, want %d", resp.StatusCode, h, tt.status)
			}
			switch {
			case tt.status == 401 && (h.Get("WWW-Authenticate") != `Basic realm="repomill"` || body != `{"error":"Unauthenticated"}`+"\n" || h.Get("Location") != ""):
				t.Errorf("got %v, %q", h, body)
			case tt.status == 200 && (body != "<title>front of acme/secret" || h.Get("Vary") != "Authorization" || h.Get("Content-Security-Policy") != pagePolicy):
				t.Errorf("got %v, %q", h, body)
			}
		})
	}
}

// A client follows where a page has moved to: on the host, and below the token, that it asked.
func TestMovedPages(t *testing.T) {
	s := newSite(t, pageBucket())
	token := url.PathEscape(goodToken)
	for target, want := range map[string]string{
		"/acme":                                      "301 /acme/",
		"/acme/tools":                                "301 /acme/tools/",
		"/acme/tools?q=1":                            "301 /acme/tools/",
		"/acme/tools/p":                              "301 /acme/tools/names/",
		"/acme/tools/p/":                             "301 /acme/tools/names/",
		"/acme/tools/p/hello":                        "301 /acme/tools/p/hello/",
		"/acme/tools/p/hello/2:9.0-1":                "301 /acme/tools/p/hello/9.0-1/",
		"/acme/tools/p/hello/1%5Egit1-1":             "301 /acme/tools/p/hello/1%5Egit1-1/",
		"/acme/tools/p/hello/_1":                     "301 /acme/tools/p/hello/_1/",
		"/acme/tools/packages":                       "301 /acme/tools/",
		"/acme/tools/packages/el/9":                  "301 /acme/tools/",
		"/acme/tools/packages/rocky/9.4/":            "301 /acme/tools/",
		"/acme/tools/status/":                        "302 /api/v1/repos/acme/tools/status/",
		"/app/acme/tools/search?q=hello":             "302 /acme/tools/names/",
		"/acme/tools/debian/":                        "302 /acme/tools/",
		"/acme/tools/el/9/x86_64":                    "302 /acme/tools/",
		"/priv/x/acme/tools/ubuntu/dists/jammy/":     "302 /priv/x/acme/tools/",
		"/priv/x/acme/tools":                         "301 /priv/x/acme/tools/",
		"/priv/x/acme/tools/status/":                 "302 /api/v1/repos/acme/tools/status/",
		"/priv/" + token + "/acme/secret":            "301 /priv/" + token + "/acme/secret/",
		"/priv/" + token + "/acme/secret/p/hello":    "301 /priv/" + token + "/acme/secret/p/hello/",
		"/priv/" + token + "/app/acme/secret/search": "302 /priv/" + token + "/acme/secret/names/",
		"/acme/tools/packages/ubuntu/jammy/hello_2.10+dfsg~rc1-3_amd64.deb":   "301 /acme/tools/p/hello/2.10+dfsg~rc1-3/",
		"/acme/tools/packages/el/9/hello-world-1~rc1%5egit1-1.x86_64.rpm?x=y": "301 /acme/tools/p/hello-world/1~rc1%5Egit1-1/",
	} {
		for _, method := range []string{"GET", "HEAD"} {
			resp, body := raw(t, s.resolver, method, target, "Host: evil.example.org", "X-Forwarded-Host: evil.example.org", "X-Forwarded-Prefix: /evil")
			base, err := url.Parse("https://packages.example.org" + target)
			if err != nil {
				t.Fatal(err)
			}
			to, err := base.Parse(resp.Header.Get("Location"))
			if err != nil {
				t.Fatal(err)
			}
			if got := resp.Status[:4] + strings.TrimPrefix(to.String(), "https://packages.example.org"); got != want || body != "" || !strings.HasPrefix(resp.Header.Get("Location"), "./") {
				t.Errorf("%s %s: got %s by %q, want %s", method, target, got, resp.Header.Get("Location"), want)
			}
			if resp.Header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%s %s: got %v", method, target, resp.Header)
			}
		}
	}
}

// The edge answers by URLs that lead to another host, without the headers that a page needs.
func TestPagesAreNotAtTheEdge(t *testing.T) {
	s := newSite(t, pageBucket())
	for _, key := range []string{"acme/tools/index.html", "index.html", "acme/tools/p/hello/9.0-1/index.html", "assets/style-0123456789abcdef.css"} {
		if resp, body := raw(t, s.edge, "GET", s.edgePath(t, key)); resp.StatusCode != 404 || body != "not found\n" {
			t.Errorf("%s: got %d, %q", key, resp.StatusCode, body)
		}
	}
}

// A slowBucket holds reads of pages until they may go on.
type slowBucket struct {
	bucket
	asked, held sync.WaitGroup
}

func (b *slowBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if layout.IsPage(key) {
		b.asked.Done()
		b.held.Wait()
	}
	return b.bucket.Get(ctx, key)
}

func TestManyPagesLeaveRoomForRedirects(t *testing.T) {
	const most = 256
	b := &slowBucket{bucket: pageBucket()}
	var mu sync.Mutex
	seen := map[serve.Answer]int{}
	s := newSiteWith(t, b.bucket, newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Settings = newSettings(b, cfg.Log, cfg.Now)
		cfg.Observe = func(a serve.Answer) { mu.Lock(); seen[a]++; mu.Unlock() }
	})
	b.held.Add(1)
	b.asked.Add(most)
	var answers sync.WaitGroup
	for range most {
		answers.Go(func() {
			resp, err := http.Get(s.resolver.URL + "/acme/tools/")
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			if resp.StatusCode != 200 {
				t.Errorf("one of %d pages is answered with %d", most, resp.StatusCode)
			}
		})
	}
	b.asked.Wait()
	if resp, _ := raw(t, s.resolver, "GET", "/acme/tools/p/hello/"); resp.StatusCode != 503 || resp.Header.Get("Retry-After") != "1" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("a page too many: got %d, %v", resp.StatusCode, resp.Header)
	}
	if resp, _ := raw(t, s.resolver, "GET", "/"+debKey); resp.StatusCode != 302 {
		t.Errorf("a package: got %d", resp.StatusCode)
	}
	if resp, _ := raw(t, s.resolver, "GET", "/acme/tools"); resp.StatusCode != 301 {
		t.Errorf("a page that is moved: got %d", resp.StatusCode)
	}
	mu.Lock()
	if refused := (serve.Answer{Status: 503, Page: true}); seen[refused] != 1 { // which counts as the failure of no repository
		t.Errorf("answers: %v, want one of %+v", seen, refused)
	}
	mu.Unlock()
	b.held.Done()
	answers.Wait()
	proctest.Eventually(t, "pages are answered again", func() bool {
		resp, _ := raw(t, s.resolver, "HEAD", "/acme/tools/")
		return resp.StatusCode == 200
	})
}
