// Package worker runs the pipelines: events of staged uploads become runs of the ingest pipeline, and what is behind in the
// catalog is published. A crash or a lost event leaves work that its periodic loops find again.
package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
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
	maxAgain   = 4                      // pipelines at a time, of uploads that were not finished before
	maxWaiting = 1000                   // uploads of each queue in memory; then the source is held back
	maxParked  = 500                    // events of stored uploads that wait for a publish; half of what a source has out
	maxDelayed = 5000                   // uploads that wait to be tried again; the sweep finds the others

	leaseTime        = time.Minute
	progressAfter    = time.Second     // when the uploader reads that work is going on,
	maxProgressDelay = 6 * time.Second // of many in one batch a little later
	maxRetryDelay    = time.Minute
)

// A Dispatcher turns events into runs of the pipelines, and sweeps up what events missed. An event is
// settled when the catalog says that its upload has its final verdict. Several dispatchers may work on
// the same resources: leases keep them apart.
type Dispatcher struct {
	Resources *pipelines.Resources
	Source    queue.Source
	Run       func(context.Context, *beam.Pipeline) error // on a runner; may be called concurrently
	Once      bool                                        // end when nothing is left that can be done

	owner     string
	small     *batcher
	large     *batcher // a queue of their own, so that small ones need not wait for them
	again     *batcher // uploads that an earlier attempt did not finish, each alone
	suspect   *batcher // uploads whose last attempt did not end in good order, one at a time
	inFlight  inFlight
	left      leftReleases // whose rows are ahead of what clients see
	unsigned  leftReleases // that should be signed by other keys
	keyrings  keyrings
	settings  *SettingsImport
	ending    <-chan struct{} // closed when no more work is begun
	reporting sync.WaitGroup  // about to write verdict objects of unfinished uploads
	releases  *schedule
	lastEvent atomic.Int64 // nanoseconds since 1970
	unlisted  error        // with Once: why staging was not listed
	collected time.Time    // when superseded objects were looked for last
	keyError  string       // why the keys were not read the last time

	urgentFrom time.Time // when removals that failed are tried again
}

// Serve works until ctx ends, or with Once until nothing is left to do, and then finishes what is
// active, for as long as grace allows. It may be called once.
func (d *Dispatcher) Serve(ctx context.Context, grace time.Duration) error {
	d.owner = "dispatcher-" + rand.Text()[:8]
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(grace, kill) })()
	defer d.Resources.Announce(ctx, d.owner)()
	settings, err := ImportSettings(ctx, d.Resources)
	if err != nil && ctx.Err() == nil {
		return err
	}
	d.settings = cmp.Or(settings, &SettingsImport{resources: d.Resources}) // ending: nothing is judged
	d.ending = ctx.Done()
	batchers := d.openBatchers(ctx)
	d.releases = newSchedule(d.publishRelease, d.small.aheadOf)

	// The source ends last: until then, what is not settled stays ours.
	ended := make(chan error, 1)
	go func() { ended <- d.receive(ctx); stop() }()
	var working sync.WaitGroup
	for _, l := range batchers {
		working.Go(func() { l.work(ctx, work) })
	}
	working.Go(func() { d.sweep(ctx, work, stop) })
	working.Go(func() { d.catchUp(ctx, work) })
	working.Go(func() { d.catchUpSettings(ctx, work) })
	working.Go(func() { d.catchUpKeys(ctx, work) })
	working.Go(func() { d.reindexBehind(ctx) })
	working.Wait()
	d.releases.running.Wait()
	d.reporting.Wait()
	d.Resources.WriteVerdicts(work)
	d.settleParked(work, catalog.Repository{})
	d.inFlight.abandon()
	return cmp.Or(<-ended, d.unlisted)
}

func (d *Dispatcher) openBatchers(ctx context.Context) []*batcher {
	ingest := func(alone bool) processor {
		return func(work context.Context, us []catalog.Upload) {
			d.publishTouched(ctx, work, d.process(work, us, alone))
		}
	}
	d.small = newBatcher(maxBatch, maxRuns, ingest(false))
	d.large = newBatcher(1, maxRuns, ingest(true))
	d.again = newBatcher(1, maxAgain, ingest(true))
	d.suspect = newBatcher(1, 1, ingest(true))
	return []*batcher{d.small, d.large, d.again, d.suspect}
}

func (d *Dispatcher) receive(ctx context.Context) error {
	err := d.Source.Receive(ctx, func(e queue.Event) { d.enqueue(ctx, e) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

// enqueue puts an upload on its queue, unless it is active or finished already. It returns when there
// is room, or ctx ends.
func (d *Dispatcher) enqueue(ctx context.Context, e queue.Event) {
	if layout.Hidden(e.Upload.Object) {
		if e.Settle != nil {
			e.Settle(true)
		}
		return
	}
	if e.Upload.Size == 0 { // not said: how long it may take depends on it
		if now, err := d.Resources.Staging.Stat(ctx, e.Upload.Object); err == nil && now.Generation == e.Upload.Generation {
			e.Upload.Size = now.Size
		}
	}
	if d.inFlight.add(e.Upload, e.Settle, time.Now()) {
		d.route(ctx, e.Upload)
	}
}

// route puts an active upload on its queue.
func (d *Dispatcher) route(ctx context.Context, u catalog.Upload) {
	state, err := d.Resources.Catalog.State(ctx, u)
	switch {
	case err == nil && state.Final():
		d.inFlight.done(u)
		return
	case err == nil && state == catalog.Stored: // until its releases are published
		d.inFlight.park(u, true)
	case err == nil:
		d.suspect.put(ctx, u)
	case u.Size > large:
		d.large.put(ctx, u)
	default: // new; or the catalog cannot say, and will not give a lease either
		d.small.put(ctx, u)
	}
	d.lastEvent.Store(time.Now().UnixNano())
}

// tryAgain queues an active upload once more, later each time.
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

// settleParked settles the events of uploads that got their final verdict since they were parked; of
// one repository, or of all if it is empty.
func (d *Dispatcher) settleParked(ctx context.Context, of catalog.Repository) {
	parked := slices.DeleteFunc(d.inFlight.parked(), func(u catalog.Upload) bool {
		return of != (catalog.Repository{}) && repositoryOf(u.Object) != of
	})
	states, err := d.Resources.Catalog.States(ctx, parked)
	if err != nil {
		return // the next round asks again
	}
	for u, state := range states {
		if state.Final() {
			d.inFlight.done(u)
		}
	}
}
