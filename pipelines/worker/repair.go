package worker

import (
	"context"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalogdb"
	"repomill/schemas/stall"
)

// maxRepairs bounds how many releases are looked after at the same time.
const maxRepairs = 8

// repairReleases completes the pair files that a crash left behind their pointers.
func (d *Dispatcher) repairReleases(ctx context.Context) {
	r := d.Resources
	if !r.MayPublish() {
		return // others do
	}
	states, err := r.Catalog.Releases(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("releases not read", "error", err)
	}
	var g errgroup.Group
	g.SetLimit(maxRepairs)
	for _, s := range states {
		if s.Published == 0 || ctx.Err() != nil {
			continue // has no files yet
		}
		g.Go(func() error {
			if err := d.repair(ctx, s); err != nil && ctx.Err() == nil {
				r.Log.Error("release not repaired", "release", s.Release.String(), "error", err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are logged
}

func (d *Dispatcher) repair(ctx context.Context, s catalogdb.ReleaseState) error {
	ctx, cancel := stall.Limit(ctx, pipelines.PublishLimit)
	defer cancel()
	_, err := d.Resources.Publisher.Repair(ctx, s.Release)
	return stall.Explain(ctx, err)
}
