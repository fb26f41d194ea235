package pipelines_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// A source is a queue.Source that is a function.
type source func(ctx context.Context, f func(queue.Event)) error

func (s source) Receive(ctx context.Context, f func(queue.Event)) error { return s(ctx, f) }

// mute is a source that loses every event.
var mute = source(func(ctx context.Context, _ func(queue.Event)) error { <-ctx.Done(); return nil })

// saying returns a source of these events, once each.
func saying(uploads ...catalog.Upload) source {
	return func(ctx context.Context, f func(queue.Event)) error {
		for _, u := range uploads {
			f(queue.Event{Upload: u})
		}
		return mute(ctx, f)
	}
}

// serve starts a dispatcher. stop makes it end, within grace, and returns its error.
func (s *site) serve(events queue.Source, grace time.Duration) (stop func() error) {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.t.Context()))
	d := worker.Dispatcher{Resources: s.Resources, Source: events, Run: s.run}
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, grace) }()
	var stopped bool
	stop = func() error {
		s.t.Helper()
		if stopped {
			return nil
		}
		stopped = true
		cancel()
		select {
		case err := <-ended:
			return err
		case <-time.After(3 * time.Minute):
			return errors.New("the dispatcher has not ended within three minutes")
		}
	}
	s.t.Cleanup(func() { stop() })
	return stop
}

// onDemand returns a source of the events that come through a channel.
func onDemand(events <-chan catalog.Upload) source {
	return func(ctx context.Context, f func(queue.Event)) error {
		for {
			select {
			case u := <-events:
				f(queue.Event{Upload: u})
			case <-ctx.Done():
				return nil
			}
		}
	}
}

// watch returns the source that watches a site's folder.
func (s *site) watch() queue.Source {
	s.t.Helper()
	source, err := queue.Open(s.t.Context(), "dir://", s.Staging)
	if err != nil {
		s.t.Fatal(err)
	}
	return source
}

const grace = 30 * time.Second

// wantStopped ends a dispatcher that nothing is wrong with.
func wantStopped(t *testing.T, stop func() error) {
	t.Helper()
	if err := stop(); err != nil {
		t.Error(err)
	}
}

// Many uploads that are there already are published together, a few times at most, once each.
func TestServeBacklog(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		n := 300
		if testing.Short() {
			n = 30
		}
		uploads := s.putDebs(jammy, "hello", n)
		rpm := s.put("acme/tools/el/9/hello.rpm", rpmtest.Build(t, rpmtest.Spec{}))
		garbage := s.put("acme/tools/el/9/garbage.rpm", []byte("garbage"))
		watch := s.watch()
		s.holdUntilListed()
		start := time.Now()
		stop := s.serve(watch, grace)
		proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", append(uploads, rpm)) })
		t.Logf("%d packages in %s, %d publishes", len(uploads), time.Since(start).Round(time.Millisecond), s.publishes(jammy))
		s.wantStates("rejected not-a-package", garbage)
		if n := s.publishes(jammy); n > 6 {
			t.Errorf("%d publishes for one backlog", n)
		}
		late := s.put("acme/tools/ubuntu/jammy/late.deb", deb(t, "late"))
		proctest.Eventually(t, "a late one is published", func() bool { return s.state(late) == "published" })
		wantStopped(t, stop)
		s.wantRelease(jammy, len(uploads)+1)
		s.wantRelease(el9, 1)
		for _, u := range append(uploads, rpm, late) {
			s.wantVerdict(u, catalog.Published)
		}
		s.wantVerdict(garbage, catalog.Rejected)
	})
}

func TestServeEvents(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name   string
		events func([]catalog.Upload) source
	}{
		{"each event comes three times", func(us []catalog.Upload) source { return saying(slices.Concat(us, us, us)...) }},
		{"no event comes, and the scan finds the files", func([]catalog.Upload) source { return mute }},
		{"sizes in events differ", func(us []catalog.Upload) source {
			again := slices.Clone(us)
			for i := range again {
				again[i].Size++
			}
			return saying(slices.Concat(us, again)...)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, runDirect)
			uploads := s.putDebs(jammy, "hello", 20)
			stop := s.serve(tt.events(uploads), grace)
			proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", uploads) })
			wantStopped(t, stop)
			s.wantRelease(jammy, len(uploads))
			if recent, err := s.Catalog.Recent(t.Context(), "", 100); err != nil || len(recent) != len(uploads) {
				t.Errorf("%d uploads were recorded, %v", len(recent), err)
			}
		})
	}
}

// Names that are the server's own are no uploads.
func TestServeIgnoresHiddenNames(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	u := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "hello"))
	hidden := catalog.Upload{Bucket: u.Bucket, Object: ".results/acme/tools/ubuntu/jammy/hello.deb.json", Generation: "1"}
	stop := s.serve(saying(hidden, u), grace)
	proctest.Eventually(t, "the upload is published", func() bool { return s.state(u) == "published" })
	wantStopped(t, stop)
	s.wantStates("", hidden)
}

