package worker

import (
	"context"
	"sync"
	"time"

	"repomill/schemas/catalog"
)

// publishLeft schedules the releases that are behind, except those that failed too lately.
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

// A wait is how long something is left alone after a failure.
type wait struct {
	delay time.Duration
	until time.Time
}

// longer returns the wait after one more failure: twice as long, from least up to scanPeriod.
func (w wait) longer(least time.Duration, now time.Time) wait {
	delay := min(max(2*w.delay, least), scanPeriod)
	return wait{delay: delay, until: now.Add(delay)}
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
	l.waits[r] = l.waits[r].longer(minRetryDelay, now)
}
