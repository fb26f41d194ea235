package faults_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
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
	return &meanwhile{body, func() { o.overwrite(u.Object) }}, by, nil
}

// meanwhile calls then once something was read.
type meanwhile struct {
	io.ReadCloser
	then func()
}

func (m *meanwhile) Read(p []byte) (int, error) {
	n, err := m.ReadCloser.Read(p[:min(len(p), 4096)])
	if m.then != nil && n > 0 {
		m.then()
		m.then = nil
	}
	return n, err
}

// 200 uploads are overwritten while they are read, by another file of the same identity. What is published is one
// generation of each, whole, and its row, its index and its verdict are of the same one.
func TestI04UploadsOverwrittenWhileTheyAreRead(t *testing.T) {
	t.Parallel()
	const uploads = 200
	s := newSite(t, "")
	pool := map[string][2]string{} // digests of both files, by key
	final := map[string][]byte{}
	for i := range uploads {
		name := fmt.Sprintf("pkg%04d", i)
		draft := debtest.Build(t, debtest.Spec{Name: name, Arch: "amd64", Size: 20_000})
		object := jammy + "/" + name + ".deb"
		final[object] = debtest.Build(t, debtest.Spec{Name: name, Arch: "amd64", Size: 20_000, Seed: 1})
		pool["acme/tools/ubuntu/pool/jammy/main/p/"+name+"/"+name+"_1.0_amd64.deb"] = [2]string{sum(draft), sum(final[object])}
		s.put(object, draft)
	}
	honest := s.Ingester.Staging
	s.Ingester.Staging = overwritten{honest, func(object string) {
		if _, err := s.Staging.Put(t.Context(), object, bytes.NewReader(final[object]), catalog.Pusher{}); err != nil {
			t.Error(err)
		}
	}}
	if err := s.ingest(); err != nil {
		t.Fatal(err)
	}
	for _, u := range s.uploads {
		if got := s.state(u); got != "rejected replaced" && got != "published" {
			t.Errorf("%s is %q", u, got)
		}
	}
	s.Ingester.Staging = honest
	drafts := s.uploads
	s.uploads = nil
	for _, u := range drafts {
		now, err := s.Staging.Stat(t.Context(), u.Object)
		if err != nil {
			t.Fatal(err)
		}
		s.uploads = append(s.uploads, now)
	}
	if err := s.ingest(); err != nil {
		t.Fatal(err)
	}
	got := s.outcome() // reads every package as a client
	if n := len(got.Rows[jammy]); n != uploads {
		t.Fatalf("%d packages are published, want %d", n, uploads)
	}
	for _, k := range got.Rows[jammy] {
		if both := pool[k.Key]; k.File.SHA256 != both[0] && k.File.SHA256 != both[1] || got.Objects[k.Key] != k.File.SHA256 {
			t.Errorf("%s is neither file: the row has %s, the bucket %s", k.Key, k.File.SHA256, got.Objects[k.Key])
		}
	}
	for object, state := range got.Uploads {
		if state != "published" && !strings.HasPrefix(state, "rejected conflict") {
			t.Errorf("%s is %q", object, state)
		}
	}
}
