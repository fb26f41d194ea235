package serve_test

import (
	"bufio"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/serve"
	"repomill/testdata/proctest"
)

func TestOneLocationForAllSpellings(t *testing.T) {
	s := newSite(t, newBucket())
	for _, tt := range []struct{ name, target, key string }{
		{"plain", "/" + debKey, debKey},
		{"a plus as %2b", "/" + pool + "hello_2.10%2bdfsg~rc1-3_amd64.deb", debKey},
		{"a plus as %2B", "/" + pool + "hello_2.10%2Bdfsg~rc1-3_amd64.deb", debKey},
		{"a tilde as %7e", "/" + pool + "hello_2.10+dfsg%7erc1-3_amd64.deb", debKey},
		{"a tilde as %7E", "/" + pool + "hello_2.10+dfsg%7Erc1-3_amd64.deb", debKey},
		{"a letter encoded", "/" + pool + "%68ello_2.10+dfsg~rc1-3_amd64.deb", debKey},
		{"GitLab's base with the codename", "/acme/tools/ubuntu/jammy/pool/jammy/main/h/hello/hello_2.10+dfsg~rc1-3_amd64.deb", debKey},
		{"GitLab's base, codename once", "/acme/tools/ubuntu/jammy/pool/main/h/hello/hello_2.10%2bdfsg%7erc1-3_amd64.deb", debKey},
		{"with a query", "/" + debKey + "?Expires=1&x=%0d%0a", debKey},
		{"with an empty query", "/" + debKey + "?", debKey},
		{"an absolute URL", "http://evil.example.org/" + debKey, debKey},
		{"rpm, plain", "/" + rpmKey, rpmKey},
		{"rpm, a caret as %5e", "/acme/tools/el/9/x86_64/hello++-2~rc1%5egit1-1.x86_64.rpm", rpmKey},
		{"rpm, as dnf asks", "/acme/tools/el/9/x86_64/hello%2b%2b-2~rc1%5Egit1-1.x86_64.rpm", rpmKey},
		{"Release of GitLab's base", "/acme/tools/ubuntu/jammy/dists/jammy/InRelease", "acme/tools/ubuntu/dists/jammy/InRelease"},
		{"by-hash of GitLab's base", "/acme/tools/ubuntu/jammy/dists/jammy/main/binary-amd64/by-hash/SHA256/" + strings.Repeat("a", 64),
			"acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + strings.Repeat("a", 64)},
		{"an object that does not exist", "/" + pool + "hello_9_amd64.deb", pool + "hello_9_amd64.deb"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			want := s.locationOf(t, tt.key)
			for _, method := range []string{"GET", "HEAD"} {
				resp, body := raw(t, s.resolver, method, tt.target)
				if got := resp.Header.Get("Location"); resp.StatusCode != http.StatusFound || got != want {
					t.Errorf("%s: got %d, %s\nwant %s", method, resp.StatusCode, got, want)
				}
				if body != "" {
					t.Errorf("%s: got a body: %q", method, body)
				}
			}
		})
	}
}

func TestRedirectHeaders(t *testing.T) {
	s := newSite(t, newBucket())
	resp, _ := raw(t, s.resolver, "GET", "/"+debKey, "Range: bytes=0-1", "If-None-Match: *", "If-Modified-Since: Wed, 01 Jul 2026 12:00:00 GMT")
	resp.Header.Del("Date")
	want := http.Header{
		"Location":        {s.locationOf(t, debKey)},
		"Cache-Control":   {"private, no-store"},
		"Referrer-Policy": {"no-referrer"},
		"Content-Length":  {"0"},
		"Connection":      {"close"},
	}
	if resp.Close {
		resp.Header.Set("Connection", "close") // which ReadResponse has taken out
	}
	if diff := cmp.Diff(want, resp.Header); diff != "" {
		t.Errorf("headers (-want +got):\n%s", diff)
	}
	if !strings.Contains(resp.Header.Get("Location"), "hello_2.10%2Bdfsg~rc1-3_amd64.deb?") {
		t.Errorf("location %s is not canonical", resp.Header.Get("Location"))
	}
}

