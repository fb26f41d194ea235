// Package worker runs the pipelines: events of staged uploads become runs of the ingest pipeline, and releases that are behind are
// published. Periodic passes find the work that a crash or a lost event has left.
package worker

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	leaseTime        = time.Minute
	progressAfter    = time.Second      // when the uploader reads that work is going on, of several in one batch a little later,
	maxProgress      = 20               // of so many,
	allProgressAfter = 30 * time.Second // and of the others if they are not finished by then
	maxRetryDelay    = time.Minute
)

// A Dispatcher turns events into runs of the pipelines, and scans staging for uploads whose events were lost. It acknowledges an event
// only after the catalog has committed the final state of the upload. Several dispatchers may work on the same resources: leases keep
// them apart.
type Dispatcher struct {
	Resources *pipelines.Resources
	Source    queue.Source
	Run       func(context.Context, *beam.Pipeline) error // on a runner; may be called concurrently
	Once      bool                                        // end when nothing is left that can be done

	owner     string
	queue     *uploadQueue
	inFlight  inFlight
	left      leftReleases // whose rows are ahead of what clients see
	unsigned  leftReleases // that should be signed by other keys
	keyrings  keyrings
	settings  *SettingsImport
	ending    <-chan struct{} // closed when no more work is begun
	reporting sync.WaitGroup  // about to write verdict objects of unfinished uploads
	releases  *schedule
	pages     *pagesPass
	lastEvent atomic.Int64 // nanoseconds since 1970

	// Of one pass each.
	scanned           time.Time // when staging was scanned last
	scanTook          time.Duration
	unlisted          error     // with Once: why it was not
	collectFrom       time.Time // when superseded objects are looked for next
	garbage           garbage
	unresumed         int                              // uploads that are unfinished, and have no room here
	unpromoted        int                              // the same of promotions
	expiredFailed     int                              // uploads that could not be removed from staging, and are skipped
	doomedFailed      int                              // the same, of packages that are removed
	urgentFrom        time.Time                        // when removals that failed are tried again
	unsignedSnapshots map[catalog.Repository]time.Time // that could not be signed again, and when
	keysRead          time.Time                        // when the keys were read last
	keyError          string                           // why they were not read then
	outdated          error                            // why this program must not go on
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
	d.queue = newUploadQueue()
	d.pages = newPagesPass()
	d.releases = newSchedule(d.publishRelease, d.queue.aheadOf)
	d.releases.many = d.queue.manyOf

	// The source ends last: until then, no other process gets the events that are not settled.
	ended := make(chan error, 1)
	go func() { ended <- d.receive(ctx); stop() }()
	var working sync.WaitGroup
	working.Go(func() { d.queue.run(ctx, func(b *batch) { d.process(ctx, work, b) }) })
	working.Go(func() { d.runPasses(ctx, work, stop) })
	working.Wait()
	d.releases.running.Wait()
	d.reporting.Wait()
	d.settleFinished(work)
	d.inFlight.abandon()
	return cmp.Or(<-ended, d.unlisted, d.outdated)
}

func (d *Dispatcher) receive(ctx context.Context) error {
	err := d.Source.Receive(ctx, func(e queue.Event) { d.enqueue(ctx, e) })
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("events: %w", err)
	}
	return nil
}

// enqueue queues an upload, unless it is active already. It asks no resource: a source with many events of one repository
// delays those of others no longer than memory does. It returns when there is room, or ctx ends.
func (d *Dispatcher) enqueue(ctx context.Context, e queue.Event) {
	if layout.Hidden(e.Upload.Object) {
		if e.Settle != nil {
			e.Settle(true)
		}
		return
	}
	if !d.inFlight.add(e.Upload, e.Settle, time.Now()) {
		return
	}
	d.lastEvent.Store(time.Now().UnixNano())
	if !d.queue.offer(ctx, e.Upload) {
		d.inFlight.leave(e.Upload) // the scan finds it once there is room
	}
}

// tryAgain queues an active upload once more, later each time: as again if an attempt at it has failed, and as what it was if there
// was none, so that many are one batch after an outage of the catalog.
func (d *Dispatcher) tryAgain(u catalog.Upload, as kind) {
	faults, ok := d.inFlight.delay(u)
	if !ok {
		return // the scan finds it
	}
	time.AfterFunc(min(time.Second<<min(faults-1, 10), maxRetryDelay), func() {
		d.queue.put(u, as)
		d.inFlight.resume()
	})
}

// settleFinished writes the verdict objects that are missing, and settles the events of uploads that got their final verdict
// since they were parked, from this process or another.
func (d *Dispatcher) settleFinished(ctx context.Context) {
	d.settle(d.Resources.WriteVerdicts(ctx))
	states, err := d.Resources.Catalog.States(ctx, d.inFlight.parked())
	if err != nil {
		return // the next pass asks again
	}
	for u, state := range states {
		if state.Settled() {
			d.inFlight.done(u)
		}
	}
}

// settle settles the events of uploads that have their final verdict.
func (d *Dispatcher) settle(finished []catalog.Upload) {
	for _, u := range finished {
		d.inFlight.done(u)
	}
}
