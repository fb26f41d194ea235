package pipelines_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 it is the embedded default; the same tests run on Prism
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/prism"

	"repomill/ingest"
	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/publish/check"
	"repomill/publish/sign"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
	"repomill/testdata/mysqltest"
	"repomill/testdata/proctest"
)

func TestMain(m *testing.M) {
	flag.Parse()
	beam.Init()
	slog.SetDefault(slog.New(slog.DiscardHandler)) // Beam's own, too
	beamlog.SetLogger(silent{})
	if dir := os.Getenv(crashDir); dir != "" {
		os.Exit(crashingProcess(dir))
	}
	if cfg := os.Getenv(mortalConfig); cfg != "" {
		os.Exit(mortalProcess(cfg))
	}
	proctest.WaitTogether(3)
	os.Exit(inOwnTemp(func() int { return mysqltest.Main(m) }))
}

// inOwnTemp runs the tests with a folder for temporary files that goes with them: Prism leaves one for
// each pipeline.
func inOwnTemp(run func() int) int {
	dir, err := os.MkdirTemp("", "repomill-pipelines-test-")
	if err != nil {
		panic(err)
	}
	defer os.RemoveAll(dir)
	os.Setenv("TMPDIR", dir)
	return run()
}

type silent struct{}

func (silent) Log(context.Context, beamlog.Severity, int, string) {}

// A runner runs a pipeline to its end.
type runner func(context.Context, *beam.Pipeline) error

func runDirect(ctx context.Context, p *beam.Pipeline) error {
	_, err := direct.Execute(ctx, p)
	return err
}

// runPrism runs pipelines one by one: Prism writes a map without a lock when two begin together
// (jobservices.ReverseArtifactRetrievalService).
func runPrism(ctx context.Context, p *beam.Pipeline) error {
	prismRuns.Lock()
	defer prismRuns.Unlock()
	_, err := prism.Execute(ctx, p) // which must have no deadline
	return err
}

var prismRuns sync.Mutex

// onEachRunner runs a test with the runner of the product and with the one that stands for all others.
func onEachRunner(t *testing.T, test func(*testing.T, runner)) {
	t.Run("direct", func(t *testing.T) { t.Parallel(); test(t, runDirect) })
	t.Run("prism", func(t *testing.T) { t.Parallel(); test(t, runPrism) })
}

var (
	jammy = release("acme/tools/ubuntu/jammy")
	noble = release("acme/tools/ubuntu/noble")
	el9   = release("acme/tools/el/9/x86_64")
)

func release(name string) catalog.Release {
	r, err := catalog.ParseRelease(name)
	if err != nil {
		panic(err)
	}
	return r
}

// signingKey is made once: the strength of the product's own takes seconds.
var signingKey = sync.OnceValues(func() (*sign.Signer, error) {
	return sign.Generate("test signing key", sign.MinRSABits, time.Now())
})

// A site is a folder with everything, and its resources, open.
type site struct {
	*pipelines.Resources
	t   *testing.T
	dir string
	run runner
}

func newSite(t *testing.T, run runner) *site {
	t.Helper()
	dir := t.TempDir()
	writeKey(t, dir)
	cfg := configOf(dir)
	migrate(t, cfg.Catalog)
	return openSite(t, dir, cfg, run)
}

