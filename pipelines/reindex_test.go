package pipelines_test

import (
	"context"
	"io"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	debformat "repomill/ingest/deb"
	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/mysqltest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

// A watcher keeps what it is told.
type watcher struct {
	mu       sync.Mutex
	rendered map[string]int
	results  map[string]pipelines.ReindexResult
	busy     func(release string) // called while a release is rendered; may be nil
	through  func()               // called when a release is finished; may be nil
}

func newWatcher() *watcher {
	return &watcher{rendered: map[string]int{}, results: map[string]pipelines.ReindexResult{}}
}

func (w *watcher) Rendered(release string, done, _ int) {
	if w.busy != nil {
		w.busy(release)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.rendered[release] = max(w.rendered[release], done)
}

func (w *watcher) Finished(res pipelines.ReindexResult) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.results[res.Release] = res
	if w.through != nil {
		w.through()
	}
}

// outcomes returns how many releases came to what.
func (w *watcher) outcomes() map[catalogdb.ReindexOutcome]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	n := map[catalogdb.ReindexOutcome]int{}
	for _, res := range w.results {
		n[res.Outcome]++
	}
	return n
}

// reindex reindexes everything of a site.
func (s *site) reindex(ctx context.Context, w *watcher, source string, dryRun bool) (catalogdb.ReindexState, error) {
	find := s.Select
	if source == pipelines.FromPublished {
		find = s.SelectPublished
	}
	releases, err := find(ctx, nil)
	if err != nil {
		return "", err
	}
	x := &pipelines.ReindexRunner{Resources: s.Resources, Run: s.run, Watcher: w}
	return x.Reindex(ctx, pipelines.ReindexRequest{Source: source, Releases: releases, By: "test", DryRun: dryRun, Parallel: 2})
}

// wantReindex reindexes everything, and checks to how many releases came what.
func (s *site) wantReindex(source string, dryRun bool, want map[catalogdb.ReindexOutcome]int) *watcher {
	s.t.Helper()
	w := newWatcher()
	state, err := s.reindex(s.t.Context(), w, source, dryRun)
	if diff := cmp.Diff(want, w.outcomes()); diff != "" || err != nil || state != catalogdb.ReindexDone {
		s.t.Errorf("reindex from %s, dry %t, is %q, %v: %+v; outcomes (-want +got):\n%s", source, dryRun, state, err, w.results, diff)
	}
	return w
}

// runs returns the runs in the catalog, newest first.
func (s *site) runs() []catalogdb.ReindexRun {
	s.t.Helper()
	runs, err := s.Catalog.ReindexRuns(context.WithoutCancel(s.t.Context()), 10, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return runs
}

type counts = map[catalogdb.ReindexOutcome]int

func TestReindex(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 3), s.putDebs(noble, "p", 2)...)...))
		before := s.files()
		w := s.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 2})
		if w.rendered[jammy.String()] != 3 || w.results[noble.String()].Packages != 2 {
			t.Errorf("watched %v and %+v", w.rendered, w.results)
		}
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("the bucket (-before +after):\n%s", diff)
		}
		s.yank(jammy, "p0001", "1.0")
		w = s.wantReindex(pipelines.FromRows, true, counts{catalogdb.OutcomeIdentical: 1, pipelines.OutcomeDifferent: 1})
		if got := w.results[jammy.String()]; got.Added == nil || *got.Added != 0 || *got.Removed != 1 || len(got.Files) == 0 {
			t.Errorf("a dry run says %+v", got)
		}
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("the bucket, in a dry run (-before +after):\n%s", diff)
		}
		s.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 1, catalogdb.OutcomePublished: 1})
		s.wantRelease(jammy, 2)
		runs := s.runs()
		if len(runs) != 2 || runs[0].Counts != (catalogdb.OutcomeCount{Identical: 1, Published: 1}) || runs[0].State != catalogdb.ReindexDone {
			t.Errorf("the catalog has %+v, want two runs", runs)
		}
	})
}

// debRows reads rows of DEB indexes, as the pipelines do.
type debRows struct{}

func (debRows) Deb(stanza []byte) (catalog.Package, error) { return debformat.Row(stanza) }
func (debRows) RPM([]byte) (catalog.Package, error)        { return catalog.Package{}, errFault }
func (debRows) Identity(_ catalog.Format, name, version, arch string) (catalog.Package, error) {
	return debformat.Identity(name, version, arch)
}

// A nearly full disk is a bucket that takes no new objects of one release.
type fullBucket struct {
	objects.Bucket
	of string // release whose objects do not fit
}

func (b fullBucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if strings.HasPrefix(o.Key, b.of) {
		return syscall.ENOSPC
	}
	return b.Bucket.Create(ctx, o, body)
}

