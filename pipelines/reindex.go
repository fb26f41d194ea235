package pipelines

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	"github.com/apache/beam/sdks/v2/go/pkg/beam/register"
	"golang.org/x/sync/errgroup"

	"repomill/publish"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

func init() {
	register.DoFn4x1[context.Context, int, func(*string) bool, func(ReindexResult), error](&reindexFn{})
	register.DoFn2x1[context.Context, ReindexResult, error](&recordFn{})
	register.Emitter1[ReindexResult]()
}

// A ReindexJob is how a pipeline reindexes.
type ReindexJob struct {
	Run       int64  // in the catalog, where outcomes are recorded; 0 for a dry run, which records nothing
	Watch     string // names the watcher in this process ([Resources.Watch]); may be empty
	DryRun    bool   // write nothing, say what would change
	Repair    bool   // write missing or damaged published index files anew
	Published bool   // make the rows anew, from the published indexes, before they are published
	Prepared  string // the job that has made the index files ([PrepareWhole]); empty if none has
	Parallel  int    // releases at a time; 0 for [DefaultParallel]
}

// DefaultParallel is how many releases are reindexed at a time, unless a job says otherwise.
const DefaultParallel = 2

// OutcomeDifferent is the outcome of a dry run that found something to change.
const OutcomeDifferent catalogdb.ReindexOutcome = "different"

// A ReindexWatcher is told how a reindex goes on. Its methods may be called concurrently, and often: they
// return at once.
type ReindexWatcher interface {
	// Rendered says how many packages of a release are through.
	Rendered(release string, done, total int)
	// Finished says what a release came to. A release that was interrupted comes to nothing.
	Finished(ReindexResult)
}

// Watch has a watcher told of the jobs of this process that name it, until stop is called.
func (r *Resources) Watch(name string, w ReindexWatcher) (stop func()) {
	r.watchers.Store(name, w)
	return func() { r.watchers.Delete(name) }
}

// watcher returns who watches a job; nobody may.
func (r *Resources) watcher(job ReindexJob) (ReindexWatcher, bool) {
	w, ok := r.watchers.Load(job.Watch)
	if !ok {
		return nil, false
	}
	return w.(ReindexWatcher), true
}

// Reindex builds the pipeline that regenerates the whole indexes of releases, given by name:
//
//	releases -> reindex -> results -> record
//
// A release that fails fails neither the others nor the run: its result says why. A run that ends well
// proves nothing: the results do, in the catalog's run and by the watcher's word.
func Reindex(s beam.Scope, cfg Config, job ReindexJob, releases beam.PCollection) {
	s = s.Scope("reindex")
	results := beam.ParDo(s, &reindexFn{opener{Config: cfg}, job}, beam.GroupByKey(s, beam.AddFixedKey(s, releases)))
	beam.ParDo0(s, &recordFn{opener{Config: cfg}, job}, results)
}

// reindexFn reindexes releases, a few at a time.
type reindexFn struct {
	opener
	Job ReindexJob
}

// ProcessElement takes all releases of a job. Each result is emitted as soon as it is there.
func (f *reindexFn) ProcessElement(ctx context.Context, _ int, names func(*string) bool, emit func(ReindexResult)) error {
	var all []string
	for name := ""; names(&name); {
		all = append(all, name)
	}
	results := make(chan ReindexResult)
	go func() {
		defer close(results)
		var g errgroup.Group
		g.SetLimit(cmp.Or(max(f.Job.Parallel, 0), DefaultParallel))
		for _, name := range all {
			g.Go(func() error {
				if ctx.Err() != nil {
					return nil
				}
				res := f.reindex(ctx, name)
				if interrupted := ctx.Err() != nil && res.Outcome == catalogdb.OutcomeFailed; !interrupted {
					results <- res
				}
				return nil
			})
		}
		g.Wait() //nolint:errcheck // results have the errors
	}()
	for res := range results {
		emit(res)
	}
	return ctx.Err()
}

