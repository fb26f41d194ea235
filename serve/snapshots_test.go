package serve_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/serve"
)

const (
	oldID, newID = "20260601T000000Z", "20260615T000000Z"
	listOfTools  = `{"repository":{"owner":"acme","name":"tools"},"snapshots":[{"id":"` + oldID + `","name":"19.5"},{"id":"` + newID + `"}]}`
)

func snapshotPath(id string) string {
	return "/acme/tools/snapshots/" + id + "/ubuntu/dists/jammy/InRelease"
}

func newSnapshotBucket() bucket {
	b := newBucket()
	b[layout.SnapshotListKey(tools)] = listOfTools
	secret := catalog.Repository{Owner: "acme", Name: "secret"}
	b[layout.SnapshotListKey(secret)] = strings.ReplaceAll(listOfTools, "tools", "secret")
	return b
}

func TestSnapshotsAreFoundByTimeAndName(t *testing.T) {
	s := newSite(t, newSnapshotBucket())
	for path, want := range map[string]string{
		snapshotPath(oldID):              s.locationOf(t, snapshotPath(oldID)[1:]),
		snapshotPath(newID):              s.locationOf(t, snapshotPath(newID)[1:]),
		snapshotPath("20260614T235959Z"): snapshotPath(oldID),
		snapshotPath("20260701T115959Z"): snapshotPath(newID),
		snapshotPath("19.5"):             snapshotPath(oldID),
		"/acme/tools/snapshots/19.5/el/9/x86_64/repodata/repomd.xml.asc":                       "/acme/tools/snapshots/" + oldID + "/el/9/x86_64/repodata/repomd.xml.asc",
		"/acme/tools/snapshots/19.5/el/9.repo":                                                 "/acme/tools/snapshots/" + oldID + "/el/9.repo",
		"/acme/tools/snapshots/20260614T000000Z/" + strings.TrimPrefix(debKey, "acme/tools/"):  s.locationOf(t, debKey),
		"/acme/tools/snapshots/19.5/el/9/x86_64/repodata/repomd.xml.key":                       s.locationOf(t, "acme/tools/el/9/x86_64/repodata/repomd.xml.key"),
		snapshotPath("20260531T235959Z"):                                                       "",
		snapshotPath("20260701T120001Z"):                                                       "",
		snapshotPath("19.6"):                                                                   "",
		"/acme/tools/snapshots/" + oldID + "/ubuntu/dists/jammy/main/binary-amd64/Packages.gz": "",
	} {
		resp, _ := raw(t, s.resolver, "GET", path)
		status := http.StatusFound
		if want == "" {
			status = http.StatusNotFound
		}
		if got := resp.Header.Get("Location"); resp.StatusCode != status || got != want {
			t.Errorf("%s: got %d, %q; want %d, %q", path, resp.StatusCode, got, status, want)
		}
		if resp.StatusCode == http.StatusFound && resp.Header.Get("Cache-Control") != "private, no-store" {
			t.Errorf("%s: got %q", path, resp.Header.Get("Cache-Control"))
		}
	}
}

// The page of a snapshot is found by the same names as its files.
func TestPageOfASnapshotIsFoundByTimeAndName(t *testing.T) {
	b := newSnapshotBucket()
	b[layout.SnapshotPageKey(tools, oldID)] = "the page of a snapshot"
	b[layout.SnapshotsPageKey(tools)] = "the list"
	s := newSite(t, b)
	for path, want := range map[string]struct {
		status   int
		location string
		body     string
	}{
		"/acme/tools/snapshots/":                      {status: 200, body: "the list"},
		"/acme/tools/snapshots/" + oldID + "/":        {status: 200, body: "the page of a snapshot"},
		"/acme/tools/snapshots/" + oldID:              {status: 301, location: "./../../../acme/tools/snapshots/" + oldID + "/"},
		"/acme/tools/snapshots/19.5/":                 {status: 302, location: "/acme/tools/snapshots/" + oldID + "/"},
		"/acme/tools/snapshots/20260614T235959Z/":     {status: 302, location: "/acme/tools/snapshots/" + oldID + "/"},
		"/acme/tools/snapshots/" + newID + "/":        {status: 404}, // its page is not made yet
		"/acme/tools/snapshots/20260531T235959Z/":     {status: 404},
		"/acme/tools/snapshots/nothing/":              {status: 404},
		"/acme/tools/snapshots/" + oldID + "/x.html":  {status: 404},
		"/acme/tools/snapshots/_1/":                   {status: 404},
		"/acme/tools/snapshots/19.5/ubuntu/x/y/z.txt": {status: 404},
	} {
		resp, body := raw(t, s.resolver, "GET", path)
		if got := resp.Header.Get("Location"); resp.StatusCode != want.status || got != want.location || want.body != "" && string(body) != want.body {
			t.Errorf("%s: got %d, %q, %q; want %+v", path, resp.StatusCode, got, body, want)
		}
	}
	secret := strings.ReplaceAll("/acme/tools/snapshots/19.5/", "tools", "secret")
	if resp, _ := raw(t, s.resolver, "GET", secret); resp.StatusCode != http.StatusUnauthorized {
		t.Errorf("%s without a token: got %d", secret, resp.StatusCode)
	}
}

