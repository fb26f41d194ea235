package worker

import (
	"context"
	"sync/atomic"
	"time"

	"repomill/publish/collect"
)

// removeWithdrawn removes from the bucket the files of packages that were withdrawn longer ago than the retention period.
func (d *Dispatcher) removeWithdrawn(ctx context.Context) {
	if _, err := d.Resources.Collector.RemoveYanked(ctx); err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("yanked files not removed; will be tried again", "error", err)
	}
}

// collect removes from the bucket the objects that no client has needed for long. A sweep that could not mark all garbage is followed
// by another one as soon as that may remove what it marked.
func (d *Dispatcher) collect(ctx context.Context) {
	if time.Now().Before(d.collectFrom) {
		return
	}
	res, err := d.Resources.Collector.Sweep(ctx)
	d.garbage.count(res)
	if err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("superseded objects not removed; will be tried again", "error", err)
		return
	}
	d.collectFrom = time.Now().Add(untilNextSweep(res))
}

// untilNextSweep returns when the next sweep begins.
func untilNextSweep(last collect.Swept) time.Duration {
	if last.Full > 0 {
		return collect.MinWait
	}
	return collectPeriod
}

// garbage counts what sweeps of this process found and removed.
type garbage struct {
	marked, full, removed atomic.Int64
}

func (g *garbage) count(res collect.Swept) {
	g.marked.Store(int64(res.Marked))
	g.full.Store(int64(res.Full))
	g.removed.Add(int64(res.Removed))
}

// removeUrgent removes the files of packages that a command withdrew with --now and did not remove: no worker ran, so that the command
// could not wait until clients did not see them, or it was ended.
func (d *Dispatcher) removeUrgent(ctx context.Context) {
	if time.Now().Before(d.urgentFrom) {
		return
	}
	if err := d.Resources.Collector.RemoveUrgent(ctx); err != nil && ctx.Err() == nil {
		d.urgentFrom = time.Now().Add(minRetryDelay)
		d.Resources.Log.Error("files that were withdrawn to go at once not removed; tried again soon", "error", err)
	}
}
