package pipelines

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"golang.org/x/sync/errgroup"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func init() {
	registerDoFn[reindexFn]()
}

// A ReindexJob is how a pipeline works on reindexes.
type ReindexJob struct {
	Owner    string // names the process in the leases that it takes
	Prepared string // the job that has made the index files ([PrepareWhole]); empty if none has
	Parallel int    // releases at a time; 0 for [DefaultParallel]
	Silent   bool   // outcomes are not logged: the process reads them in the catalog
}

// DefaultParallel is how many releases are reindexed at a time, unless a job says otherwise.
const DefaultParallel = 2

// How long a process has a reindex after its last sign of life, how often it gives one, and how long one may take.
const (
	reindexLease = 20 * time.Second
	keepPeriod   = 2 * time.Second
	keepLimit    = 10 * time.Second

	// A server that is started again breaks what is read at that time. An outcome is for good, so the reindex is tried again before it
	// has failed, after 1 s, 2 s and so on.
	lostTries = 5
	lostPause = time.Second

	// The transaction that rebuilds the rows of a release, a millisecond for each, keeps signs of life of it out of the catalog.
	rebuildLease = 15 * time.Minute
)

// Reindex builds the pipeline that works on the reindexes that were asked for ([catalogdb.DB.AskReindex]) of releases,
// given by name:
//
//	releases -> reindex
//
// The outcome of each is in the catalog. A release that fails fails neither the others nor the pipeline, which fails if the
// catalog takes no outcome; one that another process works on is left to it.
func Reindex(s beam.Scope, cfg Config, job ReindexJob, releases beam.PCollection) {
	s = s.Scope("reindex")
	beam.ParDo0(s, &reindexFn{opener{Config: cfg}, job}, beam.GroupByKey(s, beam.AddFixedKey(s, releases)))
}

// reindexFn reindexes releases, a few at a time.
type reindexFn struct {
	opener
	Job ReindexJob
}

// ProcessElement takes all releases of a job.
func (f *reindexFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool) error {
	var g errgroup.Group
	g.SetLimit(cmp.Or(max(f.Job.Parallel, 0), DefaultParallel))
	for name := ""; names(&name); {
		release, err := catalog.ParseRelease(name)
		if err != nil {
			return errors.Join(err, g.Wait())
		}
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			if err := f.reindex(ctx, release); err != nil {
				return &unrecorded{release, err}
			}
			return nil
		})
	}
	return errors.Join(g.Wait(), ctx.Err())
}

// An unrecorded error says that the catalog did not give a reindex, or did not take its outcome.
type unrecorded struct {
	release catalog.Release
	cause   error
}

// Error implements error.
func (e *unrecorded) Error() string {
	return fmt.Sprintf("reindex of %s not taken, or its outcome not recorded: %v", e.release, e.cause)
}

// Unwrap returns the error of the catalog.
func (e *unrecorded) Unwrap() error { return e.cause }

var errLeaseLost = errors.New("the reindex was cancelled, or another process has it")

// reindex takes the reindex of a release, works on it, and records its outcome. The error is the catalog's.
func (f *reindexFn) reindex(ctx context.Context, r catalog.Release) error {
	lease := catalogdb.Lease{Owner: f.Job.Owner, For: reindexLease}
	x, taken, err := f.r.Catalog.TakeReindex(ctx, r, lease, f.r.Now(ctx))
	if err != nil || !taken {
		return err
	}
	if x.Request.Source == catalogdb.FromPublished {
		lease.For = rebuildLease
		if kept, err := f.r.Catalog.RenewReindex(ctx, x, lease, 0, f.r.Now(ctx)); err != nil || !kept {
			return err
		}
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var rendered atomic.Int64
	var keeping sync.WaitGroup
	keeping.Go(func() { f.r.keepReindex(working, stop, x, lease, &rendered) })
	res := f.work(working, x, &rendered)
	cause := context.Cause(working)
	stop(nil)
	keeping.Wait()
	switch {
	case errors.Is(cause, errLeaseLost):
		f.r.Log.Warn("reindex stopped", "release", r.String(), "error", cause)
		return nil
	case cause != nil && res.Outcome == catalogdb.OutcomeFailed: // interrupted
		limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
		defer cancel()
		return f.r.Catalog.ReturnReindex(limited, x)
	}
	return f.end(ctx, x, res)
}

// end records an outcome, although the pipeline may be ending.
func (f *reindexFn) end(ctx context.Context, x catalogdb.Reindex, res ReindexResult) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	recorded, err := f.r.Catalog.EndReindex(ctx, x, res.Outcome, res.encode(), f.r.Now(ctx))
	if err == nil && recorded && !f.Job.Silent {
		res.Log(ctx, f.r.Log)
	}
	return err
}