func TestOnlyConfigurationDecidesTheTarget(t *testing.T) {
	s := newSite(t, newBucket())
	want := s.locationOf(t, debKey)
	for _, header := range []string{
		"Host: evil.example.org", "X-Forwarded-Host: evil.example.org", "X-Forwarded-Proto: ftp", "X-Forwarded-Prefix: /evil",
		"Forwarded: host=evil.example.org", "X-Original-URL: /acme/secret/gpgkey", "X-Rewrite-URL: /evil", "X-HTTP-Method-Override: DELETE",
		"Authorization: Basic YTpi", "Referer: http://evil.example.org/",
	} {
		resp, _ := raw(t, s.resolver, "GET", "/"+debKey, header)
		if got := resp.Header.Get("Location"); got != want {
			t.Errorf("%s: got %s, want %s", header, got, want)
		}
	}
}

func TestNotFound(t *testing.T) {
	s := newSite(t, newBucket())
	for _, tt := range []struct{ name, target string }{
		{"no such repository", "/acme/nothing/el/9.repo"},
		{"a short key ID", "/gpgkey/AB9FBD22"},
		{"something below a key", "/gpgkey/3D645A26AB9FBD22/x"},
		{"the folder of keys", "/gpgkey/"},
		{"a repository without pages", "/acme/tools/"},
		{"an owner without pages", "/acme/"},
		{"an owner alone", "/acme"},
		{"a folder without its slash", "/acme/tools/ubuntu/dists/jammy"},
		{"no file of ours", "/acme/tools/ubuntu/dists/jammy/evil.sh"},
		{"an icon", "/favicon.ico"},
		{"settings", "/.repomill/acme/tools.json"},
		{"settings, encoded", "/%2erepomill/acme/tools.json"},
		{"settings by way of a repository", "/acme/tools/../../.repomill/acme/tools.json"},
		{"history", "/.history/acme/tools/ubuntu/jammy/1-2.json"},
		{"a hidden segment", "/acme/tools/ubuntu/dists/.jammy/InRelease"},
		{"dots", "/acme/tools/el/9/x86_64/../../../gpgkey"},
		{"dots, encoded", "/acme/tools/%2e%2e/tools/gpgkey"},
		{"dots and slash, encoded", "/acme/tools/%2e%2e%2ftools/gpgkey"},
		{"dots, half encoded", "/acme/tools/.%2E/tools/gpgkey"},
		{"dots, encoded twice", "/acme/tools/%252e%252e/gpgkey"},
		{"dots, encoded with too many bytes", "/acme/tools/%c0%ae%c0%ae/gpgkey"},
		{"a dot", "/acme/./tools/gpgkey"},
		{"an encoded slash", "/acme%2Ftools/gpgkey"},
		{"an encoded slash in lower case", "/acme/tools%2fgpgkey"},
		{"a slash encoded twice", "/acme/tools%252Fgpgkey"},
		{"two slashes", "/acme//tools/gpgkey"},
		{"two slashes at the start", "//acme/tools/gpgkey"},
		{"another host's name after two slashes", "//evil.example.org/acme/tools/gpgkey"},
		{"a slash at the end", "/acme/tools/gpgkey/"},
		{"a backslash", `/acme/tools\gpgkey`},
		{"a backslash, encoded", "/acme/tools/el/9/x86_64/..%5c..%5ca.rpm"},
		{"a NUL", "/acme/tools/gpgkey%00"},
		{"a line end", "/acme/tools/el/9/x86_64/a%0d%0aSet-Cookie:%20a=b.rpm"},
		{"a blank", "/acme/tools/el/9/x86_64/a%20b.rpm"},
		{"a semicolon", "/acme/tools/gpgkey;a=b"},
		{"capitals in the owner", "/ACME/tools/gpgkey"},
		{"a reserved owner", "/install/tools/gpgkey"},
		{"encoded twice", "/" + strings.ReplaceAll(debKey, "+", "%252B")},
		{"a long path", "/acme/tools/el/9/x86_64/" + strings.Repeat("a", 5000) + ".rpm"},
		{"script", "/<script>alert(1)</script>"},
		{"healthz, and more", "/healthz/"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := raw(t, s.resolver, "GET", tt.target)
			if resp.StatusCode != http.StatusNotFound || body != "not found\n" || resp.Header.Get("Location") != "" {
				t.Errorf("got %d, location %q, body %q, want a plain 404", resp.StatusCode, resp.Header.Get("Location"), body)
			}
			if got := resp.Header.Get("Cache-Control"); got != "max-age=10" {
				t.Errorf("got Cache-Control %q, want max-age=10", got)
			}
		})
	}
	if log := s.log.String(); log != "" {
		t.Errorf("a 404 is no event, but the log has\n%s", log)
	}
}

