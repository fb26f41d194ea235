package pipelines_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"sync/atomic"
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
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
	"repomill/testdata/s3test"
)

// reindexed are results by release.
type reindexed map[string]pipelines.ReindexResult

// outcomes returns how many releases ended how.
func (r reindexed) outcomes() counts {
	n := counts{}
	for _, res := range r {
		n[res.Outcome]++
	}
	return n
}

type counts = map[catalogdb.ReindexOutcome]int

var (
	fromRows      = catalogdb.ReindexRequest{Source: catalogdb.FromRows, By: "test"}
	fromPublished = catalogdb.ReindexRequest{Source: catalogdb.FromPublished, By: "test"}
)

// ask asks for reindexes of everything.
func (s *site) ask(ctx context.Context, want catalogdb.ReindexRequest) (numbers map[catalog.Release]int64, releases []catalog.Release, err error) {
	if want.Source == catalogdb.FromPublished {
		releases, err = s.SelectPublished(ctx, nil)
	} else {
		releases, err = pipelines.SelectReleases(ctx, s.Catalog, nil)
	}
	if err == nil {
		numbers, err = s.Catalog.AskReindex(ctx, releases, want, catalogdb.Lease{}, s.Now(ctx))
	}
	return numbers, releases, err
}

// reindexer returns what works on reindexes of a site.
func (s *site) reindexer(owner string) *pipelines.Reindexer {
	return &pipelines.Reindexer{Resources: s.Resources, Run: s.run, Job: pipelines.ReindexJob{Owner: owner}}
}

// reindex asks for reindexes of everything, works on them, and returns the results.
func (s *site) reindex(ctx context.Context, want catalogdb.ReindexRequest) (reindexed, error) {
	_, releases, err := s.ask(ctx, want)
	if err == nil {
		err = s.reindexer("test").Work(ctx, releases)
	}
	return s.results(), err
}

// results returns the results of the reindexes that have ended.
func (s *site) results() reindexed {
	s.t.Helper()
	all, err := s.Catalog.Reindexes(context.WithoutCancel(s.t.Context()))
	found := reindexed{}
	for _, x := range all {
		if x.Pending() {
			continue
		}
		if found[x.Release.String()], err = pipelines.ResultOf(x); err != nil {
			break
		}
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return found
}

// wantReindex reindexes everything, and checks how many releases ended how.
func (s *site) wantReindex(want catalogdb.ReindexRequest, outcomes counts) reindexed {
	s.t.Helper()
	got, err := s.reindex(s.t.Context(), want)
	if diff := cmp.Diff(outcomes, got.outcomes()); diff != "" || err != nil {
		s.t.Errorf("%s: %v: %+v; outcomes (-want +got):\n%s", want, err, got, diff)
	}
	return got
}

// wantDryReindex looks what reindexes would change.
func (s *site) wantDryReindex(outcomes counts) reindexed {
	s.t.Helper()
	releases, err := pipelines.SelectReleases(s.t.Context(), s.Catalog, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	got := reindexed{}
	var mu sync.Mutex
	err = s.DryReindex(s.t.Context(), releases, 2, func(catalog.Release, int, int) {}, func(res pipelines.ReindexResult) {
		mu.Lock()
		defer mu.Unlock()
		got[res.Release] = res
	})
	if diff := cmp.Diff(outcomes, got.outcomes()); diff != "" || err != nil {
		s.t.Errorf("dry run: %v: %+v; outcomes (-want +got):\n%s", err, got, diff)
	}
	return got
}

func TestReindex(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 3), s.putDebs(noble, "p", 2)...)...))
		before := s.files()
		got := s.wantReindex(fromRows, counts{catalogdb.OutcomeIdentical: 2})
		if got[jammy.String()].Packages != 3 || got[noble.String()].Packages != 2 {
			t.Errorf("the results are %+v", got)
		}
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("the bucket (-before +after):\n%s", diff)
		}
		s.yank(jammy, "p0001", "1.0")
		got = s.wantDryReindex(counts{catalogdb.OutcomeIdentical: 1, pipelines.OutcomeDifferent: 1})
		if got := got[jammy.String()]; got.Added == nil || *got.Added != 0 || *got.Removed != 1 || len(got.Files) == 0 {
			t.Errorf("a dry run says %+v", got)
		}
		if diff := cmp.Diff(before, s.files()); diff != "" {
			t.Errorf("the bucket, in a dry run (-before +after):\n%s", diff)
		}
		s.wantReindex(fromRows, counts{catalogdb.OutcomeIdentical: 1, catalogdb.OutcomePublished: 1})
		s.wantRelease(jammy, 2)
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
// next reindex has it all.
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
		got := s.wantReindex(fromRows, counts{catalogdb.OutcomeFailed: 1, catalogdb.OutcomePublished: 1})
		if res := got[jammy.String()]; !strings.Contains(res.Error, "no space left") || res.Detail() != res.Error {
			t.Errorf("the result is %+v", res)
		}
		s.wantRelease(jammy, 2)
		s.wantRelease(noble, 1)
		s.Publisher = whole
		s.wantReindex(fromRows, counts{catalogdb.OutcomeIdentical: 1, catalogdb.OutcomePublished: 1})
		s.wantRelease(jammy, 1)
	})
}

