package pages_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/publish"
	"repomill/publish/keys"
	"repomill/publish/pages"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

const publicURL = "https://packages.example.org"

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	noble = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "noble"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

// signer is one for the whole test binary: making a key takes long.
var signer = sync.OnceValue(func() *sign.Signer {
	s, err := sign.Generate("acme repomill signing key", 2048, publishtest.Start.Add(-24*time.Hour))
	if err != nil {
		panic(err)
	}
	return s
})

// A world is a catalog, a bucket, and what publishes and makes pages.
type world struct {
	t       testing.TB
	db      *catalogdb.DB
	file    string // of db
	large   bool   // pages have as much as otherwise
	bucket  *publishtest.Bucket
	uploads int
	set     keys.Set

	mu  sync.Mutex
	now time.Time
}

// emptyCatalog is the file of a catalog without rows: migrations take longer than most tests.
var emptyCatalog = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "pages-test-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	file := filepath.Join(dir, "catalog.db")
	db, err := catalogdb.Open("sqlite://" + file)
	if err != nil {
		return nil, err
	}
	if err := errors.Join(db.Migrate(context.Background()), db.Close()); err != nil {
		return nil, err
	}
	return os.ReadFile(file)
})

func newWorld(t testing.TB) *world {
	t.Helper()
	empty, err := emptyCatalog()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "catalog.db")
	if err := os.WriteFile(file, empty, 0o600); err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, file: file, bucket: publishtest.NewBucket(t), now: publishtest.Start}
	if w.db, err = catalogdb.Open("sqlite://" + file); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { w.db.Close() })
	public, err := sign.ReadPublic(signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	w.set.Add(publishtest.Start, keys.Signing, public...)
	for _, r := range []catalog.Release{jammy, noble, el9} {
		w.declare(r)
	}
	return w
}

// at returns the time.
func (w *world) at() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	w.now = w.now.Add(d)
	w.mu.Unlock()
	w.bucket.SetClock(w.at())
}

func (w *world) declare(r catalog.Release) {
	w.t.Helper()
	distro, rej := layout.DefaultTable().Lookup(r.Distribution)
	if rej != nil {
		w.t.Fatal(rej)
	}
	if _, err := w.db.Declare(w.t.Context(), catalogdb.Declaration{Repository: r.Repository, Distro: distro}, w.at()); err != nil {
		w.t.Fatal(err)
	}
}

// A pkg is a package to be pushed. Its release says its format.
type pkg struct {
	release       catalog.Release
	name, version string
	summary       string
}

// source is what the readers of both formats are.
type source interface {
	Identity() catalog.Package
	Body() io.Reader
	Describe(k *catalog.Package) error
}

// push does for packages all that comes before a publish.
func (w *world) push(some ...pkg) {
	w.t.Helper()
	var stored []catalogdb.Stored
	for _, p := range some {
		k := w.row(p)
		w.uploads++
		s := catalogdb.Stored{Package: k, Upload: catalog.Upload{Bucket: "staging", Object: k.Key, Generation: fmt.Sprint(w.uploads)}}
		var err error
		if s.Token, _, err = w.db.Take(w.t.Context(), s.Upload, catalogdb.Lease{Owner: "test", For: time.Hour}, w.at()); err != nil || s.Token == "" {
			w.t.Fatalf("take %s: %v", s.Upload, err)
		}
		if _, claimed, err := w.db.Claim(w.t.Context(), k, catalog.Upload{}); err != nil || !claimed {
			w.t.Fatalf("claim %s: claimed %v, %v", s.Upload, claimed, err)
		}
		if k.Format == catalog.RPM {
			settings, err := w.db.Settings(w.t.Context(), k.Repository)
			if err != nil {
				w.t.Fatal(err)
			}
			ds, _ := settings.Find(k.Distribution)
			s.Dirs = layout.RPMDirs(k, ds.Architectures)
		}
		stored = append(stored, s)
	}
	if err := w.db.Activate(w.t.Context(), stored, w.at()); err != nil {
		w.t.Fatal(err)
	}
}

