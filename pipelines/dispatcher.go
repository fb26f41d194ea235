package pipelines

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// The dispatcher's bounds.
const (
	maxBatch   = 200                    // uploads in one pipeline
	quiet      = 40 * time.Millisecond  // a batch is complete when nothing arrived for so long,
	maxCollect = 250 * time.Millisecond // or after so long
	large      = 64 << 20               // bytes; a larger upload has a pipeline of its own
	maxRuns    = 2                      // pipelines at a time, of small uploads and of large ones each
	maxWaiting = 1000                   // uploads of each lane in memory; then the source is held back
	maxDelayed = 5000                   // uploads that wait to be tried again; the sweep finds the others

	leaseTime     = time.Minute
	progressAfter = 2 * time.Second // when the uploader is told that work is going on
	maxRetryDelay = time.Minute
)

// A Dispatcher turns events into runs of the ingest pipeline, and sweeps up what events missed.
// Several dispatchers may work on the same resources: leases keep them apart.
type Dispatcher struct {
	Resources *Resources
	Source    queue.Source
	Run       func(context.Context, *beam.Pipeline) error // on a runner; may be called concurrently

	owner    string
	small    lane
	large    lane // a lane of their own, so that small ones need not wait for them
	again    lane // uploads that were taken up before and not finished
	inFlight inFlight
	left     leftReleases
}

// Serve works until ctx ends and then finishes what is in hand, for as long as grace allows. It may be
// called once.
func (d *Dispatcher) Serve(ctx context.Context, grace time.Duration) error {
	d.owner = "dispatcher-" + rand.Text()[:8]
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	g, ctx := errgroup.WithContext(ctx)
	context.AfterFunc(ctx, func() {
		select {
		case <-time.After(grace):
			kill()
		case <-work.Done():
		}
	})
	d.small = newLane(maxBatch, maxRuns, d.ingest)
	d.large = newLane(1, maxRuns, d.ingest)
	d.again = newLane(maxBatch, 1, d.ingestAlone)
	for _, l := range []lane{d.small, d.large, d.again} {
		g.Go(func() error { l.work(ctx, work); return nil })
	}
	g.Go(func() error { d.sweep(ctx); return nil })
	g.Go(func() error { d.catchUp(ctx, work); return nil })
	g.Go(func() error {
		err := d.Source.Receive(ctx, func(u catalog.Upload) { d.enqueue(ctx, u) })
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("events: %w", err)
		}
		return nil
	})
	return g.Wait()
}

// enqueue puts an upload on its lane, unless it is in hand or finished already. It returns when there
// is room, or ctx ends.
func (d *Dispatcher) enqueue(ctx context.Context, u catalog.Upload) {
	if layout.Hidden(u.Object) || !d.inFlight.add(u) {
		return
	}
	state, err := d.Resources.Catalog.State(ctx, u)
	switch {
	case err == nil && state != catalog.Received: // what is stored but not published is not ours
		d.inFlight.done(u)
	case err == nil:
		d.again.put(ctx, u)
	case u.Size > large:
		d.large.put(ctx, u)
	default: // new; or the catalog cannot say, and will not give a lease either
		d.small.put(ctx, u)
	}
}

// tryAgain queues an upload in hand once more, later each time.
func (d *Dispatcher) tryAgain(ctx context.Context, u catalog.Upload) {
	faults, ok := d.inFlight.delay(u)
	if !ok {
		return // the sweep finds it
	}
	time.AfterFunc(min(time.Second<<min(faults-1, 10), maxRetryDelay), func() {
		d.again.put(ctx, u)
		d.inFlight.resume()
	})
}
