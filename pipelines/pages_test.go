package pipelines_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/google/go-cmp/cmp"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/pipelines/worker"
	"repomill/publish/pages"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// makePages makes the pages of a repository that are due.
func (s *site) makePages() {
	s.t.Helper()
	err := pipelines.RunPages(s.t.Context(), s.run, s.Config, pipelines.PagesJob{Owner: "test"}, []catalog.Repository{jammy.Repository})
	if err != nil {
		s.t.Fatal(err)
	}
}

// wantPage checks that a page is there, and has texts.
func (s *site) wantPage(key string, texts ...string) {
	s.t.Helper()
	body, ok := s.files()[key]
	if !ok {
		s.t.Errorf("there is no %s", key)
	}
	for _, text := range texts {
		if !strings.Contains(body, text) {
			s.t.Errorf("%s: want %q in it:\n%s", key, text, body)
		}
	}
}

// pages returns the bytes of all pages.
func (s *site) pages() map[string]string {
	s.t.Helper()
	found := s.files()
	for key := range found {
		if !layout.IsPage(key) || layout.Hidden(key) {
			delete(found, key)
		}
	}
	return found
}

func TestPages(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 2), s.put("acme/tools/el/9/h.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "hello", Version: "1.0", Arch: "x86_64"})))...))
		if got := s.pages(); len(got) > 0 {
			t.Errorf("pages before any were made: %d", len(got))
		}
		s.makePages()
		r := jammy.Repository
		s.wantPage(layout.VersionPageKey(r, "p0001", "1.0"), "p0001")
		s.wantPage(layout.NamePageKey(r, "hello"), "1.0")
		s.wantPage(layout.FrontPageKey(r), "p0000")
		s.wantPage(layout.StatusKey(r), jammy.String(), `"verified":"2`)
		s.wantPage(layout.FrontTwinKey(r), s.Signer().Fingerprints()[0])
		s.wantPage(layout.RootPageKey, r.String())
		before := s.pages()
		s.yank(jammy, "p0001", "1.0")
		s.makePages() // clients see it yet
		if diff := cmp.Diff(before, s.pages()); diff != "" {
			t.Errorf("pages before the withdrawal was published (-before +after):\n%s", diff)
		}
		s.publishBehind()
		s.makePages()
		s.wantPage(layout.VersionPageKey(r, "p0001", "1.0"), "ithdrawn")
		s.wantNoPagesDue()
	})
}

// publishBehind publishes the releases that are behind.
func (s *site) publishBehind() {
	s.t.Helper()
	behind, err := s.Catalog.Unpublished(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, r := range behind {
		if res := s.PublishRelease(s.t.Context(), r, ""); res.Err != nil {
			s.t.Fatal(res.Err)
		}
	}
}

// wantNoPagesDue checks that no pages wait.
func (s *site) wantNoPagesDue() {
	s.t.Helper()
	states, err := s.Catalog.PageStates(s.t.Context())
	if err != nil {
		s.t.Fatal(err)
	}
	for _, st := range states {
		if st.Requests > 0 || st.Oldest != nil || st.Whole || st.Fault != "" {
			s.t.Errorf("pages wait: %+v", st)
		}
	}
}

// pagesOn has a site's pages made on a bucket.
func (s *site) pagesOn(b pages.Bucket) {
	c := s.Pages.Config
	c.Bucket = b
	s.Pages = pages.New(c)
}

// A noPages is a bucket that takes no page while broken is set.
type noPages struct {
	objects.Bucket
	broken *atomic.Bool
	tried  *atomic.Int64
}

func (b noPages) fail(key string) error {
	if b.broken.Load() && layout.IsPage(key) {
		b.tried.Add(1)
		return errFault
	}
	return nil
}

func (b noPages) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if err := b.fail(o.Key); err != nil {
		return err
	}
	return b.Bucket.Create(ctx, o, body)
}

func (b noPages) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if err := b.fail(o.Key); err != nil {
		return "", err
	}
	return b.Bucket.Swap(ctx, old, o, body)
}

// While no page can be written, packages are published as always. When that is over, a worker makes the pages without being asked.
func TestServePagesAfterTheirBucketFailed(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	var broken atomic.Bool
	var tried atomic.Int64
	broken.Store(true)
	s.pagesOn(noPages{s.Bucket, &broken, &tried})
	first, more := s.putDebs(jammy, "a", 2), s.putDebs(jammy, "b", 2)
	events := make(chan catalog.Upload, len(first)+len(more))
	for _, u := range first {
		events <- u
	}
	stop := s.serve(onDemand(events), grace)
	proctest.Eventually(t, "the packages are published, and pages were tried", func() bool {
		return s.allAre(string(catalog.Published), first) && tried.Load() > 0
	})
	for _, u := range more {
		events <- u
	}
	proctest.Eventually(t, "packages that came later are published", func() bool { return s.allAre(string(catalog.Published), more) })
	if got := s.pages(); len(got) > 0 {
		t.Errorf("%d pages were written to a bucket that takes none", len(got))
	}
	broken.Store(false)
	proctest.Eventually(t, "the pages are made", func() bool {
		states, err := s.Catalog.PageStates(t.Context())
		return err == nil && len(states) == 1 && states[0].Requests == 0 && states[0].Oldest == nil && states[0].Fault == ""
	})
	for _, name := range []string{"a0000", "b0001"} {
		s.wantPage(layout.NamePageKey(jammy.Repository, name), name)
	}
	wantStopped(t, stop)
}

