package client

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/gcstest"
)

// A direct test is a server over a bucket in the cloud, a client of it, and a file of 40 MB.
type direct struct {
	*server
	api    *testServer
	bucket *gcstest.Server
	file   *os.File
	bytes  []byte
	notes  []string
}

func startDirect(t *testing.T) *direct {
	t.Helper()
	d := &direct{bucket: gcstest.Start(t), bytes: make([]byte, 40_000_000)}
	staging, err := objects.OpenStaging(t.Context(), d.bucket.URL("staging-bucket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	d.api = serveAPIOver(t, staging)
	d.server = newServer(d.api.URL, "secret")
	d.pause, d.note = time.Millisecond, func(text string) { d.notes = append(d.notes, text) }
	t.Cleanup(func() { d.server.Close() })
	rand.NewChaCha8([32]byte{}).Read(d.bytes) //nolint:errcheck // it has no end
	path := filepath.Join(t.TempDir(), "large.deb")
	if err := os.WriteFile(path, d.bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	if d.file, err = os.Open(path); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { d.file.Close() })
	return d
}

// newKey returns the staging key of a push.
func newKey() string {
	return "acme/tools/ubuntu/jammy/" + layout.StagedName(layout.NewID(), "large.deb")
}

// push sends the file, and fails unless it is in staging then, whole and once.
func (d *direct) push(t *testing.T, key string) catalog.Upload {
	t.Helper()
	d.rewind(t)
	u, err := d.Put(t.Context(), key, d.file, catalog.Pusher{})
	if err != nil {
		t.Fatal(err)
	}
	d.check(t, u)
	return u
}

func (d *direct) rewind(t *testing.T) {
	t.Helper()
	if _, err := d.file.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
}

func (d *direct) check(t *testing.T, u catalog.Upload) {
	t.Helper()
	u.Bucket = "staging-bucket"
	r, _, err := d.api.staging.Open(t.Context(), u)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if stored, err := io.ReadAll(r); !bytes.Equal(stored, d.bytes) || err != nil {
		t.Errorf("%d bytes are stored, %v; want the %d that were sent", len(stored), err, len(d.bytes))
	}
	if n := d.api.staged(t); n != 1 {
		t.Errorf("%d uploads in staging, want 1", n)
	}
}

// A chunk is a request that sends a part of the file, the one that begins at an offset.
func chunk(at string) func(*http.Request) bool {
	return func(r *http.Request) bool {
		return r.Method == http.MethodPut && strings.HasPrefix(r.Header.Get("Content-Range"), "bytes "+at+"-")
	}
}

func question(r *http.Request) bool {
	return r.Method == http.MethodPut && strings.HasPrefix(r.Header.Get("Content-Range"), "bytes */")
}

func TestALargeFilePassesTheServerBy(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trouble func(*direct)
		through bool // the server
		note    string
	}{
		{"and all is well", func(*direct) {}, false, ""},
		{"after a cut in the middle of a chunk", func(d *direct) { d.bucket.Fail(gcstest.Torn, 1, chunk("16777216")) }, false, ""},
		{"after a cut in the first chunk", func(d *direct) { d.bucket.Fail(gcstest.Torn, 1, chunk("0")) }, false, ""},
		{"after an answer that was lost", func(d *direct) { d.bucket.Fail(gcstest.Stored, 1, chunk("8388608")) }, false, ""},
		{"after the last answer was lost", func(d *direct) { d.bucket.Fail(gcstest.Stored, 1, chunk("33554432")) }, false, ""},
		{"while the store is busy", func(d *direct) {
			d.bucket.Fail(gcstest.Busy, 2, chunk("8388608"))
			d.bucket.Fail(gcstest.Busy, 2, question)
		}, false, ""},
		{"if the store forgets the session", func(d *direct) {
			d.bucket.Fail(gcstest.Busy, 1, func(r *http.Request) bool {
				if chunk("8388608")(r) {
					go d.bucket.ForgetSessions()
					return true
				}
				return false
			})
		}, false, ""},
		{"unless the store is forbidden here", func(d *direct) { d.bucket.Fail(gcstest.Forbidden, 1, chunk("0")) }, true, "takes no files from here (it answers 403"},
		{"unless the store fails for good", func(d *direct) {
			d.bucket.Fail(gcstest.Busy, 1, chunk("8388608"))
			d.bucket.Fail(gcstest.Busy, maxFaults, question)
		}, true, "(it answers 503"},
		{"unless the store cannot be connected to", func(d *direct) {
			d.store = &http.Client{Transport: closedTransport{}}
		}, true, "takes no files from here (no route to host)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := startDirect(t)
			tt.trouble(d)
			d.push(t, newKey())
			if n := d.bucket.Pending(); n != 0 {
				t.Errorf("%d faults did not happen", n)
			}
			if n := d.bucket.Sessions(); n != 0 && tt.name != "unless the store cannot be connected to" {
				t.Errorf("%d sessions are left", n)
			}
			want := int64(0)
			if tt.through {
				want = int64(len(d.bytes))
			}
			if got := d.api.received.Load(); got != want {
				t.Errorf("%d bytes went through the server, want %d", got, want)
			}
			if notes := strings.Join(d.notes, "\n"); !strings.Contains(notes, tt.note) || (notes != "") != tt.through || strings.Contains(notes, "upload_id") {
				t.Errorf("it prints %q, want %q", notes, tt.note)
			}
		})
	}
}