// A lossyBucket loses the first connection that creates an object, and the first that reads one, as when a server is started again.
type lossyBucket struct {
	objects.Bucket
	lost, read *atomic.Bool
}

func (b lossyBucket) Create(ctx context.Context, o layout.Object, body io.Reader) error {
	if b.lost.CompareAndSwap(false, true) {
		return fmt.Errorf("create %s: %w", o.Key, io.ErrUnexpectedEOF)
	}
	return b.Bucket.Create(ctx, o, body)
}

// Get loses the first connection that reads an object.
func (b lossyBucket) Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	if b.read.CompareAndSwap(false, true) {
		return nil, layout.Meta{}, fmt.Errorf("get %s: %w", key, syscall.ECONNREFUSED)
	}
	return b.Bucket.Get(ctx, key)
}

// A lost connection does not end a reindex, whose outcome is for good, nor a look at what it would change.
func TestReindexGoesOnAfterLostConnection(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(s.putDebs(jammy, "p", 2)...))
		s.yank(jammy, "p0001", "1.0")
		var lost, read atomic.Bool
		p, err := publish.New(publish.Config{
			Bucket: lossyBucket{s.Bucket, &lost, &read}, Catalog: s.Catalog, Signer: s.Signer(), Rows: debRows{}, PublicURL: s.Config.PublicURL, Now: time.Now, Log: s.Log,
		})
		if err != nil {
			t.Fatal(err)
		}
		s.Publisher = p
		s.wantDryReindex(counts{pipelines.OutcomeDifferent: 1})
		s.wantReindex(fromRows, counts{catalogdb.OutcomePublished: 1})
		if !lost.Load() || !read.Load() {
			t.Errorf("lost when it created an object: %v, when it read one: %v", lost.Load(), read.Load())
		}
		s.wantRelease(jammy, 1)
	})
}

// A busyBucket calls busy before it lists the package files of a release, which a reindex asks for.
type busyBucket struct {
	objects.Bucket
	busy func(key string)
}

func (b busyBucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	b.busy(prefix)
	return b.Bucket.List(ctx, prefix, f)
}

// whileBusy has busy called while releases of a site are reindexed.
func (s *site) whileBusy(busy func(key string)) {
	s.t.Helper()
	p, err := publish.New(publish.Config{
		Bucket: busyBucket{s.Bucket, busy}, Catalog: s.Catalog, Signer: s.Signer(), Rows: debRows{}, PublicURL: s.Config.PublicURL, Now: time.Now, Log: s.Log,
	})
	if err != nil {
		s.t.Fatal(err)
	}
	whole := s.Publisher
	s.Publisher = p
	s.t.Cleanup(func() { s.Publisher = whole })
}

// What an interrupted process leaves is done by another one, at once, and nothing twice.
func TestReindexInterrupted(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		s.ingest(s.batch(append(s.putDebs(jammy, "p", 1), s.putDebs(noble, "p", 1)...)...))
		ctx, interrupt := context.WithCancel(t.Context())
		s.whileBusy(func(key string) {
			if ctx.Err() == nil && strings.Contains(key, "/noble/") { // the other one is through
				proctest.Eventually(t, "the other release is through", func() bool { return len(s.results()) == 1 })
				interrupt()
			}
		})
		got, err := s.reindex(ctx, fromRows)
		if err == nil || len(got) != 1 {
			t.Errorf("interrupted: %v, %+v", err, got)
		}
		first := got[jammy.String()]
		if err := s.reindexer("other").Work(t.Context(), []catalog.Release{jammy, noble}); err != nil {
			t.Error(err)
		}
		got = s.results()
		if diff := cmp.Diff(counts{catalogdb.OutcomeIdentical: 2}, got.outcomes()); diff != "" || !cmp.Equal(first, got[jammy.String()]) {
			t.Errorf("continued: %+v (-want +got):\n%s", got, diff)
		}
	})
}

