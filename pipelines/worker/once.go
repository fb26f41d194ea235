package worker

import (
	"context"
	"time"
)

// quietOnce is how long no event may have come before a dispatcher that runs once has seen them all.
const quietOnce = 3 * time.Second

// drain returns when all work is done except uploads and releases that met a fault, or when ctx ends.
func (d *Dispatcher) drain(ctx, work context.Context) {
	d.lastEvent.Store(time.Now().UnixNano())
	for ctx.Err() == nil {
		quiet := time.Since(time.Unix(0, d.lastEvent.Load())) > quietOnce
		if quiet && d.inFlight.idle() && d.releases.idle() && !d.queue.scans() {
			if d.finishMoves(ctx, work) {
				continue // what they withdrew is being published
			}
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
