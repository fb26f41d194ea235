package worker

import (
	"context"
	"time"

	"repomill/schemas/catalog"
)

const (
	// removalLease is how long one attempt to remove the objects of a deleted repository may take; removalEnd is how much earlier it ends.
	removalLease = 15 * time.Minute
	removalEnd   = 5 * time.Minute
)

// removeDeleted removes the repositories that were deleted longer ago than their time of grace. What a crash or fault has left is done
// in a later pass.
func (d *Dispatcher) removeDeleted(ctx context.Context) {
	r := d.Resources
	due, err := r.Catalog.DueRemovals(ctx, r.Now(ctx))
	if err != nil && ctx.Err() == nil {
		r.Log.Error("repositories to be removed not read", "error", err)
	}
	for _, repository := range due {
		if err := d.removeRepository(ctx, repository); err != nil && ctx.Err() == nil {
			r.Log.Error("deleted repository not removed; will be tried again", "repository", repository.String(), "error", err)
		}
	}
}

func (d *Dispatcher) removeRepository(ctx context.Context, repository catalog.Repository) error {
	r := d.Resources
	ready, err := r.Catalog.BeginRemoval(ctx, repository, removalLease, r.Now(ctx))
	if err != nil || !ready {
		return err
	}
	limited, cancel := context.WithTimeout(ctx, removalLease-removalEnd)
	defer cancel()
	n, err := r.Collector.RemoveRepository(limited, repository)
	if err != nil {
		return err
	}
	r.Log.Info("objects of a deleted repository removed", "repository", repository.String(), "objects", n)
	return r.Catalog.EndRemoval(ctx, repository, r.Now(ctx))
}
