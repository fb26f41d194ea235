package worker

import (
	"context"
)

// publishTrains makes the packages of release trains active that are due, and has their releases published. A train that meets a
// fault is tried again by the next pass; its row says why.
func (d *Dispatcher) publishTrains(ctx, work context.Context) {
	r := d.Resources
	due, err := r.Catalog.DueTrains(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("release trains that are due not read", "error", err)
	}
	for _, n := range due {
		changed, err := r.PublishTrain(ctx, n)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("release train not published; will be tried again", "train", n.String(), "error", err)
			if err := r.Catalog.RecordTrainFault(ctx, n, "will be tried again: "+err.Error()); err != nil {
				r.Log.Error("fault not recorded", "train", n.String(), "error", err)
			}
		}
		for _, of := range changed {
			d.publishBehind(ctx, work, of, d.releases.addSoon)
		}
	}
}
