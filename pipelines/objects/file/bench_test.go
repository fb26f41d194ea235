package file_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// BenchmarkUpload is all that both folders do for one small upload after it was listed. Two packages share a folder of the pool.
func BenchmarkUpload(b *testing.B) {
	dir := b.TempDir()
	s, err := file.OpenStaging("file://" + filepath.Join(dir, "staging"))
	fail := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	fail(err)
	defer s.Close()
	bucket, err := file.OpenBucket("file://" + filepath.Join(dir, "bucket"))
	fail(err)
	defer bucket.Close()
	var uploads []catalog.Upload
	body := strings.Repeat("x", 2000)
	for n := range b.N {
		u, err := s.Put(b.Context(), fmt.Sprintf("acme/tools/debian/12/%d.deb", n), strings.NewReader(body), catalog.Pusher{User: "ci"})
		fail(err)
		uploads = append(uploads, u)
	}
	b.ReportAllocs()
	b.ResetTimer()
	for n, u := range uploads {
		if _, _, err := s.Verdict(b.Context(), u.Object); !errors.Is(err, fs.ErrNotExist) {
			b.Fatal(err)
		}
		r, _, err := s.Open(b.Context(), u)
		fail(err)
		fail(bucket.Create(b.Context(), layout.ObjectOf(fmt.Sprintf("acme/tools/debian/pool/main/h/hello%d/%d.deb", n/2, n)), struct{ io.Reader }{r}))
		fail(r.Close())
		fail(s.PutVerdict(b.Context(), u.Object, "", []byte(body[:500])))
	}
}
