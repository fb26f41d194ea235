package gcs_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"strings"
	"testing"
	"time"

	"repomill/pipelines/objects/gcs"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/gcstest"
)

func method(m string) func(*http.Request) bool {
	return func(r *http.Request) bool { return r.Method == m }
}

// media reports whether a request is for the bytes of an object.
func media(r *http.Request) bool { return r.URL.Query().Get("alt") == "media" }

// chunk reports whether a request is a part of an upload, after its beginning.
func chunk(r *http.Request) bool { return r.URL.Query().Get("upload_id") != "" }

// checkSpent fails if a fault that a test planned did not happen.
func checkSpent(t *testing.T, server *gcstest.Server) {
	t.Helper()
	if n := server.Pending(); n != 0 {
		t.Errorf("%d faults did not happen", n)
	}
}

// chunkSize is how much of a file is sent in one request here, in bytes.
const chunkSize = 256 << 10

// bodies are a file that is sent in one request, and one in three.
var bodies = map[string]string{"small": "hello", "large": strings.Repeat("0123456789abcde\n", (2*chunkSize+1000)/16)}

// startSmall returns an empty bucket to which files are sent in small chunks, with its server.
func startSmall(t *testing.T) (*gcs.Staging, *gcstest.Server) {
	t.Helper()
	s, server := start(t)
	s.SetChunk(chunkSize)
	return s, server
}

// A lost request, or one whose answer is lost, is retried, and the caller gets no error.
func TestFaultsWhilePutting(t *testing.T) {
	t.Parallel()
	for _, fault := range []gcstest.Fault{gcstest.Lost, gcstest.Stored, gcstest.Busy, gcstest.Cut} {
		for name, body := range bodies {
			for where, when := range map[string]func(*http.Request) bool{"at first": method(http.MethodPost), "in a chunk": chunk} {
				if name == "small" && where == "in a chunk" {
					continue
				}
				t.Run(fmt.Sprintf("%v, a %s file, %s", fault, name, where), func(t *testing.T) {
					s, server := startSmall(t)
					server.Fail(fault, 2, when)
					for kind, r := range map[string]io.Reader{"file": strings.NewReader(body), "stream": io.MultiReader(strings.NewReader(body))} {
						u, err := s.Put(t.Context(), staged, r, catalog.Pusher{})
						if err != nil {
							t.Fatalf("a %s: %v", kind, err)
						}
						if now, err := s.Stat(t.Context(), staged); now != u || err != nil {
							t.Errorf("a %s: it is %+v, %v; want %+v", kind, now, err, u)
						}
						checkBody(t, s, u, body)
					}
					checkSpent(t, server)
				})
			}
		}
	}
}

// Bytes that change on the way are never an upload.
func TestDamageWhilePutting(t *testing.T) {
	for name, body := range bodies {
		for kind, r := range map[string]io.Reader{"file": strings.NewReader(body), "stream": io.MultiReader(strings.NewReader(body))} {
			t.Run(name+" "+kind, func(t *testing.T) {
				s, server := startSmall(t)
				when := method(http.MethodPost)
				if name == "large" {
					when = chunk
				}
				server.Fail(gcstest.Damaged, 1, when)
				if u, err := s.Put(t.Context(), staged, r, catalog.Pusher{}); err == nil {
					t.Errorf("put as %+v", u)
				}
				if u, err := s.Stat(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("it is there: %+v, %v", u, err)
				}
				checkSpent(t, server)
			})
		}
	}
}

// A file that changes while it is pushed is torn; it must not become an upload.
func TestFileThatChangesWhileItIsPut(t *testing.T) {
	s, _ := start(t)
	body := &rewritten{Reader: *bytes.NewReader([]byte("first version"))}
	if u, err := s.Put(t.Context(), staged, body, catalog.Pusher{}); err == nil {
		t.Errorf("put as %+v", u)
	}
	if u, err := s.Stat(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %+v, %v", u, err)
	}
}

// A rewritten file has other bytes when it is read again.
type rewritten struct {
	bytes.Reader
	seeks int
}

func (r *rewritten) Seek(offset int64, whence int) (int64, error) {
	if r.seeks++; r.seeks == 2 {
		r.Reset([]byte("other version"))
	}
	return r.Reader.Seek(offset, whence)
}

func TestFaultsWhileReading(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		fault gcstest.Fault
		times int
		when  func(*http.Request) bool
	}{
		{gcstest.Lost, 2, method(http.MethodGet)},
		{gcstest.Busy, 2, method(http.MethodGet)},
		{gcstest.Cut, 3, media}, // it goes on where it stopped
	} {
		t.Run(tt.fault.String(), func(t *testing.T) {
			s, server := startSmall(t)
			u := put(t, s, staged, bodies["large"], catalog.Pusher{})
			server.Fail(tt.fault, tt.times, tt.when)
			checkBody(t, s, u, bodies["large"])
			checkSpent(t, server)
		})
	}
}

func TestDamageWhileReading(t *testing.T) {
	s, server := startSmall(t)
	u := put(t, s, staged, bodies["large"], catalog.Pusher{})
	server.Fail(gcstest.Damaged, 1, media)
	if _, _, err := read(t, s, u); err == nil || errors.Is(err, catalog.ErrGone) {
		t.Errorf("got %v, want a fault", err)
	}
	checkBody(t, s, u, bodies["large"])
}

