package worker

import (
	"context"
	"slices"
	"time"

	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
)

// scan looks through staging for uploads whose notification was lost, or for which there was no room. It asks for the states of
// many at a time, since most have their verdict.
func (d *Dispatcher) scan(ctx context.Context) {
	if wait := time.Until(d.scanned.Add(min(4*d.scanTook, maxRescanWait))); wait > 0 { // at most a fifth of the time is for scans
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
	begun := time.Now()
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
	d.scanned = time.Now()
	if d.scanTook = d.scanned.Sub(begun); d.Once {
		d.unlisted = err
	}
}

// maxAsked is how many states a scan asks for at a time.
const maxAsked = 100

// enqueueUnfinished queues those of some uploads that the catalog does not know. The other passes find those that it knows. It does not
// ask for those that are active here.
func (d *Dispatcher) enqueueUnfinished(ctx context.Context, some []catalog.Upload) {
	if some = slices.DeleteFunc(some, d.inFlight.isActive); len(some) == 0 {
		return
	}
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

// maxResumed is how many uploads that no process works on are queued at a time.
const maxResumed = 1000

// resume queues the uploads that no process works on any more, whether their object is still there or not. Those that wait here to
// be tried again are among them, and keep none of the others back; nor do those of a repository that has its share of the room.
func (d *Dispatcher) resume(ctx context.Context) {
	r := d.Resources
	uploads, err := r.Catalog.Unfinished(ctx, r.Staging.Name(), r.Now(ctx), d.inFlight.active()+d.unresumed+maxResumed)
	left := d.requeue(ctx, suspect, uploads, err)
	if err == nil {
		d.unresumed = left
	}
}

// resumePromotions queues the promotions that no process has begun with, many together, and those that a process has left.
func (d *Dispatcher) resumePromotions(ctx context.Context) {
	if d.inFlight.active() > maxWaiting {
		return // the catalog keeps them
	}
	r := d.Resources
	now, limit := r.Now(ctx), d.inFlight.active()+d.unpromoted+maxResumed
	asked, err := r.Catalog.Unattempted(ctx, now, limit)
	left := d.requeue(ctx, fresh, asked, err)
	begun, err2 := r.Catalog.Unfinished(ctx, catalog.PromotionBucket, now, limit+len(asked))
	left += d.requeue(ctx, suspect, begun, err2)
	if err == nil && err2 == nil {
		d.unpromoted = left
	}
}

// requeue queues uploads that the catalog has as unfinished, but for those that are active here. It returns how many are left because their
// repository has its share of the room.
func (d *Dispatcher) requeue(ctx context.Context, as kind, uploads []catalog.Upload, err error) (left int) {
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("unfinished uploads not read", "error", err)
	}
	for _, u := range uploads {
		switch {
		case d.inFlight.isActive(u):
		case !d.queue.hasRoomFor(repositoryOf(u.Object)):
			left++
		case d.inFlight.add(u, nil, time.Now()):
			d.lastEvent.Store(time.Now().UnixNano())
			d.queue.put(u, as)
		}
	}
	return left
}