// A reindex that is cancelled, or taken by another process, while it is worked on does not end by its first process.
func TestReindexEndedByOthers(t *testing.T) {
	for _, tt := range []struct {
		fact   string
		others func(ctx context.Context, s *site) error
		want   string // who has it, or how it ended
	}{
		{"cancelled", func(ctx context.Context, s *site) error {
			_, err := s.Catalog.CancelReindexes(ctx, []catalog.Release{jammy}, s.Now(ctx))
			return err
		}, "cancelled"},
		{"taken", func(ctx context.Context, s *site) error {
			_, taken, err := s.Catalog.TakeReindex(ctx, jammy, catalogdb.Lease{Owner: "other", For: time.Hour}, s.Now(ctx).Add(time.Hour))
			if err == nil && !taken {
				err = errFault
			}
			return err
		}, "other"},
	} {
		t.Run(tt.fact, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			s.ingest(s.batch(s.putDebs(jammy, "p", 1)...))
			ctx, stop := context.WithCancel(t.Context())
			var once sync.Once
			s.whileBusy(func(string) {
				once.Do(func() {
					if err := tt.others(t.Context(), s); err != nil {
						t.Error(err)
					}
					time.AfterFunc(time.Second, stop) // or the other one would be waited for
				})
			})
			if _, err := s.reindex(ctx, fromRows); err != nil && ctx.Err() == nil {
				t.Error(err)
			}
			all, err := s.Catalog.Reindexes(t.Context())
			if err != nil || len(all) != 1 || all[0].Owner+string(all[0].Outcome) != tt.want {
				t.Errorf("it is %+v, %v; want %s", all, err, tt.want)
			}
		})
	}
}

// Workers do what is asked for by any process: nothing but the catalog is needed for that.
func TestWorkersReindex(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(append(s.putDebs(jammy, "p", 3), s.putDebs(noble, "p", 2)...)...))
	stop := s.serve(mute, time.Minute)
	for range 2 {
		numbers, _, err := s.ask(t.Context(), fromRows)
		if err == nil {
			err = pipelines.FollowReindexes(t.Context(), s.Catalog, numbers, func([]catalogdb.Reindex) error { return nil })
		}
		if diff := cmp.Diff(counts{catalogdb.OutcomeIdentical: 2}, s.results().outcomes()); err != nil || diff != "" {
			t.Errorf("outcomes: %v (-want +got):\n%s", err, diff)
		}
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// On a company's servers: the catalog is lost and rebuilt from the bucket, and no index byte changes.
func TestProductionReindexAfterLoss(t *testing.T) {
	t.Parallel()
	p := newProduction(t, s3test.Start(t))
	uploads := append(p.putDebs(jammy, "p", 3), p.put("acme/tools/el/9/h.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	p.ingest(p.batch(uploads...))
	p.yank(jammy, "p0001", "1.0")
	p.wantReindex(fromRows, counts{catalogdb.OutcomeIdentical: 3, catalogdb.OutcomePublished: 1})
	was := p.publishedReleases()

	cfg := p.Config
	cfg.Staging, cfg.Catalog = "", mysqltest.Start(t)
	migrate(t, cfg.Catalog)
	fresh := openSite(t, "", cfg, runDirect)
	if got, err := fresh.reindex(t.Context(), fromPublished); err != nil || len(got) != 4 || got.outcomes()[catalogdb.OutcomeFailed] > 0 {
		t.Errorf("from what is published: %v: %+v", err, got)
	}
	all, err := fresh.Catalog.Reindexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all { // a long transaction keeps signs of life out of the catalog
		if left := x.Until.Sub(*x.Finished); left < 10*time.Minute {
			t.Errorf("%s was leased for %v more when its rows were rebuilt", x.Release, left)
		}
	}
	fresh.wantReindex(fromRows, counts{catalogdb.OutcomeIdentical: 4})
	fresh.wantNothingLost(was)
	fresh.wantRelease(jammy, 2)
	fresh.wantRelease(el9, 1)
}

// The database goes away while a release is reindexed: clients see what they saw, and when it is back, the reindex is done.
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
	_, releases, err := s.ask(t.Context(), fromRows)
	if err != nil {
		t.Fatal(err)
	}
	var killed sync.Once
	s.whileBusy(func(string) { killed.Do(func() { server.Kill(t) }) })
	if err := s.reindexer("first").Work(t.Context(), releases); err == nil {
		t.Error("without a database it ended well")
	}
	after := s.files()
	for key, body := range before {
		if after[key] != body && !strings.HasPrefix(key, ".") {
			t.Errorf("%s has changed", key)
		}
	}
	server.Restart(t)
	s.wantRelease(jammy, 2)
	if err := s.Catalog.Ready(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Its lease goes on for a minute: its process may be at work.
	later := catalogdb.Lease{Owner: "second", For: time.Minute}
	x, taken, err := s.Catalog.TakeReindex(t.Context(), jammy, later, time.Now().Add(time.Hour))
	if err != nil || !taken || x.Attempts != 2 {
		t.Fatalf("taken by another: %+v, %t, %v", x, taken, err)
	}
	if err := s.Catalog.ReturnReindex(t.Context(), x); err != nil {
		t.Fatal(err)
	}
	if err := s.reindexer("second").Work(t.Context(), releases); err != nil {
		t.Error(err)
	}
	if got := s.results()[jammy.String()]; got.Outcome != catalogdb.OutcomePublished {
		t.Errorf("it ended as %+v", got)
	}
	s.wantRelease(jammy, 1)
}