// An upload that was taken up, and whose file was then removed, ends with a verdict all the same.
func TestServeEndsUploadsWhoseFileIsGone(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	u := s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "hello"))
	s.task(u)
	if err := os.Remove(filepath.Join(s.dir+"/staging", u.Object)); err != nil {
		t.Fatal(err)
	}
	if err := s.Catalog.EndLeases(t.Context()); err != nil { // the worker that leased it has crashed
		t.Fatal(err)
	}
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "the upload is rejected", func() bool { return s.state(u) == "rejected replaced" })
	wantStopped(t, stop)
}

// The uploader of what is there already need not wait for a dispatcher's next round to hear of it.
func TestStoreTellsOfDuplicatesAtOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.ingest(s.batch(s.put("acme/tools/ubuntu/jammy/hello.deb", deb(t, "hello"))))
	u := s.put("acme/tools/ubuntu/jammy/copy.deb", deb(t, "hello"))
	p, root := beam.NewPipelineWithRoot()
	pipelines.Ingest(root, s.Config, beam.Create(root, s.batch(u)))
	if err := runDirect(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.wantVerdict(u, catalog.Duplicate)
	if n := s.publishes(jammy); n != 1 {
		t.Errorf("%d publishes", n)
	}
}

// After a signal to end, running batches are finished, and no other is begun. The next start goes on.
func TestServeFinishesWorkInHand(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	reached, open := make(chan string), make(chan struct{})
	s.guard(func(_ context.Context, key string) error {
		reached <- key
		<-open
		return nil
	})
	events := make(chan catalog.Upload)
	stop := s.serve(source(func(ctx context.Context, f func(queue.Event)) error {
		defer close(open) // when it has to end
		return onDemand(events)(ctx, f)
	}), grace)
	var inHand []catalog.Upload
	for _, prefix := range []string{"first", "second"} { // as many runs as there may be
		u := s.putDebs(jammy, prefix, 1)[0]
		inHand = append(inHand, u)
		events <- u
		<-reached
	}
	rest := s.putDebs(jammy, "rest", 3)
	for _, u := range rest {
		events <- u
	}
	wantStopped(t, stop)
	for _, u := range inHand {
		s.wantStates("published", u)
		s.wantVerdict(u, catalog.Published)
	}
	s.wantStates("", rest...)

	s.Ingester.Bucket = s.Bucket
	stop = s.serve(mute, grace)
	proctest.Eventually(t, "the rest is published", func() bool { return s.allAre("published", rest) })
	wantStopped(t, stop)
	s.wantRelease(jammy, 5)
}