// row makes the row of a package, and puts its file into the bucket.
func (w *world) row(p pkg) catalog.Package {
	w.t.Helper()
	var read source
	var err error
	if p.release.Arch == "" {
		fields := []string{"Description: " + p.summary}
		read, err = deb.Peek(bytes.NewReader(debtest.Build(w.t, debtest.Spec{Name: p.name, Version: p.version, Arch: "amd64", Fields: fields})))
	} else {
		spec := rpmtest.Spec{Name: p.name, Version: p.version, Release: "1", Arch: p.release.Arch, Summary: p.summary,
			Files: map[string]string{"/usr/bin/" + p.name: p.version}}
		read, err = rpm.Peek(bytes.NewReader(rpmtest.Build(w.t, spec)))
	}
	if err != nil {
		w.t.Fatal(err)
	}
	k := read.Identity()
	k.Repository, k.Distribution, k.Uploaded = p.release.Repository, p.release.Distribution, w.at().Truncate(time.Second)
	if k.Key = layout.RPMKey(k, p.release.Arch); k.Format == catalog.DEB {
		k.Component = "main"
		k.Key = layout.PoolKey(k)
	}
	body, err := io.ReadAll(read.Body())
	if err != nil {
		w.t.Fatal(err)
	}
	sum := sha256.Sum256(body)
	k.File = catalog.File{Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])}
	if err := read.Describe(&k); err != nil {
		w.t.Fatal(err)
	}
	w.bucket.Put(k.Key, body)
	return k
}

