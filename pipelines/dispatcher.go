package pipelines

import (
	"context"
	"crypto/rand"
	"fmt"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// The dispatcher's bounds.
const (
	maxBatch   = 200                    // uploads in one pipeline
	quiet      = 40 * time.Millisecond  // a batch is complete when nothing arrived for so long,
	maxCollect = 250 * time.Millisecond // or after so long
	large      = 64 << 20               // bytes; a larger upload has a pipeline of its own
	maxRuns    = 2                      // pipelines at a time, of small uploads and of large ones each
	maxWaiting = 1000                   // uploads of each kind in memory; then the source is held back

	leaseTime     = time.Minute
	progressAfter = 2 * time.Second // when the uploader is told that work is going on
	maxRetryDelay = time.Minute
)

// A Dispatcher turns events into runs of the ingest pipeline, and sweeps up what events missed.
type Dispatcher struct {
	Resources *Resources
	Source    queue.Source
	Run       func(context.Context, *beam.Pipeline) error // on a runner

	owner    string
	small    chan catalog.Upload
	large    chan catalog.Upload // a class of their own, so that small ones need not wait for them
	inFlight inFlight
}

// Serve works until ctx ends and then finishes what is in hand, for as long as grace allows.
func (d *Dispatcher) Serve(ctx context.Context, grace time.Duration) error {
	d.owner = "dispatcher-" + rand.Text()[:8]
	d.small = make(chan catalog.Upload, maxWaiting)
	d.large = make(chan catalog.Upload, maxWaiting)
	d.inFlight.retries = map[string]int{}

	work, kill := context.WithCancel(context.WithoutCancel(ctx))
	defer kill()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	failed := make(chan error, 1)
	var background sync.WaitGroup
	background.Go(func() {
		if err := d.Source.Receive(ctx, func(u catalog.Upload) { d.enqueue(ctx, u) }); err != nil {
			failed <- err
			cancel()
		}
	})
	renewing, stopRenewing := context.WithCancel(work)
	defer stopRenewing()
	go d.renew(renewing)
	background.Go(func() { d.sweep(ctx) })
	background.Go(func() { d.collect(ctx, work, d.large, 1) })
	d.collect(ctx, work, d.small, maxBatch)

	stop := time.AfterFunc(grace, kill)
	defer stop.Stop()
	background.Wait()
	select {
	case err := <-failed:
		return fmt.Errorf("events: %w", err)
	default:
		return nil
	}
}

func (d *Dispatcher) enqueue(ctx context.Context, u catalog.Upload) {
	if !d.inFlight.add(u) {
		return // waiting or being worked on already
	}
	select {
	case d.queue(u) <- u:
	case <-ctx.Done():
	}
}

func (d *Dispatcher) queue(u catalog.Upload) chan catalog.Upload {
	if u.Size > large {
		return d.large
	}
	return d.small
}

// collect gathers uploads into batches and starts a run for each. It returns when ctx has ended and
// its runs have.
func (d *Dispatcher) collect(ctx, work context.Context, uploads chan catalog.Upload, most int) {
	var runs errgroup.Group
	runs.SetLimit(maxRuns)
	for ctx.Err() == nil {
		select {
		case first := <-uploads:
			batch := gather(ctx, first, uploads, most)
			runs.Go(func() error { // waits for a free place; meanwhile the next batch grows
				d.run(work, batch)
				return nil
			})
		case <-ctx.Done(): // what waits is in staging still: the next start finds it
		}
	}
	runs.Wait() //nolint:errcheck // runs have none
}

// gather returns first with what follows it closely, most in all.
func gather(ctx context.Context, first catalog.Upload, uploads <-chan catalog.Upload, most int) []catalog.Upload {
	batch := []catalog.Upload{first}
	end := time.NewTimer(maxCollect)
	defer end.Stop()
	for len(batch) < most {
		silence := time.NewTimer(quiet)
		select {
		case u := <-uploads:
			silence.Stop()
			batch = append(batch, u)
			continue
		case <-silence.C:
		case <-end.C:
			silence.Stop()
		case <-ctx.Done():
			silence.Stop()
		}
		break
	}
	return batch
}

// run takes leases on uploads and carries those that it got through the pipeline.
func (d *Dispatcher) run(ctx context.Context, uploads []catalog.Upload) {
	var batch Batch
	var taken []catalog.Upload
	for _, u := range uploads {
		token, _, err := d.Resources.Catalog.Take(ctx, u, catalogdb.Lease{Owner: d.owner, For: leaseTime}, time.Now())
		switch {
		case err != nil:
			d.Resources.Log.Error("lease not taken; will be tried again", "upload", u.String(), "error", err)
			d.retry(ctx, u)
		case token == "": // finished, or somebody else's
			d.inFlight.done(u)
		default:
			taken = append(taken, u)
			batch.Tasks = append(batch.Tasks, Task{Bucket: u.Bucket, Object: u.Object, Generation: u.Generation, Size: u.Size, Token: token})
		}
	}
	if len(taken) == 0 {
		return
	}
	stopProgress := d.progress(ctx, taken)
	d.runBatch(ctx, batch)
	stopProgress()
	d.settle(ctx, taken)
}

func (d *Dispatcher) runBatch(ctx context.Context, b Batch) {
	p, s := beam.NewPipelineWithRoot()
	Ingest(s, d.Resources.Config, beam.Create(s, b))
	if err := d.Run(ctx, p); err != nil {
		d.Resources.Log.Error("pipeline failed; the catalog says what is left to do", "uploads", len(b.Tasks), "error", err)
	}
}

// settle asks the catalog what became of the uploads of a run; the runner's word proves nothing.
func (d *Dispatcher) settle(ctx context.Context, uploads []catalog.Upload) {
	for _, u := range uploads {
		v, err := d.Resources.Catalog.Verdict(ctx, u)
		if err == nil && v.State != catalog.Received {
			d.inFlight.done(u) // what is stored but not published is the sweep's
			continue
		}
		d.retry(ctx, u)
	}
}

// retry queues an upload again, later each time.
func (d *Dispatcher) retry(ctx context.Context, u catalog.Upload) {
	delay := min(time.Second<<d.inFlight.retry(u), maxRetryDelay)
	time.AfterFunc(delay, func() {
		d.inFlight.done(u)
		if ctx.Err() == nil {
			d.enqueue(ctx, u)
		}
	})
}

// progress tells waiting uploaders how far their uploads are, if that takes long.
func (d *Dispatcher) progress(ctx context.Context, uploads []catalog.Upload) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	running.Go(func() {
		tick := time.NewTicker(progressAfter)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			for _, u := range uploads {
				if v, err := d.Resources.Catalog.Verdict(ctx, u); err == nil && !v.State.Final() {
					d.Resources.writeVerdict(ctx, u) //nolint:errcheck // news only; the verdict itself is written for certain
				}
			}
		}
	})
	return func() { cancel(); running.Wait() }
}

// renew keeps the leases of this process alive.
func (d *Dispatcher) renew(ctx context.Context) {
	tick := time.NewTicker(leaseTime / 4)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			err := d.Resources.Catalog.Renew(ctx, catalogdb.Lease{Owner: d.owner, For: leaseTime}, time.Now())
			if err != nil && ctx.Err() == nil {
				d.Resources.Log.Error("leases not renewed", "error", err)
			}
		case <-ctx.Done():
			return
		}
	}
}

// inFlight is the set of uploads that wait or are being worked on, so that an event that comes twice
// costs nothing.
type inFlight struct {
	sync.Mutex
	set     sync.Map
	retries map[string]int
}

func (f *inFlight) add(u catalog.Upload) bool {
	_, there := f.set.LoadOrStore(u.String(), true)
	return !there
}

func (f *inFlight) done(u catalog.Upload) { f.set.Delete(u.String()) }

// retry counts, and returns how often the upload was tried again before; at most 6.
func (f *inFlight) retry(u catalog.Upload) int {
	f.Lock()
	defer f.Unlock()
	n := f.retries[u.String()]
	f.retries[u.String()] = min(n+1, 6)
	return n
}
