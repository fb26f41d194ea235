package worker

import (
	"context"
	"time"

	"repomill/schemas/catalog"
)

const (
	// removalLease is how long one attempt to remove the objects of a deleted target may take; removalEnd is how much earlier it ends.
	removalLease = 15 * time.Minute
	removalEnd   = 5 * time.Minute
)

// removeDeleted removes the repositories, distributions and components that were deleted longer ago than their time of grace. What a crash or fault has left is done
// in a later pass.
func (d *Dispatcher) removeDeleted(ctx context.Context) {
	r := d.Resources
	due, err := r.Catalog.DueRemovals(ctx, r.Now(ctx))
	if err != nil && ctx.Err() == nil {
		r.Log.Error("what is to be removed not read", "error", err)
	}
	for _, target := range due {
		if err := d.removeTarget(ctx, target); err != nil && ctx.Err() == nil {
			r.Log.Error("deleted target not removed; will be tried again", "target", target.String(), "error", err)
		}
	}
}

func (d *Dispatcher) removeTarget(ctx context.Context, target catalog.PackageTarget) error {
	r := d.Resources
	ready, err := r.Catalog.BeginRemoval(ctx, target, removalLease, r.Now(ctx))
	if err != nil || !ready {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, removalLease-removalEnd)
	defer cancel()
	n, err := r.Collector.RemoveTarget(limited, target)
	if err != nil {
		return err
	}
	r.Log.Info("objects of a deleted target removed", "target", target.String(), "objects", n)
	return r.Catalog.EndRemoval(ctx, target, r.Now(ctx))
}
