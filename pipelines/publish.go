package pipelines

import (
	"context"
	"log/slog"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
)

// MaxPublishes is how many releases are published at the same time.
const MaxPublishes = 32

// publishFn publishes releases at the same time, each limited in time, and tells the uploaders.
type publishFn struct{ opener }

// ProcessElement takes all releases of a run.
func (f *publishFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool, emit func(Receipt)) error {
	set := map[string]bool{}
	for name := ""; names(&name); {
		set[name] = true
	}
	receipts := make(chan Receipt, len(set))
	var g errgroup.Group
	g.SetLimit(MaxPublishes)
	for name := range set {
		g.Go(func() error {
			receipts <- f.publish(ctx, name)
			return nil
		})
	}
	g.Wait() //nolint:errcheck // receipts have the errors
	close(receipts)
	for receipt := range receipts {
		emit(receipt)
	}
	return ctx.Err()
}

func (f *publishFn) publish(ctx context.Context, name string) Receipt {
	receipt := Receipt{Release: name}
	release, err := catalog.ParseRelease(name)
	if err != nil {
		receipt.Error = err.Error()
		return receipt
	}
	if !f.r.MayPublish() {
		return f.wait(ctx, release)
	}
	limited, cancel := context.WithTimeout(ctx, PublishLimit)
	defer cancel()
	start := time.Now()
	res, err := f.r.Publisher.Release(limited, release)
	f.r.metrics.conflicts.Add(float64(res.Again))
	if err != nil {
		f.r.metrics.publishes.WithLabelValues("failed").Observe(time.Since(start).Seconds())
		f.r.Log.Error("not published; the sweep tries again", "release", name, "error", err)
		f.r.failed.Store(release, true)
		receipt.Error = err.Error()
		if err := f.r.Catalog.RecordReleaseFault(ctx, release, receipt.Error); err != nil && ctx.Err() == nil {
			f.r.Log.Error("fault not recorded", "release", name, "error", err)
		}
		return receipt
	}
	if res.Changed {
		f.r.metrics.publishes.WithLabelValues("published").Observe(time.Since(start).Seconds())
		f.r.Log.Info("published", "release", name, "revision", res.Revision.Number, "packages", res.Packages, "took", time.Since(start).Round(time.Millisecond).String())
		if f.r.OnPublish != nil {
			f.r.OnPublish(ctx, res)
		}
	}
	if res.Signed {
		f.r.Log.Info("signed again", "release", name, "revision", res.Revision.Number)
	}
	receipt.Revision = res.Revision.Number
	f.r.WriteVerdicts(ctx)
	return receipt
}

// wait leaves a release to workers that have the keys that are to sign. Who waits for it can ask for what, if no worker has them.
func (f *publishFn) wait(ctx context.Context, release catalog.Release) Receipt {
	receipt := Receipt{Release: release.String(), Error: "left to workers that have the keys that are to sign"}
	if w := f.r.Waits(); w != nil {
		receipt.Error = w.String()
		if err := f.r.Catalog.RecordReleaseFault(ctx, release, receipt.Error); err != nil && ctx.Err() == nil {
			f.r.Log.Error("fault not recorded", "release", receipt.Release, "error", err)
		}
	}
	f.r.Log.Debug("not published", "release", receipt.Release, "why", receipt.Error)
	return receipt
}

// reportFn closes a run: a sink that waits for all receipts.
type reportFn struct{}

// ProcessElement logs what a run came to.
func (*reportFn) ProcessElement(ctx context.Context, _ int, receipts func(*Receipt) bool) {
	published, failed := 0, 0
	for r := (Receipt{}); receipts(&r); r = (Receipt{}) {
		if r.Error == "" {
			published++
		} else {
			failed++
		}
	}
	slog.DebugContext(ctx, "run ended", "published", published, "failed", failed)
}

// TakeFailed reports whether the last publish of a release in this process failed, and forgets it.
func (r *Resources) TakeFailed(release catalog.Release) bool {
	_, failed := r.failed.LoadAndDelete(release)
	return failed
}

// OnProgress has f called for each upload that a run is through with, until the function that it returns is called.
func (r *Resources) OnProgress(run string, f func()) (end func()) {
	r.progress.Store(run, f)
	return func() { r.progress.Delete(run) }
}
