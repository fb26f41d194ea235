package pipelines_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/objects"
	"repomill/pipelines/queue"
	"repomill/publish/collect"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/proctest"
)

// Thousands of files that are no packages, pushed into one repository before a package of another one, do not delay that.
func TestFloodDelaysNoOtherRepository(t *testing.T) {
	t.Parallel()
	const flood = 3000
	s := newSite(t, runDirect)
	var events []catalog.Upload
	for i := range flood {
		events = append(events, s.put(fmt.Sprintf("acme/flood/ubuntu/jammy/%d.deb", i), []byte("0123456789")))
	}
	good := s.putDebs(jammy, "good", 1)
	var before atomic.Int64
	s.guard(func(ctx context.Context, _ string) error {
		n, err := s.Catalog.Recent(ctx, "", flood)
		before.Store(int64(len(n)))
		return err
	})
	stop := s.serve(saying(append(events, good...)...), time.Millisecond)
	proctest.Eventually(t, "the good one is published", func() bool { return s.allAre("published", good) })
	if n := before.Load(); n > flood/2 {
		t.Errorf("the package was stored after %d of the %d other files were begun", n, flood)
	}
	wantStopped(t, stop)
}

// A source like Pub/Sub delivers no more while too many of its events are unsettled. Uploads of one repository that fail, or whose
// release cannot be published, do not fill it.
func TestFailingUploadsDoNotBlockTheSource(t *testing.T) {
	t.Parallel()
	const out, failing = 300, 400
	s := newSite(t, runDirect)
	s.guard(func(_ context.Context, key string) error {
		if strings.Contains(key, "failing") {
			return errFault
		}
		return nil
	})
	uploads := s.putDebs(noble, "failing", failing)
	good := s.putDebs(release("acme/other/ubuntu/jammy"), "good", 1)
	var l ledger
	stop := s.serve(source(func(ctx context.Context, f func(queue.Event)) error {
		slots := make(chan struct{}, out)
		for _, u := range append(uploads, good...) {
			select {
			case slots <- struct{}{}:
			case <-ctx.Done():
				return nil
			}
			e := l.event(u)
			f(queue.Event{Upload: u, Settle: func(final bool) { e.Settle(final); <-slots }})
		}
		return mute(ctx, f)
	}), time.Second)
	proctest.Eventually(t, "the good one is settled", func() bool { got := l.of(good[0]); return len(got) == 1 && got[0] })
	s.wantStates("published", good...)
	for _, u := range uploads {
		if got := l.of(u); len(got) > 0 && got[0] {
			t.Errorf("the event of %s is acknowledged", u)
		}
	}
	wantStopped(t, stop)
}

// A stuckStaging removes nothing, and never returns before its context ends.
type stuckStaging struct {
	objects.Staging
	reached func(catalog.Upload)
}

func (s stuckStaging) Delete(ctx context.Context, u catalog.Upload) error {
	s.reached(u)
	<-ctx.Done()
	return ctx.Err()
}

// While removals from staging hang, uploads are found, also those whose event is lost, and are published and settled.
func TestRemovalThatHangsDelaysNoUpload(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.finished("doomed")
	collector, err := collect.New(collect.Config{Bucket: s.Bucket, Catalog: s.Catalog, Log: s.Log})
	if err != nil {
		t.Fatal(err)
	}
	w := catalogdb.PackageSelector{Repository: jammy.Repository, Distribution: jammy.Distribution, Name: "doomed", Version: "1.0"}
	packages, err := s.Catalog.Yank(t.Context(), w, catalog.Yank{Reason: "leaked"}, time.Now())
	if err == nil {
		_, err = collector.RemoveNow(t.Context(), packages)
	}
	if err != nil {
		t.Fatal(err)
	}
	old := catalog.Upload{Bucket: s.Staging.Name(), Object: "acme/tools/ubuntu/jammy/old.deb", Generation: "1"}
	long := time.Now().Add(-1000 * time.Hour)
	token, _, err := s.Catalog.Take(t.Context(), old, catalogdb.Lease{Owner: "test", For: time.Minute}, long)
	if err == nil {
		err = s.Catalog.Reject(t.Context(), old, token, catalog.Rejection{Reason: catalog.Empty}, long)
	}
	if err == nil {
		_, err = s.Catalog.VerdictsWritten(t.Context(), old)
	}
	if err != nil {
		t.Fatal(err)
	}
	doomed, expired := make(chan struct{}), make(chan struct{})
	reached := map[bool]func(){false: sync.OnceFunc(func() { close(doomed) }), true: sync.OnceFunc(func() { close(expired) })}
	s.Resources.Staging = stuckStaging{s.Resources.Staging, func(u catalog.Upload) { reached[u.Object == old.Object]() }}
	lost := s.putDebs(jammy, "lost", 1)
	stop := s.serve(mute, time.Second)
	<-doomed
	<-expired
	proctest.Eventually(t, "the one without an event is published", func() bool { return s.allAre("published", lost) })
	uploads := s.putDebs(noble, "hello", 2)
	p, root := beam.NewPipelineWithRoot()
	pipelines.Ingest(root, s.Config, beam.Create(root, s.batch(uploads...))) // as another process that ends then
	if err := runDirect(t.Context(), p); err != nil {
		t.Fatal(err)
	}
	proctest.Eventually(t, "they are published", func() bool { return s.allAre("published", uploads) })
	for _, u := range uploads {
		proctest.Eventually(t, "the verdict is written", func() bool { return s.verdict(u.Object).State == catalog.Published })
	}
	wantStopped(t, stop)
}