// keepReindex extends the lease on a reindex until ctx ends, and calls stop if another process has it then.
func (r *Resources) keepReindex(ctx context.Context, stop context.CancelCauseFunc, x catalogdb.Reindex, l catalogdb.Lease, rendered *atomic.Int64) {
	kept := func(ctx context.Context) (bool, error) {
		return r.Catalog.RenewReindex(ctx, x, l, int(rendered.Load()), r.Now(ctx))
	}
	keepLease(ctx, kept, func() { stop(errLeaseLost) }, func(err error) {
		r.Log.Warn("lease on a reindex not extended; tried again", "release", x.Release.String(), "error", err)
	})
}

// keepLease calls extend again and again until ctx ends. It calls lost if another process has the lease then, and failed with errors of
// the catalog.
func keepLease(ctx context.Context, extend func(context.Context) (kept bool, err error), lost func(), failed func(error)) {
	tick := time.NewTicker(keepPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, keepLimit)
		kept, err := extend(limited)
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			failed(err)
		case !kept:
			lost()
		}
	}
}

// work reindexes one release. A panic concerns that release alone.
func (f *reindexFn) work(ctx context.Context, x catalogdb.Reindex, rendered *atomic.Int64) (res ReindexResult) {
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			f.r.Log.Error("panic in a reindex", "release", x.Release.String(), "panic", v, "stack", string(debug.Stack()))
			res = ReindexResult{Outcome: catalogdb.OutcomeFailed, Error: fmt.Sprintf("panic: %v", v)}
		}
		res.Release, res.Seconds = x.Release.String(), time.Since(start).Seconds()
	}()
	err := f.r.despiteLoss(ctx, x.Release, func() (err error) {
		if x.Request.Source == catalogdb.FromPublished {
			res, err = f.r.rebuild(ctx, x.Release)
		} else {
			res, err = f.render(ctx, x, rendered)
		}
		return err
	})
	if err != nil {
		res = ReindexResult{Outcome: catalogdb.OutcomeFailed, Error: err.Error()}
	}
	return res
}

// despiteLoss reindexes a release, and does so again after an error of a lost connection, a few times: its outcome is final.
func (r *Resources) despiteLoss(ctx context.Context, release catalog.Release, reindex func() error) error {
	for n := 1; ; n++ {
		err := reindex()
		if err == nil || n == lostTries || !catalogdb.IsLost(err) || !pause(ctx, lostPause<<(n-1)) {
			return err
		}
		r.Log.Warn("reindex again", "release", release.String(), "cause", err)
	}
}

// pause waits, and reports whether ctx lives on.
func pause(ctx context.Context, d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-ctx.Done():
		return false
	}
}

// render publishes the indexes that the rows make, if they are others.
func (f *reindexFn) render(ctx context.Context, x catalogdb.Reindex, rendered *atomic.Int64) (ReindexResult, error) {
	how := publish.Reindexing{Repair: x.Request.Repair, Progress: func(done, _ int) { rendered.Store(int64(done)) }}
	if f.Job.Prepared != "" {
		var err error
		if how.Prepared, err = f.r.Publisher.FindPrepared(ctx, x.Release, f.Job.Prepared); err != nil {
			return ReindexResult{}, err
		}
	}
	got, err := f.r.Publisher.Reindex(ctx, x.Release, how)
	return resultOf(got), err
}

// rebuild makes the rows of a release what is published of it, and publishes it under the revision that they then have. One
// that was never published has nothing to rebuild.
func (r *Resources) rebuild(ctx context.Context, release catalog.Release) (res ReindexResult, err error) {
	there, err := r.has(ctx, layout.PointerKey(release))
	if err != nil {
		return res, err
	}
	if there {
		rows, err := r.Publisher.Rebuild(ctx, release)
		if err != nil {
			return res, err
		}
		res.Rows = &rows
	}
	got, err := r.Publisher.Release(ctx, release)
	if err != nil {
		return res, err
	}
	res.Outcome, res.Revision, res.Lost = catalogdb.OutcomeIdentical, got.Revision.Number, got.Again
	if got.Changed {
		res.Outcome = catalogdb.OutcomePublished
	}
	res.Packages, err = r.Catalog.Count(ctx, release)
	return res, err
}
