package pipelines

import (
	"context"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
)

// The sweep's periods.
const (
	sweepPeriod   = 5 * time.Minute  // everything
	publishPeriod = 10 * time.Second // releases that a failed publish left behind; longer while it keeps failing
)

// sweep repairs what events and runs left undone: at the start and then every few minutes staging
// objects without a verdict, releases whose rows are ahead, torn files beside pointers, and verdicts
// that were not written.
func (d *Dispatcher) sweep(ctx context.Context) {
	d.sweepAll(ctx)
	full := time.NewTicker(sweepPeriod)
	defer full.Stop()
	delay := publishPeriod
	light := time.NewTimer(delay)
	defer light.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-full.C:
			d.sweepAll(ctx)
		case <-light.C:
			if d.publishRest(ctx) {
				delay = publishPeriod
			} else {
				delay = min(2*delay, sweepPeriod)
			}
			light.Reset(delay)
		}
	}
}

func (d *Dispatcher) sweepAll(ctx context.Context) {
	r := d.Resources
	states, err := r.Catalog.Releases(ctx)
	if err != nil {
		r.Log.Error("sweep: releases not read", "error", err)
		return
	}
	for _, s := range states {
		if ctx.Err() != nil {
			return
		}
		if s.Published == 0 {
			continue // has no files yet
		}
		if _, err := r.Publisher.Repair(ctx, s.Release); err != nil && ctx.Err() == nil {
			r.Log.Error("sweep: release not repaired", "release", s.Release.String(), "error", err)
		}
	}
	d.publishRest(ctx)
	r.tell(ctx)
	_, err = r.Staging.List(ctx, time.Now(), func(u catalog.Upload) { d.enqueue(ctx, u) })
	if err != nil && ctx.Err() == nil {
		r.Log.Error("sweep: staging not listed", "error", err)
	}
}

// publishRest publishes the releases whose rows are ahead of what clients see. It reports whether none is left.
func (d *Dispatcher) publishRest(ctx context.Context) bool {
	r := d.Resources
	releases, err := r.Catalog.Unpublished(ctx)
	if err != nil {
		r.Log.Error("sweep: releases not read", "error", err)
		return false
	}
	if len(releases) == 0 {
		r.tell(ctx)
		return true
	}
	names := make([]string, len(releases))
	for i, release := range releases {
		names[i] = release.String()
	}
	p, s := beam.NewPipelineWithRoot()
	Publish(s, r.Config, beam.CreateList(s, names))
	if err := d.Run(context.WithoutCancel(ctx), p); err != nil {
		r.Log.Error("sweep: pipeline failed", "error", err)
	}
	left, err := r.Catalog.Unpublished(ctx)
	return err == nil && len(left) == 0
}