// publish publishes what is behind.
func (w *world) publish() {
	w.t.Helper()
	w.pass(2 * time.Second)
	p, err := publish.New(publish.Config{
		Bucket: w.bucket, Catalog: w.db, Signer: signer(), Rows: rowReader{}, PublicURL: publicURL, Now: w.bucket.Now, Log: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		w.t.Fatal(err)
	}
	behind, err := w.db.Unpublished(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, r := range behind {
		if _, err := p.Release(w.t.Context(), r); err != nil {
			w.t.Fatal(err)
		}
	}
}

// maker returns what makes pages, as another process has it.
func (w *world) maker() *pages.Maker { return w.makerOn(w.bucket) }

func (w *world) makerOn(b pages.Bucket) *pages.Maker {
	m := pages.New(pages.Config{
		Bucket: b, Catalog: w.db, Keys: func(context.Context) (keys.Set, error) { return w.set, nil },
		PublicURL: publicURL, Now: w.at, Log: slog.New(slog.DiscardHandler),
	})
	if w.large {
		return m
	}
	return m.Shrink()
}

// make makes the pages that are due, until none is. A failure is tried again an hour later, a few times.
func (w *world) make(m *pages.Maker) (done pages.Counts, failures int) {
	w.t.Helper()
	for range 1000 {
		w.pass(time.Second)
		queued, err := w.db.QueuePages(w.t.Context(), 50, w.at())
		if err != nil {
			w.t.Fatal(err)
		}
		work, taken, err := w.db.TakePages(w.t.Context(), tools, catalogdb.Lease{Owner: "test", For: time.Minute}, 7, w.at())
		if err != nil {
			w.t.Fatal(err)
		}
		if !taken && queued == 0 {
			if !w.waits() {
				return done, failures
			}
			w.pass(time.Hour)
			continue
		}
		if !taken {
			continue
		}
		failed, counts, err := m.Make(w.t.Context(), work)
		done.Add(counts)
		if err != nil {
			failed = map[int64]string{0: err.Error()}
			for _, q := range work.Requests {
				failed[q.ID] = err.Error()
			}
		}
		failures += len(failed)
		if err := w.db.EndPages(w.t.Context(), work, failed, w.at()); err != nil {
			w.t.Fatal(err)
		}
	}
	w.t.Fatal("pages are due again and again")
	return done, failures
}

// waits reports whether pages that failed wait.
func (w *world) waits() bool {
	w.t.Helper()
	states, err := w.db.PageStates(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, s := range states {
		if s.Requests > 0 || s.Oldest != nil {
			return true
		}
	}
	return false
}

var verifiedAt = regexp.MustCompile(`"verified": ?"[^"]*"`)

// pages returns the bytes of all pages, but for when pointers were verified.
func (w *world) pages() map[string]string {
	found := map[string]string{}
	for _, key := range w.bucket.Keys() {
		if layout.IsPage(key) && !layout.Hidden(key) {
			found[key] = verifiedAt.ReplaceAllString(string(w.bucket.Bytes(key)), `"verified":"-"`)
		}
	}
	return found
}

// whole removes all pages, and makes them again.
func (w *world) whole() map[string]string {
	w.t.Helper()
	for key := range w.pages() {
		w.bucket.Put(key, nil)
	}
	w.ask()
	w.make(w.maker())
	return w.pages()
}

func (w *world) ask() {
	w.t.Helper()
	if err := w.db.AskPages(w.t.Context(), []catalog.Repository{tools}, w.at()); err != nil {
		w.t.Fatal(err)
	}
}

// selector names all packages of a version in a distribution.
func (p pkg) selector() catalogdb.PackageSelector {
	version := p.version
	if p.release.Arch != "" {
		version += "-1"
	}
	return catalogdb.PackageSelector{Repository: p.release.Repository, Distribution: p.release.Distribution, Name: p.name, Version: version}
}

// withdraw yanks a package.
func (w *world) withdraw(p pkg) {
	w.t.Helper()
	if _, err := w.db.Yank(w.t.Context(), p.selector(), catalog.Yank{Reason: "broken <b>", By: "jo"}, w.at()); err != nil {
		w.t.Fatal(err)
	}
}

// keep takes a snapshot of what is published, and returns its number and identifier.
func (w *world) keep(name string, until *time.Time) (number int64, id string) {
	w.t.Helper()
	w.pass(2 * time.Second)
	s, err := w.db.AskSnapshot(w.t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, Name: name, Until: until}, w.at())
	if err != nil {
		w.t.Fatal(err)
	}
	id = layout.SnapshotID(w.at())
	if named, err := w.db.NameSnapshot(w.t.Context(), s.Number, id); err != nil || !named {
		w.t.Fatal(named, err)
	}
	states, err := w.db.ReleasesOf(w.t.Context(), tools)
	if err != nil {
		w.t.Fatal(err)
	}
	var kept []catalog.SnapshotRelease
	for _, state := range states {
		if state.Published > 0 {
			kept = append(kept, catalog.SnapshotRelease{Release: state.Release, Revision: state.Published, Packages: int(state.Published)})
		}
	}
	if err := w.db.SnapshotMade(w.t.Context(), s.Number, kept, "", w.at()); err != nil {
		w.t.Fatal(err)
	}
	return s.Number, id
}

// end deletes a snapshot, as a worker does: its page goes with its objects.
func (w *world) end(number int64, id string) {
	w.t.Helper()
	if err := w.db.AskSnapshotDeletion(w.t.Context(), number, w.at()); err != nil {
		w.t.Fatal(err)
	}
	w.bucket.Put(layout.SnapshotPageKey(tools, id), nil)
	if err := w.db.SnapshotGone(w.t.Context(), number); err != nil {
		w.t.Fatal(err)
	}
}

// removeWithdrawn removes the files of packages that are withdrawn, as the collector does after the retention period.
func (w *world) removeWithdrawn() (n int) {
	w.t.Helper()
	due, err := w.db.DueForRemoval(w.t.Context(), w.at().Add(time.Hour), 100)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, k := range due {
		if err := errors.Join(w.db.Removing(w.t.Context(), k), w.db.Removed(w.t.Context(), k)); err != nil {
			w.t.Fatal(err)
		}
	}
	return len(due)
}

// want checks that a page is there and has texts, and lacks those that begin with "!".
func (w *world) want(key string, texts ...string) {
	w.t.Helper()
	if !w.has(key) {
		w.t.Errorf("there is no %s; there are:\n%s", key, strings.Join(w.bucket.Keys(), "\n"))
		return
	}
	body := string(w.bucket.Bytes(key))
	for _, text := range texts {
		absent, not := strings.CutPrefix(text, "!")
		if strings.Contains(body, absent) == not {
			w.t.Errorf("%s: want %q in it:\n%s", key, text, body)
		}
	}
}

// wantNone checks that there is no object of a key.
func (w *world) wantNone(keys ...string) {
	w.t.Helper()
	for _, key := range keys {
		if w.has(key) {
			w.t.Errorf("there is %s", key)
		}
	}
}

func (w *world) has(key string) bool { return slices.Contains(w.bucket.Keys(), key) }

// rowReader reads rows back as ingest made them.
type rowReader struct{}

func (rowReader) Deb(stanza []byte) (catalog.Package, error)  { return deb.Row(stanza) }
func (rowReader) RPM(primary []byte) (catalog.Package, error) { return rpm.Row(primary) }

func (rowReader) Identity(f catalog.Format, name, version, arch string) (catalog.Package, error) {
	if f == catalog.DEB {
		return deb.Identity(name, version, arch)
	}
	return rpm.Identity(name, version, arch)
}
