package worker

import (
	"context"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalog"
)

// maxBehind is how many reindexes that wait are read at a time.
const maxBehind = 1000

// reindexBehind works on reindexes that were asked for, a few at a time, until ctx ends: then it stops, and leaves them to
// other workers. It asks itself for those of releases that an earlier version of the program rendered.
func (d *Dispatcher) reindexBehind(ctx context.Context) {
	x := pipelines.Reindexer{Resources: d.Resources, Run: d.Run, Job: pipelines.ReindexJob{Owner: d.owner}}
	var working errgroup.Group
	working.SetLimit(pipelines.DefaultParallel)
	defer working.Wait() //nolint:errcheck // they are logged
	var active sync.Map  // catalog.Release: its pipeline runs, and may not have the lease yet
	every(ctx, catchUpPeriod, nil, func() {
		if _, err := d.Resources.Catalog.AskReindexOfRendered(ctx, maxBehind, d.Resources.Now(ctx)); err != nil && ctx.Err() == nil {
			d.Resources.Log.Error("releases that an earlier version rendered not read", "error", err)
		}
		behind, err := d.Resources.Catalog.ReindexesBehind(ctx, maxBehind, d.Resources.Now(ctx))
		if err != nil && ctx.Err() == nil {
			d.Resources.Log.Error("reindexes that wait not read", "error", err)
		}
		for _, r := range behind {
			if _, there := active.LoadOrStore(r, true); there || ctx.Err() != nil {
				continue
			}
			working.Go(func() error { // once one has ended
				defer active.Delete(r)
				if err := x.Reindex(ctx, []catalog.Release{r}); err != nil && ctx.Err() == nil {
					d.Resources.Log.Error("pipeline failed; the reindex is repeated", "release", r.String(), "error", err)
				}
				return nil
			})
		}
	})
}