// reindex reindexes one release. A panic of ours concerns that release alone.
func (f *reindexFn) reindex(ctx context.Context, name string) (res ReindexResult) {
	start := time.Now()
	defer func() {
		if v := recover(); v != nil {
			f.r.Log.Error("panic in a reindex", "release", name, "panic", v, "stack", string(debug.Stack()))
			res = ReindexResult{Release: name, Outcome: catalogdb.OutcomeFailed, Error: fmt.Sprintf("panic: %v", v)}
		}
		res.Seconds = time.Since(start).Seconds()
	}()
	res, err := f.try(ctx, name)
	res.Release = name
	if err != nil {
		res.Outcome, res.Error = catalogdb.OutcomeFailed, err.Error()
	}
	return res
}

func (f *reindexFn) try(ctx context.Context, name string) (ReindexResult, error) {
	release, err := catalog.ParseRelease(name)
	if err != nil {
		return ReindexResult{}, err
	}
	if f.Job.Published {
		return f.rebuild(ctx, release)
	}
	how := publish.Reindexing{DryRun: f.Job.DryRun, Repair: f.Job.Repair}
	if w, ok := f.r.watcher(f.Job); ok {
		how.Progress = func(done, total int) { w.Rendered(name, done, total) }
	}
	if f.Job.Prepared != "" {
		if how.Prepared, err = f.r.Publisher.FindPrepared(ctx, release, f.Job.Prepared); err != nil {
			return ReindexResult{}, err
		}
	}
	got, err := f.r.Publisher.Reindex(ctx, release, how)
	if err != nil {
		return ReindexResult{}, err
	}
	res := ReindexResult{
		Revision: got.Revision.Number, Packages: got.Packages, Files: got.Files, Bytes: got.Bytes,
		Repaired: got.Repaired, Lost: got.Lost, Outcome: catalogdb.OutcomeIdentical,
	}
	if got.Added >= 0 {
		res.Added, res.Removed = &got.Added, &got.Removed
	}
	switch {
	case got.Changed:
		res.Outcome = catalogdb.OutcomePublished
	case got.Different:
		res.Outcome = OutcomeDifferent
	}
	return res, nil
}

// rebuild makes the rows of a release anew, from what is published of it, and publishes it under the
// revision that they then have. One that was never published has nothing to rebuild.
func (f *reindexFn) rebuild(ctx context.Context, release catalog.Release) (res ReindexResult, err error) {
	there, err := f.r.has(ctx, layout.PointerKey(release))
	if err != nil {
		return res, err
	}
	if there {
		rows, err := f.r.Publisher.Rebuild(ctx, release)
		if err != nil {
			return res, err
		}
		res.Rows = &rows
	}
	got, err := f.r.Publisher.Release(ctx, release)
	if err != nil {
		return res, err
	}
	res.Outcome, res.Revision, res.Lost = catalogdb.OutcomeIdentical, got.Revision.Number, got.Again
	if got.Changed {
		res.Outcome = catalogdb.OutcomePublished
	}
	res.Packages, err = f.r.Catalog.Count(ctx, release)
	return res, err
}

// recordFn records results in the catalog, and tells the watcher.
type recordFn struct {
	opener
	Job ReindexJob
}

// recordLimit bounds the time for a record, which is made although the run is interrupted.
const recordLimit = 10 * time.Second

// ProcessElement records one result. A release whose outcome cannot be recorded is repeated by the next run.
func (f *recordFn) ProcessElement(ctx context.Context, res ReindexResult) error {
	if w, ok := f.r.watcher(f.Job); ok {
		defer w.Finished(res)
	}
	if f.Job.Run == 0 {
		return nil
	}
	release, err := catalog.ParseRelease(res.Release)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
		defer cancel()
		err = f.r.Catalog.RecordReindexed(ctx, f.Job.Run, release, res.Outcome, res.Detail(), time.Now())
	}
	if err != nil {
		f.r.Log.Error("outcome of a reindex not recorded; the next run repeats it", "release", res.Release, "error", err)
	}
	return nil
}
