package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/gcstest"
)

// An overwritten staging bucket has each upload of a draft overwritten while it is read.
type overwritten struct {
	ingest.Staging
	overwrite func(object string)
}

func (o overwritten) Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	body, by, err := o.Staging.Open(ctx, u)
	if err != nil {
		return nil, by, err
	}
	return &readOnce{body, func() { o.overwrite(u.Object) }}, by, nil
}

// readOnce calls then after the first read.
type readOnce struct {
	io.ReadCloser
	then func()
}

func (m *readOnce) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p[:min(len(p), 4096)])
	if m.then != nil && n > 0 {
		m.then()
		m.then = nil
	}
	return n, err
}

// Uploads are overwritten while they are read, by another file of the same identity. What is published is one generation
// of each, whole, and its row, its index and its verdict are of the same one.
func TestI04UploadsOverwrittenWhileTheyAreRead(t *testing.T) {
	t.Run("in a folder, half of them in place", func(t *testing.T) {
		t.Parallel()
		s := newSite(t, "")
		overwriteAll(s, 200, 200, func(i int, object string, body []byte) error {
			if i%2 == 0 {
				return os.WriteFile(filepath.Join(s.dir, "staging", object), body, 0o644)
			}
			return s.replace(object, body)
		})
	})
	t.Run("in Cloud Storage, with half of the connections broken", func(t *testing.T) {
		t.Parallel()
		const uploads = 40
		server, dir := gcstest.Start(t), t.TempDir()
		s := newSiteOn(t, dir, "", server.URL("staging"))
		var broken sync.Map
		server.Fail(gcstest.Cut, uploads/2, func(r *http.Request) bool {
			if r.URL.Query().Get("alt") != "media" || !even.MatchString(r.URL.Path) {
				return false
			}
			_, again := broken.LoadOrStore(r.URL.Path, true)
			return !again
		})
		// A reader that has the answer already reads it to its end: that is the old generation in whole.
		overwriteAll(s, uploads, uploads/2, func(_ int, object string, body []byte) error { return s.replace(object, body) })
		if n := server.Pending(); n != 0 {
			t.Errorf("%d connections did not break", n)
		}
	})
}

// even matches the names of every second upload.
var even = regexp.MustCompile(`pkg[0-9]*[02468]\.deb$`)

// replace stages other bytes under a name.
func (s *site) replace(object string, body []byte) error {
	_, err := s.Staging.Put(s.t.Context(), object, bytes.NewReader(body), catalog.Pusher{})
	return err
}

// overwriteAll has so many uploads overwritten while they are read, of which that is noticed of exactly some.
func overwriteAll(s *site, uploads, noticed int, overwrite func(i int, object string, body []byte) error) {
	s.t.Helper()
	index := map[string]int{}          // of uploads, by object
	final := make([][]byte, uploads)   // what they are overwritten with
	published := map[string][]string{} // digests of both, by key
	for i := range uploads {
		name := fmt.Sprintf("pkg%04d", i)
		object := jammy + "/" + name + ".deb"
		draft := debtest.Build(s.t, debtest.Spec{Name: name, Arch: "amd64", Size: 20_000})
		final[i] = debtest.Build(s.t, debtest.Spec{Name: name, Arch: "amd64", Size: 20_000, Seed: 1})
		published["acme/tools/ubuntu/pool/jammy/main/p/"+name+"/"+name+"_1.0_amd64.deb"] = []string{sum(draft), sum(final[i])}
		index[object] = i
		s.put(object, draft)
	}
	honest := s.Ingester.Staging
	s.Ingester.Staging = overwritten{honest, func(object string) {
		if err := overwrite(index[object], object, final[index[object]]); err != nil {
			s.t.Error(err)
		}
	}}
	if err := s.ingest(); err != nil {
		s.t.Fatal(err)
	}
	s.Ingester.Staging = honest
	states := map[string]int{}
	for i, u := range s.uploads {
		states[s.state(u)]++
		now, err := s.Staging.Stat(s.t.Context(), u.Object)
		if err != nil {
			s.t.Fatal(err)
		}
		if now.Generation == u.Generation {
			s.t.Errorf("%s was not overwritten", u)
		}
		s.uploads[i] = now
	}
	want := map[string]int{"rejected replaced": noticed, "published": uploads - noticed}
	maps.DeleteFunc(want, func(_ string, n int) bool { return n == 0 })
	if diff := cmp.Diff(want, states); diff != "" {
		s.t.Errorf("what was overwritten (-want +got):\n%s", diff)
	}
	if err := s.ingest(); err != nil {
		s.t.Fatal(err)
	}
	wantOneOfBoth(s, published)
}

// wantOneOfBoth checks that of every package one of two files is published, given the digests of both by key.
func wantOneOfBoth(s *site, both map[string][]string) {
	s.t.Helper()
	got := s.outcome() // reads every package as a client
	if n := len(got.Rows[jammy]); n != len(both) {
		s.t.Fatalf("%d packages are published, want %d", n, len(both))
	}
	for _, k := range got.Rows[jammy] {
		if !slices.Contains(both[k.Key], k.File.SHA256) || got.Objects[k.Key] != k.File.SHA256 {
			s.t.Errorf("%s is neither file: the row has %s, the bucket %s", k.Key, k.File.SHA256, got.Objects[k.Key])
		}
	}
	for object, state := range got.Uploads {
		if state != "published" && !strings.HasPrefix(state, "rejected conflict") {
			s.t.Errorf("%s is %q", object, state)
		}
	}
}
