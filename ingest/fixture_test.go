package ingest_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"repomill/ingest"
	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	el9   = catalog.Distribution{OS: "el", Version: "9"}
	noon  = time.Date(2026, 8, 1, 12, 0, 0, 700_000_000, time.UTC)
)

// The staging keys of most tests.
const (
	debObject = "acme/tools/ubuntu/jammy/hello.deb"
	rpmObject = "acme/tools/el/9/hello.rpm"
)

// A site is an ingester with real stores, in which acme/tools is declared for ubuntu/jammy and el/9.
type site struct {
	*ingest.Ingester
	t       *testing.T
	dir     string // of the bucket
	staging *file.Staging
	bucket  *bucket
	db      *database
}

func newSite(t *testing.T) *site {
	t.Helper()
	dir := t.TempDir()
	staging, err := file.OpenStaging("file://" + filepath.Join(dir, "staging"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { staging.Close() })
	files, err := file.OpenBucket("file://" + filepath.Join(dir, "bucket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { files.Close() })
	db, err := catalogdb.Open("sqlite://" + filepath.Join(dir, "catalog.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	s := &site{t: t, dir: filepath.Join(dir, "bucket"), staging: staging, bucket: &bucket{Bucket: files}, db: &database{DB: db}}
	s.Ingester = &ingest.Ingester{
		Staging: staging, Bucket: s.bucket, Catalog: s.db, Table: layout.DefaultTable(), MaxSize: ingest.DefaultMaxSize,
		Now: func() time.Time { return noon }, Log: slog.New(slog.DiscardHandler),
	}
	s.declare(jammy, "")
	s.declare(el9, "")
	return s
}

// declare adds a distribution, or one more architecture of it, to acme/tools.
func (s *site) declare(d catalog.Distribution, arch string) {
	s.t.Helper()
	if _, err := s.db.Declare(s.t.Context(), catalogdb.Declaration{Repository: tools, Distro: s.distro(d), Arch: arch}, noon); err != nil {
		s.t.Fatal(err)
	}
}

// distro returns the entry of the distribution table.
func (s *site) distro(d catalog.Distribution) layout.Distro {
	s.t.Helper()
	distro, rej := s.Table.Lookup(d)
	if rej != nil {
		s.t.Fatal(rej)
	}
	return distro
}

// put stages a file.
func (s *site) put(object string, body []byte) catalog.Upload {
	s.t.Helper()
	u, err := s.staging.Put(s.t.Context(), object, bytes.NewReader(body), catalog.Pusher{})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// store ingests an upload that nothing is wrong with.
func (s *site) store(u catalog.Upload) ingest.Stored {
	s.t.Helper()
	stored, err := s.Store(s.t.Context(), u)
	if err != nil {
		s.t.Fatalf("store %s: %v", u, err)
	}
	return stored
}

// activate makes a stored upload's row active, as the pipeline does.
func (s *site) activate(u catalog.Upload, stored ingest.Stored) error {
	s.t.Helper()
	token, state, err := s.db.Take(s.t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, noon)
	if err != nil {
		s.t.Fatal(err)
	}
	if token == "" {
		s.t.Fatalf("%s is %s", u, state)
	}
	err = s.db.Activate(s.t.Context(), []catalogdb.Stored{{Upload: u, Token: token, Package: stored.Package, Dirs: stored.Dirs}}, noon)
	if err != nil {
		if err := s.db.Return(s.t.Context(), u, token); err != nil {
			s.t.Fatal(err)
		}
	}
	return err
}

// accept stores an upload and makes its row active.
func (s *site) accept(u catalog.Upload) ingest.Stored {
	s.t.Helper()
	stored := s.store(u)
	if err := s.activate(u, stored); err != nil {
		s.t.Fatal(err)
	}
	return stored
}

// row returns the row that has the identity of k.
func (s *site) row(k catalog.Package) catalog.Package {
	s.t.Helper()
	row, err := s.db.Find(s.t.Context(), k)
	if err != nil {
		s.t.Fatalf("find %s %s %s: %v", k.Name, k.Version, k.Arch, err)
	}
	return row
}

// revisions returns the revision of each release by its name.
func (s *site) revisions() map[string]int64 {
	s.t.Helper()
	states, err := s.db.Releases(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	revisions := map[string]int64{}
	for _, r := range states {
		revisions[r.Release.String()] = r.Revision.Number
	}
	return revisions
}

// visible returns the bytes of each object in the bucket, by key. What is hidden from clients is left out,
// but temporary files are there as ".tmp": nothing may be left of them.
func (s *site) visible() map[string]string {
	s.t.Helper()
	found := map[string]string{}
	err := filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		key, err := filepath.Rel(s.dir, path)
		if err != nil {
			return err
		}
		body, err := os.ReadFile(path)
		found[filepath.ToSlash(key)] = string(body)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// wantRejection checks that an error is a rejection for a reason, and that people can read its detail.
func wantRejection(t *testing.T, err error, reason catalog.Reason, detail ...string) {
	t.Helper()
	rej, ok := errors.AsType[*catalog.Rejection](err)
	if !ok || rej.Reason != reason {
		t.Fatalf("got error %v, want a rejection as %s", err, reason)
	}
	for _, want := range detail {
		if !strings.Contains(rej.Detail, want) {
			t.Errorf("detail %q does not say %q", rej.Detail, want)
		}
	}
	if rej.Detail == "" || len(rej.Detail) > 600 || strings.ContainsFunc(rej.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("detail %q is empty, long or unprintable", rej.Detail)
	}
}

// errFault is what a failing write returns.
var errFault = errors.New("the write failed")

// A fault is a way in which a write fails.
type fault int

const (
	lost   fault = iota + 1 // nothing was stored
	stored                  // it was stored, although the answer says that it was not
)

func (f fault) String() string { return [...]string{"no fault", "lost", "stored"}[f] }

// A bucket is a bucket in a folder whose next write can be made to fail, and in which a test can look around
// just before an object becomes visible. It is for one caller at a time while a write is to fail.
type bucket struct {
	*file.Bucket
	create, copy  fault // of the next such write
	beforeVisible func(key string)
}

// Create stores an object, or not. A lost one has read its body, as a store does that fails at the end.
func (b *bucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if b.beforeVisible != nil {
		body = &endReader{body, func() { b.beforeVisible(o.Key) }}
	}
	f := b.create
	if f != 0 {
		b.create = 0
	}
	if f == lost {
		_, err := io.Copy(io.Discard, body)
		return errors.Join(errFault, err)
	}
	err := b.Bucket.Create(ctx, o, body)
	if f == stored && err == nil {
		err = errFault
	}
	return err
}

// Copy copies an object, or not.
func (b *bucket) Copy(ctx context.Context, from string, o layout.Object) error {
	f := b.copy
	if f != 0 {
		b.copy = 0
	}
	if f == lost {
		return errFault
	}
	err := b.Bucket.Copy(ctx, from, o)
	if f == stored && err == nil {
		err = errFault
	}
	return err
}

// An endReader calls end just before it returns io.EOF.
type endReader struct {
	io.Reader
	end func()
}

func (r *endReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		r.end()
	}
	return n, err
}

// A database is a catalog whose next claim can be made to fail, and that counts claims. It is for one
// caller at a time.
type database struct {
	*catalogdb.DB
	claim       fault // of the next claim
	claims      int
	beforeClaim func(catalog.Package)
}

func (d *database) Claim(ctx context.Context, k catalog.Package, by catalog.Upload) (catalog.Package, bool, error) {
	if d.beforeClaim != nil {
		d.beforeClaim(k)
	}
	f := d.claim
	d.claim = 0
	d.claims++
	if f == lost {
		return k, false, errFault
	}
	holder, claimed, err := d.DB.Claim(ctx, k, by)
	if f == stored && err == nil {
		err = errFault
	}
	return holder, claimed, err
}

// A staging is a staging bucket whose objects a test reads along with the ingester.
type staging struct {
	ingest.Staging
	along func(read int64) // called before each read, with the number of bytes that were read before
}

func (s staging) Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	body, by, err := s.Staging.Open(ctx, u)
	if err != nil {
		return nil, by, err
	}
	return &alongReader{ReadCloser: body, along: s.along}, by, nil
}

type alongReader struct {
	io.ReadCloser
	along func(int64)
	read  int64
}

func (r *alongReader) Read(p []byte) (int, error) {
	r.along(r.read)
	n, err := r.ReadCloser.Read(p)
	r.read += int64(n)
	return n, err
}

// A pushed staging returns the same pusher for every upload.
type pushed struct {
	ingest.Staging
	by catalog.Pusher
}

func (p pushed) Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	body, _, err := p.Staging.Open(ctx, u)
	return body, p.by, err
}
