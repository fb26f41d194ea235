package pipelines_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

// A ledger is a source that remembers how its events were settled.
type ledger struct {
	mu      sync.Mutex
	settled map[string][]bool // by object
}

func (l *ledger) event(u catalog.Upload) queue.Event {
	return queue.Event{Upload: u, Settle: func(final bool) {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.settled == nil {
			l.settled = map[string][]bool{}
		}
		l.settled[u.Object] = append(l.settled[u.Object], final)
	}}
}

func (l *ledger) of(u catalog.Upload) []bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.settled[u.Object]
}

// source delivers each upload so many times.
func (l *ledger) source(times int, uploads ...catalog.Upload) source {
	return func(ctx context.Context, f func(queue.Event)) error {
		for range times {
			for _, u := range uploads {
				f(l.event(u))
			}
		}
		<-ctx.Done()
		return nil
	}
}

// An event is settled when the catalog has the final verdict, not before, and as often as it came.
func TestEventsAreAcknowledgedAfterTheCatalogCommitted(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	cfg := s.Config
	cfg.UploadLimit = 45 * time.Second // three in company
	s = openSite(t, s.dir, cfg, runDirect)
	open := make(chan struct{})
	s.guard(func(ctx context.Context, key string) error {
		if strings.Contains(key, "slow") {
			select {
			case <-open:
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		return nil
	})
	var l ledger
	good, garbage := s.putDebs(jammy, "good", 1)[0], s.put("acme/tools/ubuntu/jammy/garbage.deb", []byte("garbage"))
	slow := s.putDebs(noble, "slow", 1)[0]
	hidden := catalog.Upload{Bucket: good.Bucket, Object: "acme/.part", Generation: "1"}
	stop := s.serve(l.source(2, slow, good, garbage, hidden), grace)
	for name, u := range map[string]catalog.Upload{"a good one": good, "a bad one": garbage, "a hidden one": hidden} {
		proctest.Eventually(t, name+" is settled twice", func() bool { return len(l.of(u)) == 2 })
		for _, final := range l.of(u) {
			if !final {
				t.Errorf("%s is left to others", name)
			}
		}
	}
	s.wantStates("published", good)
	if got := l.of(slow); len(got) != 0 {
		t.Errorf("one that is being stored is settled: %v", got)
	}
	close(open)
	proctest.Eventually(t, "the slow one is settled", func() bool { return len(l.of(slow)) == 2 })
	s.wantStates("published", slow)
	wantStopped(t, stop)
}

// What a process does not finish is left to others.
func TestEventsAreLeftToOthersAtTheEnd(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	reached := make(chan struct{}, 100)
	s.guard(func(ctx context.Context, _ string) error {
		reached <- struct{}{}
		<-ctx.Done()
		return ctx.Err()
	})
	var l ledger
	u := s.putDebs(jammy, "slow", 1)[0]
	stop := s.serve(l.source(1, u), 20*time.Millisecond)
	<-reached
	wantStopped(t, stop)
	if got := l.of(u); len(got) != 1 || got[0] {
		t.Errorf("settled %v, want once, for others", got)
	}
}

// An event of an upload that another worker has leased waits for that one's verdict.
func TestEventOfAnotherWorkersUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	u := s.putDebs(jammy, "hello", 1)[0]
	b := s.batch(u) // another worker has the lease
	var l ledger
	stop := s.serve(l.source(1, u), grace)
	time.Sleep(300 * time.Millisecond)
	if got := l.of(u); len(got) != 0 {
		t.Errorf("settled %v while another worker has the lease", got)
	}
	s.ingest(b)
	proctest.Eventually(t, "it is settled", func() bool { return len(l.of(u)) == 1 && l.of(u)[0] })
	wantStopped(t, stop)
}

// A dispatcher that runs once ends by itself when everything is done that can be done.
func TestServeOnce(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.guard(func(_ context.Context, key string) error {
		if strings.Contains(key, "faulty") {
			return errFault
		}
		return nil
	})
	uploads, faulty := s.putDebs(jammy, "hello", 20), s.putDebs(jammy, "faulty", 1)
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: runDirect, Once: true}
	if err := d.Serve(ctx, grace); err != nil || ctx.Err() != nil {
		t.Fatalf("got %v, %v", err, ctx.Err())
	}
	s.wantStates("published", uploads...)
	s.wantStates("received", faulty...)
	s.wantRelease(jammy, 20)
}

// All that is queued before the start makes one publish of each release.
func TestServeQueuedBeforeStart(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	var uploads []catalog.Upload
	releases := []catalog.Release{jammy, noble, release("acme/tools/debian/bookworm"), release("acme/other/debian/trixie")}
	for i := range 9 {
		for _, r := range releases {
			name := string(rune('a' + i))
			uploads = append(uploads, s.put(r.String()+"/"+name+".deb", deb(t, "pkg-"+name)))
		}
	}
	s.holdUntilListed()
	var l ledger
	start := time.Now()
	stop := s.serve(l.source(1, uploads...), grace)
	proctest.Eventually(t, "all are published", func() bool { return s.allAre("published", uploads) })
	wantStopped(t, stop)
	for _, r := range releases {
		s.wantRelease(r, 9)
		s.wantOnePublish(r, 0, start)
	}
}

// A repository whose published settings cannot be read has its uploads wait, and those of no other one.
func TestUnreadableSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	key := layout.SettingsKey(catalog.Repository{Owner: "acme", Name: "broken"})
	s.plant(key, "no JSON")
	good := s.putDebs(jammy, "good", 1)[0]
	waits := s.put("acme/broken/ubuntu/jammy/hello.deb", deb(t, "hello"))
	stop := s.serve(mute, grace)
	proctest.Eventually(t, "the good one is published", func() bool { return s.state(good) == "published" })
	s.wantStates("received", waits)
	if err := os.Remove(filepath.Join(s.dir, "bucket", key)); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "the other one is published", func() bool { return s.state(waits) == "published" })
	wantStopped(t, stop)
}
