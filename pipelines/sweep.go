package pipelines

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// The sweep's periods.
const (
	sweepPeriod   = 5 * time.Minute  // everything
	catchUpPeriod = 10 * time.Second // releases and verdicts that a fault left behind
)

// sweep repairs, at the start and then every few minutes, what no event tells of: torn files beside
// pointers, staging objects without a verdict, and uploads that were taken up and then left, whether
// their object is still there or not.
func (d *Dispatcher) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepPeriod)
	defer tick.Stop()
	for ctx.Err() == nil {
		d.repairReleases(ctx)
		_, err := d.Resources.Staging.List(ctx, ".", time.Now(), func(u catalog.Upload) { d.enqueue(ctx, u) })
		if err != nil && ctx.Err() == nil {
			d.Resources.Log.Error("sweep: staging not listed", "error", err)
		}
		d.resume(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// resume queues the uploads that nobody works on any more.
func (d *Dispatcher) resume(ctx context.Context) {
	uploads, err := d.Resources.Catalog.Unfinished(ctx, time.Now(), maxWaiting)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("sweep: unfinished uploads not read", "error", err)
	}
	for _, u := range uploads {
		d.enqueue(ctx, u)
	}
}

// repairReleases puts right what a crash left torn beside the pointers.
func (d *Dispatcher) repairReleases(ctx context.Context) {
	r := d.Resources
	states, err := r.Catalog.Releases(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("sweep: releases not read", "error", err)
	}
	for _, s := range states {
		if s.Published == 0 || ctx.Err() != nil {
			continue // has no files yet
		}
		if err := d.repair(ctx, s); err != nil && ctx.Err() == nil {
			r.Log.Error("sweep: release not repaired", "release", s.Release.String(), "error", err)
		}
	}
}

func (d *Dispatcher) repair(ctx context.Context, s catalogdb.ReleaseState) error {
	ctx, cancel := context.WithTimeout(ctx, publishLimit)
	defer cancel()
	_, err := d.Resources.Publisher.Repair(ctx, s.Release)
	return err
}

// catchUp publishes, at the start and then again and again, the releases whose rows are ahead of what
// clients see, and writes the verdicts that are still owed.
func (d *Dispatcher) catchUp(ctx, work context.Context) {
	tick := time.NewTicker(catchUpPeriod)
	defer tick.Stop()
	for ctx.Err() == nil {
		d.publishLeft(work)
		d.Resources.tell(work)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// publishLeft publishes the releases whose rows are ahead of what clients see, except those that
// failed too lately.
func (d *Dispatcher) publishLeft(ctx context.Context) {
	r := d.Resources
	releases, err := r.Catalog.Unpublished(ctx)
	if err != nil {
		if ctx.Err() == nil {
			r.Log.Error("releases that are behind not read", "error", err)
		}
		return
	}
	due := d.left.due(releases, time.Now())
	if len(due) == 0 {
		return
	}
	names := make([]string, len(due))
	for i, release := range due {
		names[i] = release.String()
	}
	p, s := beam.NewPipelineWithRoot()
	Publish(s, r.Config, beam.CreateList(s, names))
	if err := d.Run(ctx, p); err != nil {
		r.Log.Error("pipeline failed; the releases are tried again", "releases", len(due), "error", err)
	}
	if releases, err = r.Catalog.Unpublished(ctx); err != nil {
		releases = due
	}
	d.left.tried(due, releases, time.Now())
}

// leftReleases spaces the attempts at releases that stay behind. The zero value is ready.
type leftReleases struct {
	mu    sync.Mutex
	waits map[catalog.Release]wait
}

// A wait is how long a release is left alone after a failure; it grows up to sweepPeriod.
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

// tried notes which releases are behind although their publication was tried.
func (l *leftReleases) tried(tried, behind []catalog.Release, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, r := range tried {
		if !slices.Contains(behind, r) {
			delete(l.waits, r)
			continue
		}
		delay := min(max(2*l.waits[r].delay, catchUpPeriod), sweepPeriod)
		l.waits[r] = wait{delay: delay, until: now.Add(delay)}
	}
}