// writeKey writes the signing key into a folder, and returns its path.
func writeKey(t *testing.T, dir string) (path string) {
	t.Helper()
	key, err := signingKey()
	if err != nil {
		t.Fatal(err)
	}
	armored, err := key.Private()
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "key.asc")
	if err := os.WriteFile(path, armored, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// migrate makes the tables of a catalog.
func migrate(t *testing.T, url string) {
	t.Helper()
	db, err := catalogdb.Open(url)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(db.Migrate(t.Context()), db.Close()); err != nil {
		t.Fatal(err)
	}
}

// configOf returns the configuration of a site in a folder.
func configOf(dir string) pipelines.Config {
	return pipelines.Config{
		Staging: "file://" + dir + "/staging", Bucket: "file://" + dir + "/bucket", Catalog: "sqlite://" + dir + "/catalog.db",
		SigningKey: "file://" + dir + "/key.asc", PublicURL: "http://packages.example.org", Create: true, MaxPackageSize: ingest.DefaultMaxSize,
	}
}

// openSite opens the resources that a configuration names: those that are open, if it is the same.
func openSite(t *testing.T, dir string, cfg pipelines.Config, run runner) *site {
	t.Helper()
	r, err := pipelines.Open(context.WithoutCancel(t.Context()), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	s := &site{Resources: r, t: t, dir: dir, run: run}
	s.keepJournal()
	return s
}

// put stages a file.
func (s *site) put(object string, body []byte) catalog.Upload {
	s.t.Helper()
	u, err := s.Staging.Put(s.t.Context(), object, bytes.NewReader(body), catalog.Pusher{})
	if err != nil {
		s.t.Fatal(err)
	}
	return u
}

// putDebs stages n small packages with names that begin so.
func (s *site) putDebs(r catalog.Release, prefix string, n int) (uploads []catalog.Upload) {
	s.t.Helper()
	for i := range n {
		name := fmt.Sprintf("%s%04d", prefix, i)
		uploads = append(uploads, s.put(r.String()+"/"+name+".deb", deb(s.t, name)))
	}
	return uploads
}

func deb(t testing.TB, name string) []byte {
	return debtest.Build(t, debtest.Spec{Name: name, Arch: "amd64"})
}

// task takes the lease of an upload.
func (s *site) task(u catalog.Upload) pipelines.Task {
	s.t.Helper()
	token, state, err := s.Catalog.Take(s.t.Context(), u, catalogdb.Lease{Owner: "test", For: time.Minute}, time.Now())
	if err != nil || token == "" {
		s.t.Fatalf("take %s: it is %q, %v", u, state, err)
	}
	return pipelines.Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token}
}

func (s *site) batch(uploads ...catalog.Upload) (b pipelines.Batch) {
	s.t.Helper()
	for _, u := range uploads {
		b.Tasks = append(b.Tasks, s.task(u))
	}
	return b
}

// ingest runs the ingest pipeline over batches, and publishes what is behind then.
func (s *site) ingest(batches ...pipelines.Batch) {
	s.t.Helper()
	p, root := beam.NewPipelineWithRoot()
	pipelines.Ingest(root, s.Config, beam.CreateList(root, batches))
	if err := s.run(s.t.Context(), p); err != nil {
		s.t.Fatal(err)
	}
	behind, err := s.Catalog.Unpublished(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range behind {
		s.PublishRelease(s.t.Context(), r, "") // the catalog says how it ended
	}
}

// state returns the state of an upload, with the reason of a rejection; "" if no worker leased it.
func (s *site) state(u catalog.Upload) string {
	s.t.Helper()
	v, err := s.Catalog.Verdict(context.WithoutCancel(s.t.Context()), u)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return ""
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.TrimSpace(string(v.State) + " " + string(v.Reason))
}

// wantStates checks in which states uploads are.
func (s *site) wantStates(want string, uploads ...catalog.Upload) {
	s.t.Helper()
	for _, u := range uploads {
		if got := s.state(u); got != want {
			s.t.Errorf("%s is %q, want %q", u, got, want)
		}
	}
}

// verdict returns the verdict object of a staging key; the zero verdict if there is none.
func (s *site) verdict(object string) (v catalog.Verdict) {
	s.t.Helper()
	body, _, err := s.Staging.Verdict(s.t.Context(), object)
	if errors.Is(err, fs.ErrNotExist) {
		return v
	}
	if err == nil {
		err = json.Unmarshal(body, &v)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return v
}

// wantVerdict checks that the verdict object of an upload's name is about that upload.
func (s *site) wantVerdict(u catalog.Upload, want catalog.UploadState) {
	s.t.Helper()
	if v := s.verdict(u.Object); v.State != want || v.Generation != u.Generation || v.Object != u.Object {
		s.t.Errorf("the verdict of %s is %q, of generation %q; want %q", u, v.State, v.Generation, want)
	}
}

// publishes returns how often a release was published, by its manifests.
func (s *site) publishes(r catalog.Release) (n int) {
	s.t.Helper()
	err := s.Bucket.List(s.t.Context(), layout.HistoryPrefix(r), func(string, layout.Meta) error { n++; return nil })
	if err != nil {
		s.t.Fatal(err)
	}
	return n
}

// wantOnePublish checks that a release has one publish more than before, for all uploads that were queued at a time. A worker waits
// for them no longer than a run may take, five seconds: on a machine that is slower, there is one for each five.
func (s *site) wantOnePublish(r catalog.Release, before int, since time.Time) {
	s.t.Helper()
	most := 1 + int(time.Since(since)/(5*time.Second))
	if n := s.publishes(r) - before; n < 1 || n > most {
		s.t.Errorf("%s was published %d times, want once, or %d times at most", r, n, most)
	}
}

// A clientTree reads a bucket as clients do.
type clientTree struct{ objects.Bucket }

// Open implements check.Tree.
func (t clientTree) Open(ctx context.Context, name string) (io.ReadCloser, error) {
	body, _, err := t.Get(ctx, name)
	return body, err
}

// read reads a release as a client does, every package with all its bytes.
func (s *site) read(r catalog.Release) (check.Release, []check.Problem, error) {
	keyring, err := sign.ReadKeyring(s.Signer().Public())
	if err != nil {
		return check.Release{}, nil, err
	}
	ctx, opt := context.WithoutCancel(s.t.Context()), check.Options{Content: true, Now: time.Now()}
	if r.Arch == "" {
		return check.Apt(ctx, clientTree{s.Bucket}, layout.OSDir(r), r.Distribution.Version, keyring, opt)
	}
	return check.RPM(ctx, clientTree{s.Bucket}, layout.RPMDir(r), keyring, opt)
}

// wantRelease reads a release, and checks how many packages it has.
func (s *site) wantRelease(r catalog.Release, packages int) {
	s.t.Helper()
	got, problems, err := s.read(r)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range problems {
		s.t.Errorf("%s: %s", r, p)
	}
	if got.Packages != packages {
		s.t.Errorf("%s has %d packages, want %d", r, got.Packages, packages)
	}
}

// files returns the bytes of everything in the bucket.
func (s *site) files() map[string]string {
	s.t.Helper()
	root := filepath.Join(s.dir, "bucket")
	found := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		found[strings.TrimPrefix(path, root+"/")] = string(body)
		return err
	})
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// errFault is what a failing store returns.
var errFault = errors.New("the store has a fault")

// A gate is a bucket whose writes a test can delay or refuse.
type gate struct {
	ingest.Bucket
	before func(ctx context.Context, key string) error // called before a package is stored
}

func (g gate) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if err := g.before(ctx, o.Key); err != nil {
		return err
	}
	return g.Bucket.Create(ctx, o, body)
}

// guard lets before decide about each package that is to be stored. Nothing may run yet.
func (s *site) guard(before func(ctx context.Context, key string) error) {
	s.Ingester.Bucket = gate{s.Bucket, before}
}

// A listed staging says when it has been listed to the end.
type listed struct {
	objects.Staging
	once *sync.Once
	end  chan struct{}
}

func (l listed) List(ctx context.Context, now time.Time, f func(catalog.Upload)) error {
	defer l.once.Do(func() { close(l.end) })
	return l.Staging.List(ctx, now, f)
}

// holdUntilListed has the first package wait until the first scan has queued all that is staged, however slow that is.
// Nothing may run yet.
func (s *site) holdUntilListed() {
	end := make(chan struct{})
	s.Staging = listed{s.Staging, new(sync.Once), end}
	s.guard(func(ctx context.Context, _ string) error {
		select {
		case <-end:
		case <-ctx.Done():
		}
		return ctx.Err()
	})
}

// allAre reports whether all uploads are in a state.
func (s *site) allAre(state string, uploads []catalog.Upload) bool {
	return !slices.ContainsFunc(uploads, func(u catalog.Upload) bool { return s.state(u) != state })
}
