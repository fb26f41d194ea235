package pipelines_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"repomill/pipelines/objects"
	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/proctest"
)

// limited opens a site again with a limit on uploads. One in company has a fifteenth of it.
func (s *site) limited(limit time.Duration) *site {
	cfg := s.Config
	cfg.UploadLimit = limit
	return openSite(s.t, s.dir, cfg, s.run)
}

// Two uploads that hang, pushed one by one, delay neither other uploads nor the publish of another release.
func TestHangingUploadsHoldUpNobody(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect).limited(90 * time.Second)
	s.guard(func(ctx context.Context, key string) error {
		if strings.Contains(key, "slow") {
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	events := make(chan catalog.Upload)
	stop := s.serve(onDemand(events), time.Second)
	for _, name := range []string{"slow-a", "slow-b"} {
		events <- s.putDebs(noble, name, 1)[0]
		time.Sleep(300 * time.Millisecond) // so that each is a batch
	}
	good := s.putDebs(jammy, "good", 1)
	start := time.Now()
	events <- good[0]
	proctest.Eventually(t, "the good one is published", func() bool { return s.allAre("published", good) })
	if took := time.Since(start); took > time.Minute { // as long as one that hangs may, when it is tried alone
		t.Errorf("it took %s", took)
	}
	wantStopped(t, stop)
}

// A muted bucket takes requests and, while it is down, answers none.
type mutedBucket struct {
	objects.Bucket
	down *atomic.Bool
}

func (b mutedBucket) Stat(ctx context.Context, key string) (layout.Meta, error) {
	if b.down.Load() {
		<-ctx.Done()
		return layout.Meta{}, ctx.Err()
	}
	return b.Bucket.Stat(ctx, key)
}

// An outage does not count against an upload, however long it lasts.
func TestOutageIsNoUploadsFault(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect).limited(5 * time.Second) // for all up to the bucket
	var down atomic.Bool
	var attempts atomic.Int32
	down.Store(true)
	s.Resources.Bucket = mutedBucket{s.Resources.Bucket, &down}
	s.guard(func(ctx context.Context, _ string) error {
		if down.Load() {
			attempts.Add(1)
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	})
	u := s.putDebs(jammy, "good", 1)
	b := s.batch(u...)
	b.Alone = true
	s.ingest(b) // asks the bucket, in vain
	down.Store(false)
	if attempts.Load() == 0 {
		t.Fatal("the bucket was not asked")
	}
	if err := s.Catalog.Return(t.Context(), u[0], b.Tasks[0].Token); err != nil {
		t.Fatal(err)
	}
	s = s.limited(time.Hour)
	for range 4 { // as many attempts as an upload has, had the first one counted
		s.wantStates("received", u...)
		b := s.batch(u...)
		if err := s.Catalog.Return(t.Context(), u[0], b.Tasks[0].Token); err != nil {
			t.Fatal(err)
		}
	}
	s.ingest(s.batch(u...))
	s.wantStates("published", u...)
}

// An unlistable staging bucket is one whose events come, and whose objects cannot be listed.
type unlistable struct{ objects.Staging }

func (unlistable) List(context.Context, time.Time, func(catalog.Upload)) error { return errFault }

// Who runs once has to know that something may be left.
func TestOnceSaysThatStagingWasNotListed(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.Resources.Staging = unlistable{s.Resources.Staging}
	d := worker.Dispatcher{Resources: s.Resources, Source: mute, Run: runDirect, Once: true}
	if err := d.Serve(t.Context(), grace); err == nil || !strings.Contains(err.Error(), errFault.Error()) {
		t.Errorf("got %v", err)
	}
}
