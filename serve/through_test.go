package serve_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/layout"
	"repomill/serve"
)

const (
	inRelease = "acme/tools/ubuntu/dists/jammy/InRelease"
	repomd    = "acme/tools/el/9/x86_64/repodata/repomd.xml"
)

var byHash = "acme/tools/ubuntu/dists/jammy/main/binary-amd64/by-hash/SHA256/" + strings.Repeat("a", 64)

// A forwardBucket gives bodies that can only be read, as S3 does.
type forwardBucket struct {
	bucket
	gets, stats atomic.Int32
	broken      atomic.Bool
	cut         atomic.Bool // bodies end early
}

func (b *forwardBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	b.gets.Add(1)
	if b.broken.Load() {
		return nil, layout.Meta{}, errors.New("connection to 10.0.0.1 refused")
	}
	body, meta, err := b.bucket.Get(ctx, key)
	if err != nil {
		return nil, meta, err
	}
	n := meta.Size
	if b.cut.Load() {
		n /= 2
	}
	return io.NopCloser(io.LimitReader(body, n)), meta, nil
}

func (b *forwardBucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	b.stats.Add(1)
	if b.broken.Load() {
		return layout.Meta{}, errors.New("connection to 10.0.0.1 refused")
	}
	return b.bucket.Stat(ctx, key)
}

func newThroughSite(t *testing.T) (*site, *forwardBucket) {
	t.Helper()
	b := &forwardBucket{bucket: newBucket()}
	b.bucket[repomd] = "<repomd/>"
	b.bucket[byHash] = debText
	s := newSiteWith(t, b.bucket, newKey(t), func(cfg *serve.ResolverConfig) { cfg.Through = b })
	return s, b
}

func TestServeThrough(t *testing.T) {
	s, _ := newThroughSite(t)
	modified := noon.Add(-time.Hour).Format(http.TimeFormat)
	for _, tt := range []struct {
		name, method, target, header string
		status                       int
		body, cacheControl           string
	}{
		{"a pointer", "GET", inRelease, "X: y", 200, "signed", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"GitLab's base", "GET", "acme/tools/ubuntu/jammy/dists/jammy/InRelease", "X: y", 200, "signed", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"a pointer of two files", "GET", repomd, "X: y", 200, "<repomd/>", "no-cache"},
		{"a key", "GET", "acme/tools/gpgkey", "X: y", 200, "key", "public, max-age=300"},
		{"an index", "GET", byHash, "X: y", 200, debText, "public, max-age=31536000, immutable"},
		{"the head of one", "HEAD", byHash, "X: y", 200, "", "public, max-age=31536000, immutable"},
		{"the rest of one", "GET", byHash, "Range: bytes=4-", 206, debText[4:], "public, max-age=31536000, immutable"},
		{"the end of one", "GET", byHash, "Range: bytes=-3", 206, debText[7:], "public, max-age=31536000, immutable"},
		{"several ranges are answered whole", "GET", byHash, "Range: bytes=4-5,0-1", 200, debText, "public, max-age=31536000, immutable"},
		{"a range beyond the end", "GET", byHash, "Range: bytes=10-", 416, "invalid range: failed to overlap\n", ""},
		{"not changed", "GET", inRelease, "If-Modified-Since: " + modified, 304, "", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"changed", "GET", inRelease, "If-Modified-Since: " + noon.Add(-2*time.Hour).Format(http.TimeFormat), 200, "signed", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"the same version", "GET", inRelease, `If-None-Match: "v0", W/"v1"`, 304, "", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"another version", "GET", inRelease, `If-None-Match: "v0"`, 200, "signed", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"a version that must be", "GET", inRelease, `If-Match: "v0"`, 412, "", "public, max-age=30, s-maxage=30, must-revalidate"},
		{"absent", "GET", "acme/tools/ubuntu/dists/noble/InRelease", "X: y", 404, "not found\n", "max-age=10"},
		{"absent, asked with a condition", "GET", "acme/tools/ubuntu/dists/noble/InRelease", "If-Modified-Since: " + modified, 404, "not found\n", "max-age=10"},
		{"the head of nothing", "HEAD", "acme/tools/ubuntu/dists/noble/InRelease", "X: y", 404, "", "max-age=10"},
		{"a package is redirected", "GET", debKey, "X: y", 302, "", "private, no-store"},
		{"an rpm is redirected", "GET", rpmKey, "X: y", 302, "", "private, no-store"},
		{"a private pointer without a token", "GET", secretKey, "X: y", 401, `{"error":"Unauthenticated"}` + "\n", "private, no-store"},
		{"a private pointer", "GET", secretKey, basic(goodToken, ""), 200, "secret", "private, max-age=300"},
		{"settings", "GET", ".repomill/acme/tools.json", "X: y", 404, "not found\n", "max-age=10"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			resp, body := raw(t, s.resolver, tt.method, "/"+tt.target, tt.header)
			if resp.StatusCode != tt.status || body != tt.body || resp.Header.Get("Cache-Control") != tt.cacheControl {
				t.Errorf("got %d, %q, %q\nwant %d, %q, %q", resp.StatusCode, body, resp.Header.Get("Cache-Control"), tt.status, tt.body, tt.cacheControl)
			}
			if (tt.status == 200 || tt.status == 206 || tt.status == 304) && (resp.Header.Get("ETag") != `"v1"` || tt.status != 304 && resp.Header.Get("Last-Modified") != modified) {
				t.Errorf("headers %v lack ETag and Last-Modified", resp.Header)
			}
		})
	}
	if log := s.log.String(); log != "" {
		t.Errorf("the log has\n%s", log)
	}
}