// A dispatcher that runs once leaves no pages to be made.
func TestServeOnceMakesPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.putDebs(jammy, "a", 3)
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: s.run, Once: true}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	if err := d.Serve(ctx, grace); err != nil {
		t.Fatal(err)
	}
	s.wantPage(layout.NamePageKey(jammy.Repository, "a0002"), "a0002")
	s.wantNoPagesDue()
}

// No pipeline runs. A dispatcher that runs once ends, and leaves the pages to other workers.
func TestServeOnceEndsWithoutARunner(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(s.putDebs(jammy, "a", 1)...))
	s.publishBehind()
	var runs atomic.Int64
	fails := func(context.Context, *beam.Pipeline) error { runs.Add(1); return errors.New("no engine") }
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: fails, Once: true}
	if err := d.Serve(t.Context(), grace); err != nil {
		t.Fatal(err)
	}
	if n := runs.Load(); n == 0 || n > 10 {
		t.Errorf("%d pipelines were run, want a few", n)
	}
}

// What an interrupted process leaves, another one does.
func TestPagesInterrupted(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(s.putDebs(jammy, "p", 20)...))
	ctx, interrupt := context.WithCancel(t.Context())
	var writes atomic.Int64
	whole := s.Pages.Config.Bucket
	s.pagesOn(interrupted{s.Bucket, func() {
		if writes.Add(1) == 30 {
			interrupt()
		}
	}})
	if err := s.MakePages(ctx, jammy.Repository, pipelines.PagesJob{Owner: "first"}); err == nil {
		t.Error("an interrupted process has ended well")
	}
	s.pagesOn(whole)
	s.makePages() // at once
	s.wantNoPagesDue()
	got := s.pages()
	if err := s.Catalog.AskPages(t.Context(), []catalog.Repository{jammy.Repository}, s.Now(t.Context())); err != nil {
		t.Fatal(err)
	}
	s.makePages()
	if diff := cmp.Diff(s.pages(), got); diff != "" {
		t.Errorf("pages (-all again +continued):\n%s", diff)
	}
}

// An interrupted bucket calls f before each write of a page.
type interrupted struct {
	objects.Bucket
	f func()
}

func (b interrupted) Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	b.f()
	if err := ctx.Err(); err != nil {
		return "", err
	}
	return b.Bucket.Swap(ctx, old, o, body)
}

// A process whose lease another one has taken stops, and leaves the pages to that one. It asks for them once more: it may have written one too late.
func TestPagesLeftToAnotherProcess(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(s.putDebs(jammy, "p", 2)...))
	var other catalogdb.PageWork
	var took atomic.Bool
	s.pagesOn(stolen{s.Bucket, sync.OnceFunc(func() {
		w, taken, err := s.Catalog.TakePages(t.Context(), jammy.Repository, catalogdb.Lease{Owner: "other", For: time.Hour}, 100, s.Now(t.Context()).Add(time.Hour))
		if err != nil {
			t.Error(err)
		}
		other = w
		took.Store(taken)
	})})
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	if err := s.MakePages(ctx, jammy.Repository, pipelines.PagesJob{Owner: "first"}); err != nil || !took.Load() {
		t.Fatalf("it ended with %v; another process had the pages: %t", err, took.Load())
	}
	if got := s.pages()[layout.NamePageKey(jammy.Repository, "p0000")]; got != "" {
		t.Error("it has made a page")
	}
	if err := s.Catalog.EndPages(t.Context(), other, nil, s.Now(t.Context())); err != nil {
		t.Errorf("the other process: %v", err)
	}
	s.pagesOn(s.Bucket)
	if err := s.MakePages(ctx, jammy.Repository, pipelines.PagesJob{Owner: "third"}); err != nil {
		t.Error(err)
	}
	if got := s.pages()[layout.NamePageKey(jammy.Repository, "p0000")]; got == "" {
		t.Error("it is not asked for once more")
	}
	s.wantNoPagesDue()
}

// A stolen bucket writes no page: it calls f, and waits until its caller is stopped.
type stolen struct {
	objects.Bucket
	f func()
}

func (b stolen) Swap(ctx context.Context, _ layout.Version, _ layout.Object, _ io.Reader) (layout.Version, error) {
	b.f()
	<-ctx.Done()
	return "", ctx.Err()
}

// A catalog that is lost is rebuilt beside the pages, which follow from its rows then.
func TestPagesAfterLossOfTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(append(s.putDebs(jammy, "p", 3), s.put("acme/tools/el/9/h.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "hello", Version: "1.0", Arch: "x86_64"})))...))
	s.makePages()
	before := s.pages()

	cfg := s.Config
	cfg.Staging, cfg.Catalog = "", "sqlite://"+t.TempDir()+"/catalog.db"
	migrate(t, cfg.Catalog)
	fresh := openSite(t, s.dir, cfg, runDirect)
	if got, err := fresh.reindex(t.Context(), fromPublished); err != nil || got.outcomes()[catalogdb.OutcomeFailed] > 0 {
		t.Fatalf("from what is published: %v: %+v", err, got)
	}
	fresh.makePages()
	fresh.wantNoPagesDue()
	after := fresh.pages()
	if diff := cmp.Diff(slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(after))); diff != "" {
		t.Errorf("keys of pages (-before +after):\n%s", diff)
	}
	fresh.wantPage(layout.NamePageKey(jammy.Repository, "p0002"), "p0002")
	if swept, err := fresh.Collector.Sweep(t.Context()); err != nil || swept.Removed > 0 {
		t.Errorf("a sweep: %+v, %v", swept, err)
	}
	fresh.wantRelease(jammy, 3)
}
