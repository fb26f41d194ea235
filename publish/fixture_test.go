package publish_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"repomill/publish"
	"repomill/publish/check"
	"repomill/publish/publishtest"
	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const publicURL = "https://packages.example.org"

var (
	tools = catalog.Repository{Owner: "acme", Name: "tools"}
	jammy = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "ubuntu", Version: "jammy"}}
	el9   = catalog.Release{Repository: tools, Distribution: catalog.Distribution{OS: "el", Version: "9"}, Arch: "x86_64"}
)

// in returns another architecture directory of an RPM release.
func in(r catalog.Release, arch string) catalog.Release {
	r.Arch = arch
	return r
}

// signer is one for the whole test binary: making a key takes long.
var signer = sync.OnceValue(func() *sign.Signer { return generate("acme repomill signing key") })

func generate(name string) *sign.Signer {
	s, err := sign.Generate(name, 2048, publishtest.Start.Add(-24*time.Hour))
	if err != nil {
		panic(err)
	}
	return s
}

// A world is a catalog and a bucket.
type world struct {
	t       testing.TB
	db      *catalogdb.DB
	file    string // of db
	log     logged
	bucket  *publishtest.Bucket
	uploads atomic.Int64
}

func newWorld(t testing.TB) *world {
	t.Helper()
	w := &world{t: t, bucket: publishtest.NewBucket(t)}
	w.restore(empty(t))
	w.declare(jammy, "")
	w.declare(el9, "")
	return w
}

// emptyCatalog is the file of a catalog without rows: migrations take longer than most tests.
var emptyCatalog = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "publish-test-")
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

func empty(t testing.TB) []byte {
	t.Helper()
	file, err := emptyCatalog()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// restore replaces the catalog by a backup.
func (w *world) restore(backup []byte) {
	w.t.Helper()
	w.file = filepath.Join(w.t.TempDir(), "catalog.db")
	if err := os.WriteFile(w.file, backup, 0o600); err != nil {
		w.t.Fatal(err)
	}
	w.reopen()
}

// backup returns a copy of the catalog.
func (w *world) backup() []byte {
	w.t.Helper()
	if err := w.db.Close(); err != nil { // so that all of it is in one file
		w.t.Fatal(err)
	}
	backup, err := os.ReadFile(w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.reopen()
	return backup
}

func (w *world) reopen() {
	w.t.Helper()
	db, err := catalogdb.Open("sqlite://" + w.file)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { db.Close() })
	w.db = db
}

// logged is what publishers have logged.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// String returns all of it.
func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// alarms counts the alarms that were raised.
func (l *logged) alarms() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), "ALARM")
}

// warm makes what the whole process shares and no bubble may own.
var warm sync.Once

// simulate runs a test in a bubble in which time passes only while everybody waits.
func simulate(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	warm.Do(func() {
		w := newWorld(t)
		w.push(w.some(jammy, "hello"))
		w.publish(jammy)
	})
	synctest.Test(t, func(t *testing.T) { f(t, newWorld(t)) })
}

// skipUnderRace skips a long test of one goroutine.
func skipUnderRace(t *testing.T) {
	t.Helper()
	if underRace {
		t.Skip("one goroutine has nobody to race with")
	}
}

// declare makes the distribution of a release exist, with one more component or architecture.
func (w *world) declare(r catalog.Release, component string, archs ...string) {
	w.t.Helper()
	distro, rej := layout.DefaultTable().Lookup(r.Distribution)
	if rej != nil {
		w.t.Fatal(rej)
	}
	for _, arch := range append(archs, "") {
		d := catalogdb.Declaration{Repository: r.Repository, Distro: distro, Component: component, Arch: arch}
		if _, err := w.db.Declare(w.t.Context(), d, w.bucket.Now()); err != nil {
			w.t.Fatal(err)
		}
	}
}

// publisher returns a new publisher, as another process has one.
func (w *world) publisher() *publish.Publisher { return w.publisherWith(signer(), publicURL) }

func (w *world) publisherWith(s publish.Signer, url string) *publish.Publisher {
	w.t.Helper()
	c := w.config()
	c.Signer, c.PublicURL = s, url
	return newPublisher(w.t, c)
}

// config is what publishers of this world work with.
func (w *world) config() publish.Config {
	return publish.Config{
		Bucket: w.bucket, Catalog: w.db, Signer: signer(), Rows: rowReader{}, PublicURL: publicURL,
		Now: w.bucket.Now, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
	}
}

func newPublisher(t testing.TB, c publish.Config) *publish.Publisher {
	t.Helper()
	p, err := publish.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// publish brings a release up to date with a publisher of its own.
func (w *world) publish(r catalog.Release) publish.Result {
	w.t.Helper()
	res, err := w.publisher().Release(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

func (w *world) repair(r catalog.Release) publish.Result {
	w.t.Helper()
	res, err := w.publisher().Repair(w.t.Context(), r)
	if err != nil {
		w.t.Fatal(err)
	}
	return res
}

// state returns the state of a release in the catalog.
func (w *world) state(r catalog.Release) catalogdb.ReleaseState {
	w.t.Helper()
	all, err := w.db.Releases(context.WithoutCancel(w.t.Context()))
	if err != nil {
		w.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s catalogdb.ReleaseState) bool { return s.Release == r })
	if i < 0 {
		w.t.Fatalf("there is no release %s", r)
	}
	return all[i]
}

func keyring(t testing.TB) sign.Keyring {
	t.Helper()
	k, err := sign.ReadKeyring(signer().Public())
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// read reads a release as a client does, every byte of it.
func (w *world) read(r catalog.Release) (check.Release, []check.Problem) {
	w.t.Helper()
	ctx, opt := w.t.Context(), check.Options{Content: true, Now: w.bucket.Now(), Settle: time.Nanosecond}
	var got check.Release
	var problems []check.Problem
	var err error
	if r.Arch == "" {
		got, problems, err = check.Apt(ctx, w.bucket, layout.OSDir(r), r.Distribution.Version, keyring(w.t), opt)
	} else {
		got, problems, err = check.RPM(ctx, w.bucket, layout.RPMDir(r), keyring(w.t), opt)
	}
	if err != nil {
		w.t.Fatal(err)
	}
	return got, problems
}

// check fails unless clients find nothing wrong, and see exactly what the catalog has, as it knows.
func (w *world) check(r catalog.Release) check.Release {
	w.t.Helper()
	got, problems := w.read(r)
	for _, p := range problems {
		w.t.Errorf("%s: %s", r, p)
	}
	state := w.state(r)
	if got.Revision != state.Revision || state.Published != state.Revision.Number {
		w.t.Errorf("%s: clients see revision %s, rows are at %s, recorded is %d", r, got.Revision, state.Revision, state.Published)
	}
	if want, err := w.db.Count(w.t.Context(), r); err != nil || got.Packages != want {
		w.t.Errorf("%s: clients see %d packages, want %d (%v)", r, got.Packages, want, err)
	}
	return got
}

// checkSilent fails if anything was written since the last look.
func (w *world) checkSilent(why string) {
	w.t.Helper()
	if writes := w.bucket.Writes(); len(writes) > 0 {
		w.t.Errorf("%s: written was %q", why, writes)
	}
}

func mustParse(t testing.TB, r catalog.Release, pointer []byte) catalog.Revision {
	t.Helper()
	revision, err := tree.RevisionOf(r, pointer)
	if err != nil {
		t.Fatal(err)
	}
	return revision
}

// withCancel returns a context that the test can end.
func withCancel(t testing.TB) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