// What the client has already is not read.
func TestServeThroughReadsNoMoreThanItMust(t *testing.T) {
	for _, tt := range []struct {
		name, method, header string
		gets, stats          int32
	}{
		{"the whole", "GET", "X: y", 1, 0},
		{"a range", "GET", "Range: bytes=1-2", 1, 0},
		{"the head", "HEAD", "X: y", 0, 1},
		{"the same version", "GET", `If-None-Match: "v1"`, 0, 1},
		{"another version", "GET", `If-None-Match: "v0"`, 1, 1},
	} {
		s, b := newThroughSite(t)
		raw(t, s.resolver, tt.method, "/"+inRelease, tt.header)
		if b.gets.Load() != tt.gets || b.stats.Load() != tt.stats {
			t.Errorf("%s: %d gets and %d stats, want %d and %d", tt.name, b.gets.Load(), b.stats.Load(), tt.gets, tt.stats)
		}
	}
}

func TestServeThroughFaults(t *testing.T) {
	s, b := newThroughSite(t)
	raw(t, s.resolver, "GET", "/"+inRelease)
	b.broken.Store(true)
	for _, method := range []string{"GET", "HEAD"} {
		resp, body := raw(t, s.resolver, method, "/"+inRelease)
		if resp.StatusCode != http.StatusServiceUnavailable || strings.Contains(body, "10.0.0.1") || resp.Header.Get("Retry-After") == "" {
			t.Errorf("%s: got %d, %q, want 503 without the cause", method, resp.StatusCode, body)
		}
	}
	if strings.Count(s.log.String(), "10.0.0.1") != 1 {
		t.Errorf("want one line with the cause, the log has\n%s", s.log.String())
	}
}

// If the body ends early, the client sees the connection break.
func TestServeThroughTruncated(t *testing.T) {
	s, b := newThroughSite(t)
	b.cut.Store(true)
	resp, err := http.Get(s.resolver.URL + "/" + byHash)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err == nil {
		t.Errorf("got %q as if it were all", body)
	}
	if !strings.Contains(s.log.String(), "object ended early") {
		t.Errorf("the log has\n%s", s.log.String())
	}
}

// The 404 of a private repository is not stored by shared caches.
func TestAbsentPrivateIndexIsNotForCaches(t *testing.T) {
	s, _ := newThroughSite(t)
	resp, _ := raw(t, s.resolver, "GET", "/acme/secret/ubuntu/dists/jammy/InRelease", basic(goodToken, ""))
	if cache := resp.Header.Get("Cache-Control"); resp.StatusCode != 404 || !strings.HasPrefix(cache, "private") {
		t.Errorf("got %d, Cache-Control %q", resp.StatusCode, cache)
	}
}

// A list of tags with a malformed one in it is answered as a whole answer or as none.
func TestThroughWithMalformedTags(t *testing.T) {
	s, _ := newThroughSite(t)
	for _, header := range []string{`If-None-Match: abc, "v1"`, `If-None-Match: "v0" "x", "v1"`, `If-None-Match: x, *`} {
		if resp, body := raw(t, s.resolver, "GET", "/"+inRelease, header); resp.StatusCode == 200 && body == "" {
			t.Errorf("%s: 200 without a body", header)
		}
	}
}