// The snapshots of a private repository need its token, and say nothing without.
func TestI10SnapshotsOfAPrivateRepository(t *testing.T) {
	s := newSite(t, newSnapshotBucket())
	path := strings.Replace(snapshotPath("19.5"), "tools", "secret", 1)
	for _, p := range []string{path, strings.Replace(path, "19.5", oldID, 1), strings.Replace(path, "19.5", "nothing", 1)} {
		if resp, _ := raw(t, s.resolver, "GET", p); resp.StatusCode != http.StatusUnauthorized {
			t.Errorf("%s without a token: got %d", p, resp.StatusCode)
		}
	}
	want := strings.Replace(path, "19.5", oldID, 1)
	if resp, _ := raw(t, s.resolver, "GET", path, basic(goodToken, "")); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != want {
		t.Errorf("got %d, %q", resp.StatusCode, resp.Header.Get("Location"))
	}
	token := "/priv/" + strings.ReplaceAll(goodToken, " ", "%20")
	if resp, _ := raw(t, s.resolver, "GET", token+path); resp.StatusCode != http.StatusFound || resp.Header.Get("Location") != token+want {
		t.Errorf("with the token in the path: got %d, %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}

// listBucket counts the reads of lists of snapshots, which it can refuse.
type listBucket struct {
	bucket
	reads atomic.Int64
	down  atomic.Bool
}

func (b *listBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if err := b.ask(key); err != nil {
		return nil, layout.Meta{}, err
	}
	return b.bucket.Get(ctx, key)
}

func (b *listBucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	if err := b.ask(key); err != nil {
		return layout.Meta{}, err
	}
	return b.bucket.Stat(ctx, key)
}

func (b *listBucket) ask(key string) error {
	if key != layout.SnapshotListKey(tools) {
		return nil
	}
	b.reads.Add(1)
	if b.down.Load() {
		return errors.New("injected fault")
	}
	return nil
}

// Requests that are not of a snapshot's pointer cost no read, and others one for all within seconds. While the bucket cannot be read, a list
// that was read before is used, and an identifier needs none.
func TestListOfSnapshotsIsCached(t *testing.T) {
	b := &listBucket{bucket: newSnapshotBucket()}
	now := noon
	s := newSiteWith(t, b.bucket, newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Now = func() time.Time { return now }
		cfg.Settings = newSettings(b, slog.New(slog.DiscardHandler), cfg.Now)
	})
	get := func(path string) int {
		resp, _ := raw(t, s.resolver, "GET", path)
		return resp.StatusCode
	}
	get("/" + debKey)
	get("/acme/tools/snapshots/" + oldID + "/ubuntu/pool/jammy/main/h/hello/hello_1_all.deb")
	if n := b.reads.Load(); n != 0 {
		t.Errorf("%d reads for other objects", n)
	}
	b.down.Store(true)
	if got := get(snapshotPath(newID)); got != http.StatusFound {
		t.Errorf("an identifier without a list: got %d", got)
	}
	if got := get(snapshotPath("19.5")); got != http.StatusServiceUnavailable {
		t.Errorf("a name without a list: got %d", got)
	}
	b.down.Store(false)
	b.reads.Store(0)
	for range 10 {
		if got := get(snapshotPath("19.5")); got != http.StatusFound {
			t.Errorf("got %d", got)
		}
	}
	if n := b.reads.Load(); n != 2 { // Stat and Get
		t.Errorf("%d reads, want 2", n)
	}
	b.down.Store(true)
	now = now.Add(30 * time.Second)
	if got := get(snapshotPath("19.5")); got != http.StatusFound {
		t.Errorf("with a list of 30 s ago: got %d", got)
	}
	b.down.Store(false)
	for _, bad := range []string{"{", strings.ReplaceAll(listOfTools, "tools", "other")} {
		delete(b.bucket, layout.SnapshotListKey(tools))
		now = now.Add(2 * time.Minute)
		if got := get(snapshotPath("19.5")); got != http.StatusNotFound {
			t.Errorf("without a list: got %d", got)
		}
		b.bucket[layout.SnapshotListKey(tools)] = bad
		now = now.Add(2 * time.Minute)
		if got := get(snapshotPath("19.5")); got != http.StatusServiceUnavailable {
			t.Errorf("a list %.20q: got %d", bad, got)
		}
	}
}

// A snapshot that was taken after the list was read is found a second later, and not taken for the one before it.
func TestNewSnapshotIsFound(t *testing.T) {
	b := newSnapshotBucket()
	delete(b, layout.SnapshotListKey(tools))
	now := noon
	s := newSiteWith(t, b, newKey(t), func(cfg *serve.ResolverConfig) {
		cfg.Now = func() time.Time { return now }
		cfg.Settings = newSettings(b, slog.New(slog.DiscardHandler), cfg.Now)
	})
	if resp, _ := raw(t, s.resolver, "GET", snapshotPath(newID)); resp.StatusCode != http.StatusNotFound {
		t.Errorf("got %d", resp.StatusCode)
	}
	b[layout.SnapshotListKey(tools)] = listOfTools
	now = now.Add(time.Second)
	if resp, _ := raw(t, s.resolver, "GET", snapshotPath(newID)); resp.StatusCode != http.StatusFound || strings.HasPrefix(resp.Header.Get("Location"), "/") {
		t.Errorf("got %d, %q", resp.StatusCode, resp.Header.Get("Location"))
	}
}
