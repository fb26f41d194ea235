package pipelines

import (
	"context"
	"crypto/rand"
	"errors"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A Reindexer works on reindexes that were asked for, on a runner. Workers have one each, and so has the command that asks,
// if it has the resources: leases keep them apart.
type Reindexer struct {
	Resources *Resources
	Run       func(context.Context, *beam.Pipeline) error
	Job       ReindexJob
}

// NewOwner returns a name for a process that takes leases on reindexes.
func NewOwner(kind string) string { return kind + "-" + rand.Text()[:8] }

// Work works on the reindexes of releases until each of them has ended, here or in another process, or is one that a later
// version of the program asked for.
func (x *Reindexer) Work(ctx context.Context, releases []catalog.Release) error {
	wanted := map[catalog.Release]bool{}
	for _, r := range releases {
		wanted[r] = true
	}
	for {
		all, err := x.Resources.Catalog.Reindexes(ctx)
		if err != nil {
			return err
		}
		now, pending := x.Resources.Now(ctx), false
		var free []catalog.Release
		for _, is := range all {
			if !wanted[is.Release] || !is.Pending() || is.Later() {
				continue
			}
			pending = true
			if !is.Leased(now) || is.Owner == x.Job.Owner {
				free = append(free, is.Release)
			}
		}
		if !pending {
			return nil
		}
		if err := x.Reindex(ctx, free); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(followPeriod):
		}
	}
}

// Reindex runs the pipeline for releases.
func (x *Reindexer) Reindex(ctx context.Context, releases []catalog.Release) error {
	if len(releases) == 0 {
		return nil
	}
	names := make([]string, len(releases))
	for i, r := range releases {
		names[i] = r.String()
	}
	p, root := beam.NewPipelineWithRoot()
	Reindex(root, x.Resources.Config, x.Job, beam.CreateList(root, names))
	err := x.Run(ctx, p)
	if cause, ok := errors.AsType[*unrecorded](err); ok { // Beam says much about the plan before it
		return cause
	}
	return err
}

// Reserve extends the leases of an owner on its reindexes while others make the index files, until stop is called or ctx
// ends. The context that it returns ends with a cause if no reindex is left: all were cancelled.
func (x *Reindexer) Reserve(ctx context.Context) (reserved context.Context, stop func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	var keeping sync.WaitGroup
	keeping.Go(func() {
		extend := func(ctx context.Context) (bool, error) {
			n, err := x.Resources.Catalog.RenewReindexes(ctx, x.Lease(), x.Resources.Now(ctx))
			return n > 0, err
		}
		keepLease(ctx, extend, func() { cancel(errLeaseLost) }, func(err error) {
			x.Resources.Log.Warn("leases on reindexes not extended; tried again", "error", err)
		})
	})
	return ctx, func() { cancel(nil); keeping.Wait() }
}

// Lease returns the lease that a reindexer takes.
func (x *Reindexer) Lease() catalogdb.Lease {
	return catalogdb.Lease{Owner: x.Job.Owner, For: reindexLease}
}
