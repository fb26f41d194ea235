package worker

import (
	"context"
	"time"
)

// collect removes from the bucket the files of withdrawn packages and the objects that no client has needed for long.
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
