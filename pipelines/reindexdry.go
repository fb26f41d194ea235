package pipelines

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// DryReindex says what reindexes of releases from their rows would change, and writes nothing. rendered is called with how
// many packages of a release are rendered, and finished with its result, each by several goroutines. A release that was
// interrupted has no result.
func (r *Resources) DryReindex(ctx context.Context, releases []catalog.Release, parallel int, rendered func(r catalog.Release, done, total int), finished func(ReindexResult)) error {
	var g errgroup.Group
	g.SetLimit(parallel)
	for _, release := range releases {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			start := time.Now()
			var got publish.Reindexed
			err := r.despiteLoss(ctx, release, func() (err error) {
				got, err = r.Publisher.Reindex(ctx, release, publish.Reindexing{DryRun: true, Progress: func(done, total int) { rendered(release, done, total) }})
				return err
			})
			if err != nil && ctx.Err() != nil {
				return nil
			}
			res := resultOf(got)
			if err != nil {
				res = ReindexResult{Outcome: catalogdb.OutcomeFailed, Error: err.Error()}
			}
			res.Release, res.Seconds = release.String(), time.Since(start).Seconds()
			finished(res)
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}
