package worker

import (
	"context"
	"errors"
	"sync"
	"time"

	"repomill/publish/tree"
)

// The periods of the passes.
const (
	scanPeriod    = 5 * time.Minute  // staging, torn files, and what is old
	catchUpPeriod = 2 * time.Second  // what a fault, a crash or a command left behind
	collectPeriod = 6 * time.Hour    // superseded objects; it takes two passes, an hour or more apart
	retainPeriod  = time.Minute      // rules of retention that are due: each daily
	removalPeriod = 10 * time.Second // deleted repositories
	historyPeriod = 6 * time.Hour    // rows that say what happened long ago
	formatPeriod  = time.Minute      // whether a later version of the program has written to the bucket
	maxRescanWait = 5 * time.Second  // between two scans, if one left uploads in staging; less if it was quick
	minRetryDelay = 10 * time.Second // of a release whose publish failed
)

// A pass looks for work of one sort, and does it, at the start and again and again. Each pass has a goroutine of its own, so that
// none waits for another: what is slow or hangs in one delays no other.
type pass struct {
	period time.Duration
	do     func()
	onWish <-chan struct{} // brings the next time forward; may be nil
	once   bool            // a dispatcher that runs once has done it
}

// passes returns what is done again and again. ctx ends when nothing more is begun; work may go on for a while. stop ends ctx.
func (d *Dispatcher) passes(ctx, work context.Context, stop func()) []pass {
	return []pass{
		// Finding work.
		{period: scanPeriod, do: func() { d.scan(ctx) }, onWish: d.queue.rescan, once: true},
		{period: catchUpPeriod, do: func() { d.resume(ctx) }, once: true},
		{period: catchUpPeriod, do: func() { d.resumePromotions(ctx) }, once: true},
		{period: catchUpPeriod, do: func() { d.advancePhases(ctx) }, once: true},
		{period: catchUpPeriod, do: func() { d.publishTrains(ctx, work) }, once: true},
		{period: catchUpPeriod, do: func() { d.finishMoves(ctx, work) }, once: true},
		{period: catchUpPeriod, do: func() { d.publishLeft(ctx, work) }},
		{period: catchUpPeriod, do: func() { d.settleFinished(work) }},
		{period: catchUpPeriod, do: func() { d.catchUpSettings(work) }},
		{period: scanPeriod, do: func() { d.repairReleases(ctx) }, once: true},
		{period: catchUpPeriod, do: func() { d.makeSnapshots(ctx) }, once: true},
		{period: retainPeriod, do: func() { d.applyRetention(ctx) }, once: true},
		// Cleaning and collection.
		{period: catchUpPeriod, do: func() { d.removeUrgent(ctx) }},
		{period: catchUpPeriod, do: func() { d.cleanDoomed(ctx) }, once: true},
		{period: scanPeriod, do: func() { d.cleanExpired(ctx) }, once: true},
		{period: scanPeriod, do: func() { d.removeWithdrawn(ctx) }, once: true},
		{period: scanPeriod, do: func() { d.collect(ctx) }, once: true},
		{period: removalPeriod, do: func() { d.removeDeleted(ctx) }, once: true},
		{period: historyPeriod, do: func() { d.forgetHistory(ctx) }, once: true},
		{period: formatPeriod, do: func() { d.checkFormat(ctx, stop) }},
		{period: verifyPeriod, do: func() { d.verifyPublished(ctx) }},
		// Keys.
		{period: resignPeriod, do: func() { d.catchUpKeys(ctx, work) }},
		{period: keysPeriod, do: func() { d.Resources.RetryKeys(ctx, time.Now()) }}, // a KMS may take long to refuse
	}
}

// runPasses runs the passes, and makes reindexes and pages, until ctx ends. With Once it ends the dispatcher when nothing is left to do.
func (d *Dispatcher) runPasses(ctx, work context.Context, stop func()) {
	var running, first sync.WaitGroup
	defer running.Wait()
	for _, p := range d.passes(ctx, work, stop) {
		done := func() {}
		if p.once {
			first.Add(1)
			done = sync.OnceFunc(first.Done)
		}
		running.Go(func() {
			defer done()
			every(ctx, p.period, p.onWish, func() { p.do(); done() })
		})
	}
	running.Go(func() { d.reindexBehind(ctx) })
	running.Go(func() { d.pagesBehind(ctx) })
	running.Go(func() { d.contentsBehind(ctx) })
	if d.Once {
		first.Wait()
		d.drain(ctx, work)
		d.pagesAtEnd(work)
		if d.contentsAtEnd(work) {
			d.pagesAtEnd(work) // again, with what was read
		}
		stop()
	}
}

// checkFormat ends the dispatcher if a later version of the program has written to the bucket: this one might remove what it does not
// know. It goes on beside a bucket that cannot be read.
func (d *Dispatcher) checkFormat(ctx context.Context, stop func()) {
	if newer, ok := errors.AsType[*tree.NewerFormat](d.Resources.CheckFormat(ctx)); ok {
		d.outdated = newer
		stop()
	}
}

// every calls f at once, and then at each period, or when there is a wish for it, until ctx ends.
func every(ctx context.Context, period time.Duration, onWish <-chan struct{}, f func()) {
	tick := time.NewTicker(period)
	defer tick.Stop()
	for ctx.Err() == nil {
		f()
		select {
		case <-tick.C:
		case <-onWish:
		case <-ctx.Done():
		}
	}
}