// One release fails for want of room: clients see of it what they saw, and the other one is published. The
// run that is begun next has it all.
func TestReindexFails(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 2), s.putDebs(noble, "p", 2)...)...))
		s.yank(jammy, "p0001", "1.0")
		s.yank(noble, "p0001", "1.0")
		whole := s.Publisher
		full, err := publish.New(publish.Config{
			Bucket: fullBucket{s.Bucket, "acme/tools/ubuntu/dists/jammy/"}, Catalog: s.Catalog, Signer: s.Signer(), Rows: debRows{}, PublicURL: s.Config.PublicURL, Now: time.Now, Log: s.Log,
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Publisher = full
		w := newWatcher()
		state, err := s.reindex(t.Context(), w, pipelines.FromRows, false)
		if err != nil || state != catalogdb.ReindexFailed || !strings.Contains(w.results[jammy.String()].Error, "no space left") || w.results[noble.String()].Outcome != catalogdb.OutcomePublished {
			t.Errorf("the run is %q, %v: %+v", state, err, w.results)
		}
		s.wantRelease(jammy, 2)
		s.wantRelease(noble, 1)
		all, err := s.Catalog.ReindexReleases(t.Context(), s.runs()[0].ID)
		if err != nil || all[0].Outcome != catalogdb.OutcomeFailed || !strings.Contains(all[0].Detail, "no space left") {
			t.Errorf("the catalog has %+v, %v", all, err)
		}
		s.Publisher = whole
		s.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 1, catalogdb.OutcomePublished: 1})
		s.wantRelease(jammy, 1)
	})
}

// What is left of an interrupted run is done by the next, and nothing twice.
func TestReindexInterrupted(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 1), s.putDebs(noble, "p", 1)...)...))
		ctx, interrupt := context.WithCancel(t.Context())
		w := newWatcher()
		w.busy = func(release string) {
			if release == noble.String() { // the first one is through
				eventually(t, "the other release is through", func() bool { return w.outcomes()[catalogdb.OutcomeIdentical] == 1 })
				interrupt()
			}
		}
		state, err := s.reindex(ctx, w, pipelines.FromRows, false)
		if err != nil || state != catalogdb.ReindexInterrupted || len(w.results) != 1 {
			t.Errorf("interrupted, the run is %q, %v: %+v", state, err, w.results)
		}
		s.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 1})
		if runs := s.runs(); len(runs) != 1 || runs[0].State != catalogdb.ReindexDone || runs[0].Counts.Identical != 2 {
			t.Errorf("the catalog has %+v, want one run", runs)
		}
	})
}

// On a company's servers: the catalog is lost and made anew from the bucket, and no index byte changes.
func TestProductionReindexAfterLoss(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	uploads := append(p.putDebs(jammy, "p", 3), p.put("acme/tools/el/9/h.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	p.ingest(p.batch(uploads...))
	p.yank(jammy, "p0001", "1.0")
	p.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 3, catalogdb.OutcomePublished: 1})
	was := p.publishedReleases()

	cfg := p.Config
	cfg.Staging, cfg.Catalog = "", mysqltest.Start(t)
	migrate(t, cfg.Catalog)
	fresh := openSite(t, "", cfg, runDirect)
	w := newWatcher()
	if state, err := fresh.reindex(t.Context(), w, pipelines.FromPublished, false); err != nil || state != catalogdb.ReindexDone || len(w.results) != 4 {
		t.Errorf("from what is published: %q, %v: %+v", state, err, w.results)
	}
	fresh.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomeIdentical: 4})
	fresh.wantNothingLost(was)
	fresh.wantRelease(jammy, 2)
	fresh.wantRelease(el9, 1)
}

// The database goes away in the middle of a run: clients see what they saw, and the run can be continued
// when it is back.
func TestProductionReindexWithoutDatabase(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("long: a lost server is waited for, half a minute")
	}
	server := mysqltest.NewServer(t)
	dir := t.TempDir()
	writeKey(t, dir)
	cfg := configOf(dir)
	cfg.Catalog = server.Database(t)
	migrate(t, cfg.Catalog)
	s := openSite(t, dir, cfg, runDirect)
	s.ingest(s.batch(s.putDebs(jammy, "p", 2)...))
	s.yank(jammy, "p0001", "1.0")
	before := s.files()
	w := newWatcher()
	var killed, back sync.Once
	w.busy = func(string) { killed.Do(func() { server.Kill(t) }) }
	w.through = func() { back.Do(func() { server.Restart(t) }) } // or the end of the run would be waited for, too
	state, err := s.reindex(t.Context(), w, pipelines.FromRows, false)
	if got := w.results[jammy.String()]; err != nil || state != catalogdb.ReindexFailed || !strings.Contains(got.Error, "reindex acme/tools/ubuntu/jammy: ") {
		t.Errorf("without a database the run is %q, %v: %+v", state, err, w.results)
	}
	after := s.files()
	for key, body := range before {
		if after[key] != body && !strings.HasPrefix(key, ".") {
			t.Errorf("%s has changed", key)
		}
	}
	s.wantRelease(jammy, 2)
	s.wantReindex(pipelines.FromRows, false, counts{catalogdb.OutcomePublished: 1})
	s.wantRelease(jammy, 1)
}
