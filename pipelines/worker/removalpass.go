package worker

import (
	"context"
	"errors"
	"time"

	"repomill/schemas/catalog"
)

const (
	// removalLease is how long one attempt to remove the objects of a deleted target may take; removalEnd is how much earlier it ends.
	removalLease = 15 * time.Minute
	removalEnd   = 5 * time.Minute
	// removalAgain is the time from an attempt that failed to the next one.
	removalAgain = 10 * time.Second
	// removalEnding is how long an attempt that failed, or was ended, may take to say so.
	removalEnding = 10 * time.Second
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
	r, began := d.Resources, d.Resources.Now(ctx)
	ready, err := r.Catalog.BeginRemoval(ctx, target, removalLease, began)
	if err != nil || !ready {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, removalLease-removalEnd)
	defer cancel()
	n, err := r.Collector.RemoveTarget(limited, target)
	if err == nil {
		r.Log.Info("objects of a deleted target removed", "target", target.String(), "objects", n)
		err = r.Catalog.EndRemoval(ctx, target, r.Now(ctx))
	}
	if err != nil {
		return errors.Join(err, d.returnRemoval(ctx, target, began))
	}
	return nil
}

// returnRemoval lets a later attempt begin soon, of this process or, if this one ends, of another.
func (d *Dispatcher) returnRemoval(ctx context.Context, target catalog.PackageTarget, began time.Time) error {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), removalEnding)
	defer cancel()
	return d.Resources.Catalog.ReturnRemoval(ending, target, removalLease, began, d.Resources.Now(ending).Add(removalAgain))
}