// When grace is over, work is given up in good order: its leases are free for the next start at once,
// and the attempt does not count.
func TestServeGivesUpAfterGrace(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	u := s.put("acme/tools/ubuntu/jammy/slow.deb", deb(t, "slow"))
	reached := make(chan struct{}, 100)
	s.guard(func(ctx context.Context, _ string) error {
		reached <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	for range catalogdb.MaxAttempts + 1 {
		stop := s.serve(mute, 20*time.Millisecond)
		<-reached
		wantStopped(t, stop)
		s.wantStates("received", u)
	}
	s.Ingester.Bucket = s.Bucket
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "it is published", func() bool { return s.state(u) == "published" })
	wantStopped(t, stop)
}

// What met a fault is tried again by itself, however often, and delays no other upload.
func TestServeRetriesFaults(t *testing.T) {
	onEachRunner(t, func(t *testing.T, run runner) {
		s := newSite(t, run)
		var broken atomic.Bool
		broken.Store(true)
		s.guard(func(_ context.Context, key string) error {
			if broken.Load() && key != "acme/tools/ubuntu/pool/jammy/main/f/fine/fine_1.0_amd64.deb" {
				return errFault
			}
			return nil
		})
		fine := s.put("acme/tools/ubuntu/jammy/fine.deb", deb(t, "fine"))
		uploads := s.putDebs(jammy, "hello", 3)
		stop := s.serve(s.watch(), grace)
		proctest.Eventually(t, "the fine one is published", func() bool { return s.state(fine) == "published" })
		s.wantStates("received", uploads...)
		proctest.Eventually(t, "the uploader is told of the fault", func() bool {
			v := s.verdict(uploads[0].Object)
			return v.State == catalog.Received && strings.Contains(v.Detail, errFault.Error())
		})
		broken.Store(false)
		proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", uploads) })
		proctest.Eventually(t, "the fault is forgotten", func() bool {
			v := s.verdict(uploads[0].Object)
			return v.State == catalog.Published && v.Detail == ""
		})
		wantStopped(t, stop)
		s.wantRelease(jammy, 4)
	})
}

// A run that fails as a whole is tried again. The uploads' leases do not prevent that.
func TestServeRetriesFailedRuns(t *testing.T) {
	t.Parallel()
	var runs atomic.Int32
	s := newSite(t, func(ctx context.Context, p *beam.Pipeline) error {
		if runs.Add(1) == 1 {
			return errors.New("the runner is out of order")
		}
		return runDirect(ctx, p)
	})
	uploads := s.putDebs(jammy, "hello", 3)
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", uploads) })
	wantStopped(t, stop)
	s.wantRelease(jammy, 3)
}

// What was stored before a crash, but not published, needs no event.
func TestServePublishesWhatIsLeft(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	uploads := s.putDebs(jammy, "hello", 2)
	p, root := beam.NewPipelineWithRoot()
	pipelines.Ingest(root, s.Config, beam.Create(root, s.batch(uploads...)))
	if err := runDirect(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	s.wantStates("stored", uploads...)
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", uploads) })
	proctest.Eventually(t, "all are told", func() bool { return s.verdict(uploads[1].Object).State == catalog.Published })
	wantStopped(t, stop)
	s.wantRelease(jammy, 2)
}

// Large uploads take their time, and small ones do not wait for them. Who waits long hears that work goes on.
func TestServeLargeUploads(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	open := make(chan struct{})
	release := sync.OnceFunc(func() { close(open) })
	s.guard(func(_ context.Context, key string) error {
		if strings.Contains(key, "large") {
			<-open
		}
		return nil
	})
	slow := s.put("acme/tools/ubuntu/jammy/large.deb", debtest.Build(t, debtest.Spec{Name: "large", Arch: "amd64", Size: 65 << 20}))
	small := s.putDebs(jammy, "small", 5)
	stop := s.serve(saying(append(small, slow)...), grace)
	t.Cleanup(release) // comes before the dispatcher's
	proctest.Eventually(t, "the small ones are published", func() bool { return s.allAre("published", small) })
	proctest.Eventually(t, "the uploader hears of the large one", func() bool { return s.verdict(slow.Object).State == catalog.Received })
	release()
	proctest.Eventually(t, "the large one is published", func() bool { return s.state(slow) == "published" })
	wantStopped(t, stop)
	s.wantVerdict(slow, catalog.Published)
	s.wantRelease(jammy, 6)
}

// While work does not go on, a source is held back rather than read into memory.
func TestServeHoldsTheSourceBack(t *testing.T) {
	t.Parallel()
	s := newSite(t, func(ctx context.Context, _ *beam.Pipeline) error { <-ctx.Done(); return ctx.Err() })
	var said atomic.Int32
	stop := s.serve(source(func(ctx context.Context, f func(queue.Event)) error {
		for i := 0; ctx.Err() == nil; i++ {
			f(queue.Event{Upload: catalog.Upload{Bucket: "staging", Object: fmt.Sprintf("acme/tools%d/ubuntu/jammy/%d.deb", i%10, i), Generation: "1"}})
			said.Add(1)
		}
		return nil
	}), 20*time.Millisecond)
	var before int32
	proctest.Eventually(t, "the source is held back", func() bool {
		n := said.Load()
		held := n > 10_000 && n == before
		before = n
		time.Sleep(100 * time.Millisecond)
		return held
	})
	if n := said.Load(); n > 100_000 {
		t.Errorf("%d events were taken", n)
	}
	wantStopped(t, stop)
}

func TestServeEndsWithItsSource(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	err := (&worker.Dispatcher{
		Resources: s.Resources, Run: runDirect,
		Source: source(func(context.Context, func(queue.Event)) error { return errFault }),
	}).Serve(t.Context(), grace)
	if !errors.Is(err, errFault) {
		t.Errorf("got %v, want the source's fault", err)
	}
}

// Two processes, each with its own connections, share the work and never do it twice.
func TestTwoDispatchers(t *testing.T) {
	t.Parallel()
	a := newSite(t, runDirect)
	cfg := a.Config
	cfg.MaxPackageSize-- // another configuration has resources of its own
	b := openSite(t, a.dir, cfg, runDirect)
	if a.Resources == b.Resources {
		t.Fatal("both have the same resources")
	}
	uploads := append(a.putDebs(jammy, "hello", 100), a.put("acme/tools/el/9/noarch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})))
	stopA, stopB := a.serve(a.watch(), grace), b.serve(b.watch(), grace)
	more := b.putDebs(jammy, "more", 30)
	uploads = append(uploads, more...)
	proctest.Eventually(t, "all are published", func() bool { return a.allAre("published", uploads) })
	wantStopped(t, stopA)
	wantStopped(t, stopB)
	a.wantRelease(jammy, 130)
	a.wantRelease(el9, 1)
	for _, u := range uploads {
		a.wantVerdict(u, catalog.Published)
	}
}

// Serve leaves nothing running. It is not parallel: it counts.
func TestServeLeavesNothing(t *testing.T) {
	s := newSite(t, runDirect)
	serve := func(name string) {
		u := s.put("acme/tools/ubuntu/jammy/"+name+".deb", deb(t, name))
		faulty := s.put("acme/tools/ubuntu/jammy/fault-"+name+".deb", deb(t, "fault-"+name))
		stop := s.serve(s.watch(), grace)
		proctest.Eventually(t, "it is published", func() bool { return s.state(u) == "published" && s.state(faulty) == "received" })
		wantStopped(t, stop)
	}
	s.guard(func(_ context.Context, key string) error {
		if strings.Contains(key, "fault") {
			return errFault
		}
		return nil
	})
	serve("first") // opens what stays open
	before := runtime.NumGoroutine()
	serve("second")
	proctest.Eventually(t, "all goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
}
