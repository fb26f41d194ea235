package worker

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
)

const (
	maxSnapshotsMade = 4                // at the same time
	snapshotsPause   = 10 * time.Minute // before snapshots that could not be signed are tried again
)

// makeSnapshots makes and deletes the snapshots that the catalog asks for, and signs those again whose keys have changed.
func (d *Dispatcher) makeSnapshots(ctx context.Context) {
	r := d.Resources
	if !r.MayPublish() {
		return // others do
	}
	if err := r.Catalog.AskRuledSnapshots(ctx, r.Now(ctx)); err != nil && ctx.Err() == nil {
		r.Log.Error("snapshots not taken by rules; tried again soon", "error", err)
	}
	due, err := r.Catalog.TakeSnapshots(ctx, r.Now(ctx))
	if err != nil && ctx.Err() == nil {
		r.Log.Error("snapshots that are asked for not read; tried again soon", "error", err)
	}
	var g errgroup.Group
	g.SetLimit(maxSnapshotsMade)
	for _, s := range due {
		g.Go(func() error {
			if err := r.WorkOnSnapshot(ctx, s); err != nil && ctx.Err() == nil {
				r.Log.Error("snapshot not made or deleted", "target", s.Target.String(), "snapshot", s.String(), "state", string(s.State), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
	d.signSnapshots(ctx)
}

// signSnapshots signs snapshots again. Those of a repository that had a fault wait.
func (d *Dispatcher) signSnapshots(ctx context.Context) {
	r := d.Resources
	faults, err := r.SignSnapshots(ctx, func(repository catalog.Repository) bool {
		return time.Since(d.unsignedSnapshots[repository]) < snapshotsPause
	})
	if err != nil && ctx.Err() == nil {
		r.Log.Error("snapshots that are to be signed again not read; tried again soon", "error", err)
	}
	for repository, err := range faults {
		if ctx.Err() != nil {
			return
		}
		r.Log.Error("snapshots not signed again", "repository", repository.String(), "error", err)
		if d.unsignedSnapshots == nil {
			d.unsignedSnapshots = map[catalog.Repository]time.Time{}
		}
		d.unsignedSnapshots[repository] = time.Now()
	}
}
