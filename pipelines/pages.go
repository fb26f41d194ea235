package pipelines

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/publish/keys"
	"repomill/publish/pages"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func init() {
	registerDoFn[pagesFn]()
}

// A PagesJob is how a pipeline makes pages.
type PagesJob struct {
	Owner  string // names the process in the leases that it takes
	Shares int    // how often it takes requests of one repository; 0: until none is due
}

const (
	pagesLease  = 20 * time.Second // how long a process has the pages of a repository after its last sign of life
	maxRequests = 1000             // that are taken at a time
	maxQueued   = 1000             // packages of each release that are looked at at a time
)

// Pages builds the pipeline that makes the pages of repositories, given by name, until none of them is due:
//
//	repositories -> pages
//
// What is left to do is in the catalog. A repository that fails fails neither the others nor the pipeline; one whose pages another process
// makes is left to it.
func Pages(s beam.Scope, cfg Config, job PagesJob, repositories beam.PCollection) {
	s = s.Scope("pages")
	beam.ParDo0(s, &pagesFn{opener{Config: cfg}, job}, repositories)
}

// RunPages runs the pipeline for repositories.
func RunPages(ctx context.Context, run func(context.Context, *beam.Pipeline) error, cfg Config, job PagesJob, repositories []catalog.Repository) error {
	if len(repositories) == 0 {
		return nil
	}
	names := make([]string, len(repositories))
	for i, r := range repositories {
		names[i] = r.String()
	}
	p, s := beam.NewPipelineWithRoot()
	Pages(s, cfg, job, beam.CreateList(s, names))
	return run(ctx, p)
}

// pagesFn makes the pages of repositories.
type pagesFn struct {
	opener
	Job PagesJob
}

// ProcessElement makes the pages of one repository.
func (f *pagesFn) ProcessElement(ctx context.Context, repository string) error {
	owner, name, _ := strings.Cut(repository, "/")
	r := catalog.Repository{Owner: owner, Name: name}
	err := f.r.MakePages(ctx, r, f.Job)
	if err != nil && ctx.Err() == nil { // it concerns this repository alone, and what is left to do is in the catalog
		f.r.Log.Error("pages not made; tried again later", "repository", r.String(), "error", err)
	}
	return ctx.Err()
}

// MakePages makes the pages of a repository until none is due, the job has had its shares, or another process has taken them. The error is
// the catalog's: the others are in it.
func (r *Resources) MakePages(ctx context.Context, repository catalog.Repository, job PagesJob) error {
	lease := catalogdb.Lease{Owner: job.Owner, For: pagesLease}
	for n := 0; ctx.Err() == nil && (job.Shares == 0 || n < job.Shares); n++ {
		queued, err := r.Catalog.QueuePages(ctx, maxQueued, r.Now(ctx))
		if err != nil {
			return err
		}
		w, taken, err := r.Catalog.TakePages(ctx, repository, lease, maxRequests, r.Now(ctx))
		if err != nil || !taken && queued == 0 {
			return err
		}
		if taken {
			err := r.makeShare(ctx, w, lease)
			if errors.Is(err, errPagesLost) {
				return nil
			}
			if err != nil {
				return err
			}
		}
	}
	return ctx.Err()
}

var errPagesLost = errors.New("another process makes these pages now")

// PagesBehind finds what is to be made, and returns the repositories with pages that are due. Of a very large change it finds a part: the
// next one is found while pages of this one are made.
func (r *Resources) PagesBehind(ctx context.Context, limit int) ([]catalog.Repository, error) {
	if _, err := r.Catalog.QueuePages(ctx, maxQueued, r.Now(ctx)); err != nil {
		return nil, err
	}
	return r.Catalog.PagesBehind(ctx, limit, r.Now(ctx))
}

// makeShare makes the pages that were taken, and records in the catalog how that ended.
func (r *Resources) makeShare(ctx context.Context, w catalogdb.PageWork, lease catalogdb.Lease) error {
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var keeping sync.WaitGroup
	keeping.Go(func() { r.keepPages(working, stop, w, lease) })
	start := time.Now()
	failed, done, err := r.makePages(working, w)
	cause := context.Cause(working)
	stop(nil)
	keeping.Wait()
	r.countPages(done, len(failed), err)
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepLimit)
	defer cancel()
	switch {
	case errors.Is(cause, errPagesLost):
		r.Log.Warn("pages left to another process", "repository", w.Repository.String(), "error", cause)
		if err := r.Catalog.EndPages(ending, w, nil, r.Now(ending)); err != nil && !errors.Is(err, catalogdb.ErrPagesLost) { // it asks for them once more
			r.Log.Error("pages not asked for once more", "repository", w.Repository.String(), "error", err)
		}
		return cause
	case cause != nil: // interrupted
		return errors.Join(cause, r.Catalog.ReturnPages(ending, w))
	case err != nil:
		r.Log.Error("pages not made; tried again later", "repository", w.Repository.String(), "error", err)
		failed = failAll(w, err)
	}
	r.Log.Debug("pages made", "repository", w.Repository.String(), "requests", len(w.Requests), "failed", len(failed),
		"objects", done.String(), "took", time.Since(start).Round(time.Millisecond).String())
	return r.Catalog.EndPages(ending, w, failed, r.Now(ending))
}

// failAll returns all requests of a share, and the front page as number 0, with an error.
func failAll(w catalogdb.PageWork, err error) map[int64]string {
	failed := map[int64]string{0: err.Error()}
	for _, q := range w.Requests {
		failed[q.ID] = err.Error()
	}
	return failed
}

// makePages makes the pages that were taken. A panic is an error.
func (r *Resources) makePages(ctx context.Context, w catalogdb.PageWork) (failed map[int64]string, done pages.Counts, err error) {
	defer func() {
		if v := recover(); v != nil {
			r.Log.Error("panic while pages were made", "repository", w.Repository.String(), "panic", v, "stack", string(debug.Stack()))
			err = fmt.Errorf("panic: %v", v)
		}
	}()
	return r.Pages.Make(ctx, w)
}

// keepPages extends the lease on the pages of a repository until ctx ends, and calls stop if another process has it then.
func (r *Resources) keepPages(ctx context.Context, stop context.CancelCauseFunc, w catalogdb.PageWork, l catalogdb.Lease) {
	kept := func(ctx context.Context) (bool, error) { return r.Catalog.RenewPages(ctx, w, l, r.Now(ctx)) }
	keepLease(ctx, kept, func() { stop(errPagesLost) }, func(err error) {
		r.Log.Warn("lease on pages not extended; tried again", "repository", w.Repository.String(), "error", err)
	})
}

// pageKeys returns the list of keys of the instance as it is now. Before the bucket has one, it is what this process signs with.
func (r *Resources) pageKeys(ctx context.Context) (keys.Set, error) {
	set, err := keys.Read(ctx, r.Bucket)
	signer := r.Signer()
	if err != nil || set.Revision > 0 || signer == nil {
		return set, err
	}
	own, err := signer.Keys()
	set.Add(time.Time{}, keys.Signing, own...)
	return set, err
}