// A connection that breaks after the object was replaced is not resumed with the bytes of another.
func TestReplacedWhenTheConnectionBreaks(t *testing.T) {
	s, server := startSmall(t)
	u := put(t, s, staged, bodies["large"], catalog.Pusher{})
	server.Fail(gcstest.Cut, 1, media)
	r, _, err := s.Open(t.Context(), u)
	must(t, err)
	defer r.Close()
	put(t, s, staged, strings.ToUpper(bodies["large"]), catalog.Pusher{})
	for range 2 { // the error stays
		if rest, err := io.ReadAll(r); !errors.Is(err, catalog.ErrGone) {
			t.Errorf("got %d bytes, %v; want ErrGone", len(rest), err)
		}
	}
}

func TestStalls(t *testing.T) {
	t.Parallel()
	s, server := startSmall(t)
	u := put(t, s, staged, bodies["large"], catalog.Pusher{})
	const stall, slow = 4 * time.Second, 5 * time.Second // a busy machine makes progress within the first
	s.SetStall(stall)
	server.Fail(gcstest.Stalled, 1, media)
	_, _, err := read(t, s, u)
	if err == nil || !strings.Contains(err.Error(), "no progress for 4s") || !strings.Contains(err.Error(), "--staging") {
		t.Errorf("got %v, want a stall that names --staging", err)
	}
	// A slow reader is not a stall, and neither is a slow source.
	r, _, err := s.Open(t.Context(), u)
	must(t, err)
	defer r.Close()
	if _, err := r.Read(make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	time.Sleep(slow)
	if _, err := io.Copy(io.Discard, r); err != nil {
		t.Errorf("a slow reader: %v", err)
	}
	source := io.MultiReader(strings.NewReader("hel"), sleeper(slow), strings.NewReader("lo"))
	u, err = s.Put(t.Context(), staged, source, catalog.Pusher{})
	must(t, err)
	checkBody(t, s, u, "hello")
}

// A sleeper is an empty reader that takes a while to end.
type sleeper time.Duration

func (s sleeper) Read([]byte) (int, error) {
	time.Sleep(time.Duration(s))
	return 0, io.EOF
}

func TestFaultsWhileDeleting(t *testing.T) {
	t.Parallel()
	for _, fault := range []gcstest.Fault{gcstest.Lost, gcstest.Stored, gcstest.Busy} {
		t.Run(fault.String(), func(t *testing.T) {
			s, server := startSmall(t)
			u := put(t, s, staged, "hello", catalog.Pusher{})
			server.Fail(fault, 2, method(http.MethodDelete))
			must(t, s.Delete(t.Context(), u))
			if _, err := s.Stat(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("stat: got %v, want ErrNotExist", err)
			}
		})
	}
}

// The answer to a write is lost, and the write retried: it must recognize its own object, and no other.
func TestFaultsWhileWritingVerdicts(t *testing.T) {
	t.Parallel()
	for _, fault := range []gcstest.Fault{gcstest.Lost, gcstest.Stored, gcstest.Busy, gcstest.Cut} {
		t.Run(fault.String(), func(t *testing.T) {
			s, server := startSmall(t)
			old := layout.Version("")
			for i := range 3 {
				server.Fail(fault, 1, method(http.MethodPost))
				body := fmt.Sprint(i / 2) // once with the bytes that are there already
				must(t, s.PutVerdict(t.Context(), staged, old, []byte(body)))
				got, v, err := s.Verdict(t.Context(), staged)
				if string(got) != body || v == old || err != nil {
					t.Errorf("got %q, version %q after %q, %v; want %q", got, v, old, err, body)
				}
				server.Fail(fault, 1, method(http.MethodPost))
				if err := s.PutVerdict(t.Context(), staged, old, []byte(body)); !errors.Is(err, layout.ErrConflict) {
					t.Errorf("the same bytes over another version: got %v, want ErrConflict", err)
				}
				old = v
			}
			checkSpent(t, server)
		})
	}
}

// The answer to a move is lost, and the move retried: it must recognize its own object, and no other.
func TestFaultsWhileMoving(t *testing.T) {
	t.Parallel()
	rewrite := func(r *http.Request) bool { return strings.Contains(r.URL.Path, "/rewriteTo/") }
	for _, fault := range []gcstest.Fault{gcstest.Lost, gcstest.Stored, gcstest.Busy} {
		t.Run(fault.String(), func(t *testing.T) {
			s, server := startSmall(t)
			u := put(t, s, layout.Incoming+"x", "hello", catalog.Pusher{User: "ci"})
			server.Fail(fault, 2, rewrite)
			moved, err := s.Move(t.Context(), u, staged)
			must(t, err)
			checkBody(t, s, moved, "hello")
			other := put(t, s, layout.Incoming+"x", "hello", catalog.Pusher{User: "ci"})
			server.Fail(fault, 1, rewrite)
			if got, err := s.Move(t.Context(), other, staged); !errors.Is(err, fs.ErrExist) {
				t.Errorf("another upload of the same bytes: got %+v, %v; want ErrExist", got, err)
			}
			server.Fail(fault, 1, method(http.MethodDelete))
			if _, err := s.Move(t.Context(), other, staged+"2"); err != nil {
				t.Errorf("the old name is removed later: %v", err)
			}
		})
	}
}