// A closedTransport is a network without a way to the store.
type closedTransport struct{}

func (closedTransport) RoundTrip(*http.Request) (*http.Response, error) {
	return nil, errors.New("no route to host")
}

func TestASecondPushOfALargeFileIsTheSameUpload(t *testing.T) {
	d := startDirect(t)
	key := newKey()
	first := d.push(t, key)
	puts := d.bucket.Served(http.MethodPut)
	if again := d.push(t, key); again != first {
		t.Errorf("got %v, want %v", again, first)
	}
	if n := d.bucket.Served(http.MethodPut); n != puts {
		t.Errorf("it was sent again, in %d requests", n-puts)
	}
}

// The store compares what arrives with what the file had before.
func TestALargeFileThatChangesIsNotStored(t *testing.T) {
	d := startDirect(t)
	c, err := measure(d.file)
	if err != nil {
		t.Fatal(err)
	}
	d.bytes[20_000_000] ^= 1
	if err := os.WriteFile(d.file.Name(), d.bytes, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err = d.putDirectly(t.Context(), newKey(), c, catalog.Pusher{}); err == nil || !strings.Contains(err.Error(), "it changed while it was sent") {
		t.Errorf("got %v", err)
	}
	if n := d.api.staged(t); n != 0 {
		t.Errorf("%d uploads in staging", n)
	}
	d.push(t, newKey()) // measured again
}

func TestALargeFileThatIsInterrupted(t *testing.T) {
	d := startDirect(t)
	ctx, cancel := context.WithCancel(t.Context())
	d.bucket.Fail(gcstest.Busy, 1, func(r *http.Request) bool {
		if chunk("8388608")(r) {
			cancel()
			return true
		}
		return false
	})
	if _, err := d.Put(ctx, newKey(), d.file, catalog.Pusher{}); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if n, m := d.bucket.Sessions(), d.api.staged(t); n != 0 || m != 0 {
		t.Errorf("%d sessions and %d uploads are left", n, m)
	}
}

func TestSmallFilesAndFoldersNeedNoSession(t *testing.T) {
	d := startDirect(t)
	d.bytes = d.bytes[:directFrom-1]
	if err := os.Truncate(d.file.Name(), int64(len(d.bytes))); err != nil {
		t.Fatal(err)
	}
	d.push(t, newKey())
	if got := d.api.received.Load(); got != int64(len(d.bytes)) || d.closed.Load() {
		t.Errorf("%d bytes went through the server, want %d", got, len(d.bytes))
	}

	folder := serveAPI(t)
	s := newServer(folder.URL, "secret")
	s.directFrom = 1
	for range 2 {
		d.rewind(t)
		if _, err := s.Put(t.Context(), newKey(), d.file, catalog.Pusher{}); err != nil {
			t.Fatal(err)
		}
	}
	if got := strings.Join(folder.calls, " "); got != "POST PUT PUT" || folder.staged(t) != 2 {
		t.Errorf("got %s, want POST PUT PUT", got)
	}
}

// What an answer of the server may not do: have the file sent without encryption where the token was sent with it.
func TestStoresOfSessions(t *testing.T) {
	for _, tt := range []struct {
		server, store string
		want          bool
	}{
		{"https://packages.example", "https://storage.example/x", true},
		{"https://packages.example", "http://storage.example/x", false},
		{"http://localhost:1", "http://localhost:2/x", true},
		{"https://packages.example", "file:///etc/passwd", false},
		{"https://packages.example", "/x", false},
	} {
		if got := newServer(tt.server, "secret").allowed(tt.store); got != tt.want {
			t.Errorf("%s for %s: got %v", tt.store, tt.server, got)
		}
	}
}

// The token is for the server alone.
func TestTheStoreGetsNoToken(t *testing.T) {
	d := startDirect(t)
	var seen http.Header
	spy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r.Header
		http.Redirect(w, r, "http://elsewhere.example", http.StatusTemporaryRedirect)
	}))
	defer spy.Close()
	c, err := measure(d.file)
	if err != nil {
		t.Fatal(err)
	}
	to := &sender{http: d.store, url: spy.URL, content: c, chunk: 1 << 20, stall: time.Minute, pause: time.Millisecond}
	if err := to.send(t.Context()); err == nil || !strings.Contains(err.Error(), "it answers 307") {
		t.Errorf("got %v", err)
	}
	if seen.Get("Authorization") != "" || seen.Get("Content-Range") != "bytes 0-1048575/40000000" {
		t.Errorf("it got %v", seen)
	}
}