// TestBadRequest has what net/http refuses for us.
func TestBadRequest(t *testing.T) {
	s := newSite(t, newBucket())
	for _, target := range []string{"/acme/tools/gpgkey\x00", "/acme/tools/%zz", "/acme/tools/%", "/acme/to\tols/gpgkey", "acme/tools/gpgkey"} {
		if resp, _ := raw(t, s.resolver, "GET", target); resp.StatusCode != http.StatusBadRequest {
			t.Errorf("%q: got %d, want 400", target, resp.StatusCode)
		}
	}
}

func TestMethods(t *testing.T) {
	s := newSite(t, newBucket())
	for _, server := range []*httptest.Server{s.resolver, s.edge} {
		for _, method := range []string{"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "get"} {
			resp, _ := raw(t, server, method, "/"+debKey)
			if resp.StatusCode != http.StatusMethodNotAllowed || resp.Header.Get("Allow") != "GET, HEAD" {
				t.Errorf("%s: got %d, Allow %q, want 405, GET and HEAD", method, resp.StatusCode, resp.Header.Get("Allow"))
			}
		}
	}
}

func TestOwnPages(t *testing.T) {
	s := newSite(t, bucket{})
	for _, tt := range []struct{ target, want string }{
		{"/healthz", "ok\n"},
		{"/", "/<owner>/<name>/gpgkey"},
		{"/", "/<owner>/<name>/<os>/<codename>.sources"},
		{"/", "/<owner>/<name>/<os>/<version>.repo"},
	} {
		resp, body := raw(t, s.resolver, "GET", tt.target)
		if resp.StatusCode != http.StatusOK || !strings.Contains(body, tt.want) {
			t.Errorf("%s: got %d, %q, want 200 with %q", tt.target, resp.StatusCode, body, tt.want)
		}
		if got := resp.Header.Get("Content-Type"); got != "text/plain; charset=utf-8" {
			t.Errorf("%s: got Content-Type %q", tt.target, got)
		}
		resp, body = raw(t, s.resolver, "HEAD", tt.target)
		if resp.StatusCode != http.StatusOK || body != "" {
			t.Errorf("HEAD %s: got %d, %q, want 200 without a body", tt.target, resp.StatusCode, body)
		}
	}
}

type brokenSigner struct{}

func (brokenSigner) Sign(string, time.Time) (string, error) { return "", errors.New("no entropy") }
func (brokenSigner) SignBelow(string, string, time.Time) (string, error) {
	return "", errors.New("no entropy")
}

