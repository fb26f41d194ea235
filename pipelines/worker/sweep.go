package worker

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// scan looks through staging for uploads whose notification was lost, or for which there was no room. It asks for the states of
// many at a time, since most have their verdict.
func (d *Dispatcher) scan(ctx context.Context) {
	if wait := time.Until(d.scanned.Add(minRescan)); wait > 0 {
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
	d.queue.beginScan()
	defer d.queue.endScan()
	var some []catalog.Upload
	err := d.Resources.Staging.List(ctx, time.Now(), func(u catalog.Upload) {
		if some = append(some, u); len(some) == maxAsked {
			d.enqueueUnfinished(ctx, some)
			some = some[:0]
		}
	})
	d.enqueueUnfinished(ctx, some)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("staging not scanned", "error", err)
	}
	if d.scanned = time.Now(); d.Once {
		d.unlisted = err
	}
}

// maxAsked is how many states a scan asks for at a time.
const maxAsked = 100

// enqueueUnfinished queues those of some uploads that have no row yet. What has one needs no event.
func (d *Dispatcher) enqueueUnfinished(ctx context.Context, some []catalog.Upload) {
	states, err := d.Resources.Catalog.States(ctx, some)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("states not read; all that is in staging is looked at", "error", err)
	}
	for _, u := range some {
		if _, known := states[u]; !known {
			d.enqueue(ctx, queue.Event{Upload: u})
		}
	}
}

// quietOnce is how long no event may have come before a dispatcher that runs once has seen them all.
const quietOnce = 3 * time.Second

// drain returns when nothing is left to do but what met a fault, or ctx ends.
func (d *Dispatcher) drain(ctx, work context.Context) {
	d.lastEvent.Store(time.Now().UnixNano())
	for ctx.Err() == nil {
		quiet := time.Since(time.Unix(0, d.lastEvent.Load())) > quietOnce
		if quiet && d.inFlight.idle() && d.releases.idle() && !d.queue.scans() {
			d.publishLeft(ctx, work) // what failed is tried once more
			for !d.releases.idle() && work.Err() == nil {
				time.Sleep(50 * time.Millisecond)
			}
			return
		}
		select {
		case <-ctx.Done():
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// maxResumed is how many uploads that no process works on are queued at a time.
const maxResumed = 1000

// resume queues the uploads that no process works on any more, whether their object is still there or not. Those that wait here to
// be tried again are among them, and keep none of the others back.
func (d *Dispatcher) resume(ctx context.Context) {
	uploads, err := d.Resources.Catalog.Unfinished(ctx, d.Resources.Staging.Name(), d.Resources.Now(ctx), d.inFlight.active()+maxResumed)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("unfinished uploads not read", "error", err)
	}
	for _, u := range uploads {
		if d.inFlight.add(u, nil, time.Now()) {
			d.lastEvent.Store(time.Now().UnixNano())
			d.queue.put(u, suspect)
		}
	}
}

// collect removes from the bucket what clients have not needed for long.
func (d *Dispatcher) collect(ctx context.Context) {
	r := d.Resources
	if _, err := r.Collector.RemoveYanked(ctx); err != nil && ctx.Err() == nil {
		r.Log.Error("yanked files not removed; will be tried again", "error", err)
	}
	if now := time.Now(); now.Sub(d.collected) > collectPeriod {
		if _, err := r.Collector.Sweep(ctx); err != nil && ctx.Err() == nil {
			r.Log.Error("superseded objects not removed; will be tried again", "error", err)
			return
		}
		d.collected = now
	}
}

// removeUrgent removes the files of packages that were withdrawn to go at once, by a command that has not done it: no worker
// ran, so that it could not wait until clients did not see them, or it was ended.
func (d *Dispatcher) removeUrgent(ctx context.Context) {
	if time.Now().Before(d.urgentFrom) {
		return
	}
	if err := d.Resources.Collector.RemoveUrgent(ctx); err != nil && ctx.Err() == nil {
		d.urgentFrom = time.Now().Add(minRetryDelay)
		d.Resources.Log.Error("files that were withdrawn to go at once not removed; tried again soon", "error", err)
	}
}

// maxRepairs bounds how many releases are looked after at the same time.
const maxRepairs = 8

// repairReleases puts right what a crash left torn beside the pointers.
func (d *Dispatcher) repairReleases(ctx context.Context) {
	r := d.Resources
	if !r.MayPublish() {
		return // others do
	}
	states, err := r.Catalog.Releases(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("releases not read", "error", err)
	}
	var g errgroup.Group
	g.SetLimit(maxRepairs)
	for _, s := range states {
		if s.Published == 0 || ctx.Err() != nil {
			continue // has no files yet
		}
		g.Go(func() error {
			if err := d.repair(ctx, s); err != nil && ctx.Err() == nil {
				r.Log.Error("release not repaired", "release", s.Release.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
}

func (d *Dispatcher) repair(ctx context.Context, s catalogdb.ReleaseState) error {
	ctx, cancel := context.WithTimeout(ctx, pipelines.PublishLimit)
	defer cancel()
	_, err := d.Resources.Publisher.Repair(ctx, s.Release)
	return err
}

// publishLeft schedules the releases whose rows are ahead of what clients see, except those that failed
// too lately.
func (d *Dispatcher) publishLeft(ctx, work context.Context) {
	if !d.Resources.MayPublish() {
		return // others do, or they wait until it may
	}
	releases, err := d.Resources.Catalog.Unpublished(work)
	if err != nil {
		if work.Err() == nil {
			d.Resources.Log.Error("releases that are behind not read", "error", err)
		}
		return
	}
	d.releases.add(ctx, work, d.left.due(releases, time.Now()))
}

// leftReleases spaces the attempts at releases that stay behind. The zero value is ready.
type leftReleases struct {
	mu    sync.Mutex
	waits map[catalog.Release]wait
}

// A wait is how long a release is left alone after a failure; it grows up to scanPeriod.
type wait struct {
	delay time.Duration
	until time.Time
}

// due returns the releases that have not failed too lately, and forgets about those that are not behind.
func (l *leftReleases) due(behind []catalog.Release, now time.Time) (due []catalog.Release) {
	l.mu.Lock()
	defer l.mu.Unlock()
	waits := map[catalog.Release]wait{}
	for _, r := range behind {
		w, failed := l.waits[r]
		if failed {
			waits[r] = w
		}
		if !now.Before(w.until) {
			due = append(due, r)
		}
	}
	l.waits = waits
	return due
}

// tried notes whether a release is still behind although its publication was tried.
func (l *leftReleases) tried(r catalog.Release, behind bool, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !behind {
		delete(l.waits, r)
		return
	}
	if l.waits == nil {
		l.waits = map[catalog.Release]wait{}
	}
	delay := min(max(2*l.waits[r].delay, minRetryDelay), scanPeriod)
	l.waits[r] = wait{delay: delay, until: now.Add(delay)}
}
