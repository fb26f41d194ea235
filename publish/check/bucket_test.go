package check_test

import (
	"context"
	"crypto/md5"
	"encoding/hex"
	"io"
	"strings"
	"sync/atomic"
	"testing"

	"repomill/publish/check"
	"repomill/schemas/layout"
)

// A memStore is a store whose versions are ETags, as those of S3.
type memStore struct {
	memTree
	etag  func(body []byte) string
	reads atomic.Int64 // of package files
}

func etagOf(body []byte) string {
	sum := md5.Sum(body)
	return `"` + hex.EncodeToString(sum[:]) + `"`
}

func (m *memStore) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if strings.HasSuffix(key, ".deb") {
		m.reads.Add(1)
	}
	body, err := m.Open(ctx, key)
	return body, layout.Meta{}, err
}

func (m *memStore) List(_ context.Context, prefix string, f func(string, layout.Meta) error) error {
	for key, body := range m.memTree {
		if strings.HasPrefix(key, prefix) {
			if err := f(key, layout.Meta{Version: layout.Version(m.etag(body)), Size: int64(len(body))}); err != nil {
				return err
			}
		}
	}
	return nil
}

// What the index has no MD5 of, as of RPMs, is compared with the original.
func TestCopy(t *testing.T) {
	s := newRPMSource(t)
	const hello = rpmBase + "/hello-2.10-3.el9.x86_64.rpm"
	for _, tt := range []struct {
		fact           string
		etag, original func([]byte) string
		harm           func(m memTree)
		says           string
	}{
		{"a copy is sound", etagOf, etagOf, func(memTree) {}, ""},
		{"a wrong byte is found", etagOf, etagOf, func(m memTree) { m.flip(t, hello) }, "hash sum mismatch"},
		{"other versions of the same bytes harm nothing", etagOf, func(b []byte) string { return etagOf(append(b, 'x')) }, func(memTree) {}, ""},
		{"a store without versions is not compared", func([]byte) string { return "" }, etagOf, func(m memTree) { m.flip(t, hello) }, ""},
		{"a missing file is found", etagOf, etagOf, func(m memTree) { m.remove(t, hello) }, "is missing"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			o := opt
			o.Content = false
			original, copied := &memStore{memTree: s.publish(), etag: tt.original}, &memStore{memTree: s.publish(), etag: tt.etag}
			tt.harm(copied.memTree)
			_, problems := rpm(t, check.Copy(copied, original), o)
			if tt.says == "" {
				if len(problems) > 0 {
					t.Errorf("got problems:\n%s", list(problems))
				}
				return
			}
			expect(t, problems, hello, tt.says)
		})
	}
}

// Package files of a store are listed, and read only if their ETag is not their MD5.
func TestBucket(t *testing.T) {
	const hello = aptBase + "/pool/jammy/main/h/hello/hello_2.10-3_amd64.deb"
	parts := func([]byte) string { return `"0123456789abcdef0123456789abcdef-2"` }
	kms := func([]byte) string { return `"0123456789abcdef0123456789abcdef"` }
	for _, tt := range []struct {
		fact  string
		etag  func([]byte) string
		harm  func(m memTree)
		reads int64
		says  string
	}{
		{"a sound release is not read", etagOf, func(memTree) {}, 0, ""},
		{"files that were uploaded in parts are not read", parts, func(memTree) {}, 0, ""},
		{"versions that are no MD5 harm nothing", kms, func(memTree) {}, 2, ""},
		{"a missing file is found", etagOf, func(m memTree) { m.remove(t, hello) }, 0, "is missing (listed in "},
		{"a file that is cut off is found", etagOf, func(m memTree) { m.cut(t, hello) }, 0, "bytes, listed with"},
		{"a wrong byte is found", etagOf, func(m memTree) { m.flip(t, hello) }, 1, "hash sum mismatch"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			s := &memStore{memTree: newAptSource(t).publish(), etag: tt.etag}
			tt.harm(s.memTree)
			o := opt
			o.Content = false
			got, problems := apt(t, check.Bucket(s), o)
			if got.Packages != 2 || s.reads.Load() != tt.reads {
				t.Errorf("%d packages, %d of them read, want 2 and %d", got.Packages, s.reads.Load(), tt.reads)
			}
			if tt.says == "" {
				if len(problems) > 0 {
					t.Errorf("got problems:\n%s", list(problems))
				}
				return
			}
			expect(t, problems, hello, tt.says)
		})
	}
}