func TestSignerFault(t *testing.T) {
	var log proctest.Output
	now := func() time.Time { return noon }
	h := serve.NewResolver(serve.ResolverConfig{
		Signer:   brokenSigner{},
		Settings: newSettings(newBucket(), slog.New(slog.DiscardHandler), now),
		Log:      slog.New(slog.NewTextHandler(&log, nil)),
		Now:      now,
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/"+debKey, nil))
	if w.Code != http.StatusInternalServerError || strings.Contains(w.Body.String(), "entropy") {
		t.Errorf("got %d, %q, want 500 without the cause", w.Code, w.Body)
	}
	if !strings.Contains(log.String(), "no entropy") {
		t.Errorf("the log lacks the cause:\n%s", log.String())
	}
}

// FuzzResolver sends a request line and a header as they are: no path leads away from the edge, no input
// opens a private repository, and nothing of a request is in the answer or in the log.
func FuzzResolver(f *testing.F) {
	secret, digest := serve.NewToken() // another one each time: no seed has it
	b := newBucket()
	b[".repomill/acme/secret.json"] = privateSettings(catalog.Token{Name: "ci", SHA256: digest})
	s := newSite(f, b)
	for _, path := range []string{"", debKey, rpmKey, "/evil.example.org", "acme/tools/../x", "acme/tools/gpgkey%0d%0a", "acme/tools/ubuntu/jammy/dists/jammy/Release", secretKey,
		"priv/x/" + secretKey, "acme%2ftools/el/9/x86_64/a^1.rpm", `\evil.example.org/`, "%2e%2e/%252e", "acme/tools/gpgkey?Policy=x&Expires=1#y",
		"acme/tools", "acme/tools/p/a^b", "acme/tools/packages/el/9/a-1-1.noarch.rpm?x", "app/acme/tools/search", "acme/tools/status", "priv/x/acme/secret/"} {
		f.Add("/"+path, "Basic eDp5")
		f.Add("http://evil.example.org/"+path, "Bearer x")
	}
	f.Fuzz(func(t *testing.T, target, authorization string) {
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader("GET " + target + " HTTP/1.1\r\nHost: x\r\nAuthorization: " + authorization + "\r\n\r\n")))
		if err != nil || r.Method != http.MethodGet {
			return
		}
		w := httptest.NewRecorder()
		s.resolver.Config.Handler.ServeHTTP(w, r)
		location, body := w.Header().Get("Location"), w.Body.String()
		switch w.Code {
		case http.StatusOK, http.StatusNotFound, http.StatusUnauthorized:
			if location != "" || !slices.Contains(pages, body) && !strings.HasPrefix(body, "This is a repomill") {
				t.Errorf("%q: %d with location %q, body %q", target, w.Code, location, body)
			}
		case http.StatusMovedPermanently:
			if !strings.HasPrefix(location, "./") || strings.ContainsAny(location, "\r\n \"\\?") || body != "" {
				t.Errorf("%q is moved to %q", target, location)
			}
		case http.StatusFound:
			if strings.HasSuffix(location, "/acme/tools/names/") || strings.HasSuffix(location, "/api/v1/repos/acme/tools/status/") {
				break
			}
			if !strings.HasPrefix(location, s.edge.URL+"/acme/tools/") || strings.ContainsAny(location, "\r\n \"\\") || body != "" {
				t.Errorf("%q leads to %q", target, location)
			}
			if path, _, _ := strings.Cut(r.RequestURI, "?"); strings.Contains(strings.ToLower(path), "%2f") && !strings.Contains(path, "/priv/") {
				t.Errorf("%q leads to %q: an encoded slash is taken for one", target, location)
			}
		default:
			t.Errorf("%q: got %d", target, w.Code)
		}
		if log := s.log.String(); log != "" || strings.Contains(fmt.Sprint(w.Header()), secret) {
			t.Errorf("%q: the log has %q", target, log)
		}
	})
}

// pages are all bodies of short answers.
var pages = []string{"ok\n", "not found\n", `{"error":"Unauthenticated"}` + "\n"}

// Keys are everybody's: no token is asked for, no settings are read, and a key that is not there is 404.
func TestSharedKeys(t *testing.T) {
	const id = "3D645A26AB9FBD22"
	for _, through := range []bool{false, true} {
		s, b := newPrivateSite(t, through)
		b.bucket["gpg.key"], b.bucket["gpgkey/"+id] = "the instance's", "a vendor's"
		for target, want := range map[string]string{
			"/gpg.key": "the instance's", "/gpgkey/gpg.key": "the instance's", "/gpgkey/" + id: "a vendor's",
			"/priv/wrong/gpg.key": "the instance's", "/gpgkey/0123456789ABCDEF": "not found\n",
		} {
			for _, header := range []string{"X: y", basic(goodToken, ""), basic("wrong", "")} {
				resp, body := raw(t, s.resolver, "GET", target, header)
				if !through {
					if resp.StatusCode != http.StatusFound {
						t.Fatalf("%s: got %d, want a redirect", target, resp.StatusCode)
					}
					_, signed, _ := strings.Cut(resp.Header.Get("Location"), "://")
					resp, body = raw(t, s.edge, "GET", signed[strings.Index(signed, "/"):])
				}
				status := http.StatusOK
				if want == "not found\n" {
					status = http.StatusNotFound
				}
				if resp.StatusCode != status || body != want {
					t.Errorf("%s: got %d, %q, want %q", target, resp.StatusCode, body, want)
				}
			}
		}
	}
}
