package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// The sources of a reindex.
const (
	FromRows      = "rows"
	FromPublished = "published"
)

// recordedSource is what the catalog has for the source of a request. A run is continued by a request with the
// same one: what an earlier one without Repair, or of a program that makes other indexes, did is not what is
// asked for.
func recordedSource(want ReindexRequest) string {
	source := want.Source
	if want.Repair {
		source += "+repair"
	}
	return source + "/" + strconv.Itoa(gzipmember.Version)
}

// SourceOf returns the source of a recorded run, [FromRows] or [FromPublished].
func SourceOf(run catalogdb.ReindexRun) string {
	if i := strings.IndexAny(run.Source, "+/"); i >= 0 {
		return run.Source[:i]
	}
	return run.Source
}

// A ReindexRequest is what somebody wants to have reindexed.
type ReindexRequest struct {
	Selection []string // targets; none for everything
	Source    string   // [FromRows] or [FromPublished]
	Releases  []catalog.Release
	By        string // who asks
	DryRun    bool
	Repair    bool // with [FromRows]
	Parallel  int
}

// A ReindexRunner carries reindexes through.
type ReindexRunner struct {
	Resources *Resources
	Run       func(context.Context, *beam.Pipeline) error // on a runner
	Watcher   ReindexWatcher
	Prepared  string // the job that makes the index files before Run publishes them; empty if none does

	// Began, if set, is called before the first release, with the run and the releases that are left in it. A
	// dry run has the zero run.
	Began func(catalogdb.ReindexRun, []catalog.Release)
}

const (
	touchPeriod = 2 * time.Second  // of the sign of life, and of looking whether the run was cancelled
	touchLimit  = 10 * time.Second // for one of them
)

// ErrTakenOver is returned for a run that goes on elsewhere.
var ErrTakenOver = errors.New("another process has continued the run, which was silent here for too long")

var errCancelled = errors.New("the run was cancelled")

// Reindex reindexes what is asked for, or what an earlier run of the same request left, and returns how the
// run stands then: done, failed for some releases, cancelled or interrupted. An error says that there was
// no run, or that it came to no proper end: then it can be continued.
func (x *ReindexRunner) Reindex(ctx context.Context, want ReindexRequest) (catalogdb.ReindexState, error) {
	var run catalogdb.ReindexRun
	left := want.Releases
	if !want.DryRun {
		var err error
		run, left, err = x.Resources.Catalog.StartReindex(ctx, want.Selection, recordedSource(want), want.By, left, x.Resources.Now(ctx))
		if err != nil {
			return "", err
		}
	}
	if x.Began != nil {
		x.Began(run, left)
	}
	job := ReindexJob{
		Run: run.ID, Watch: watchName(run), DryRun: want.DryRun, Repair: want.Repair,
		Published: want.Source == FromPublished, Prepared: x.Prepared, Parallel: want.Parallel,
	}
	working, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var touching sync.WaitGroup
	touching.Go(func() { x.touch(working, run, stop) })
	failed, err := x.execute(working, job, left)
	cause := context.Cause(working)
	stop(nil)
	touching.Wait()
	return x.end(ctx, run, failed, cause, err)
}

// jobs counts the jobs of this process, to name them.
var jobs atomic.Int64

func watchName(run catalogdb.ReindexRun) string {
	return strconv.FormatInt(run.ID, 10) + "-" + strconv.FormatInt(jobs.Add(1), 10)
}

// execute runs the pipeline, and returns how many releases failed.
func (x *ReindexRunner) execute(ctx context.Context, job ReindexJob, releases []catalog.Release) (failed int64, err error) {
	if len(releases) == 0 {
		return 0, nil
	}
	tally := &tally{ReindexWatcher: x.Watcher}
	defer x.Resources.Watch(job.Watch, tally)()
	names := make([]string, len(releases))
	for i, r := range releases {
		names[i] = r.String()
	}
	p, root := beam.NewPipelineWithRoot()
	Reindex(root, x.Resources.Config, job, beam.CreateList(root, names))
	err = x.Run(ctx, p)
	if n := tally.finished.Load(); err == nil && n < int64(len(releases)) {
		err = fmt.Errorf("%d of %d releases came to nothing", int64(len(releases))-n, len(releases))
	}
	return tally.failed.Load(), err
}

// A tally counts what a watcher is told.
type tally struct {
	ReindexWatcher
	finished, failed atomic.Int64
}

func (t *tally) Finished(res ReindexResult) {
	t.finished.Add(1)
	if res.Outcome == catalogdb.OutcomeFailed {
		t.failed.Add(1)
	}
	t.ReindexWatcher.Finished(res)
}

// touch says in the catalog that a run is being worked on, until ctx ends, and stops it when it was
// cancelled there, or is somebody else's.
func (x *ReindexRunner) touch(ctx context.Context, run catalogdb.ReindexRun, stop context.CancelCauseFunc) {
	if run.ID == 0 {
		return
	}
	tick := time.NewTicker(touchPeriod)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		limited, cancel := context.WithTimeout(ctx, touchLimit)
		is, err := x.Resources.Catalog.TouchReindex(limited, run, x.Resources.Now(limited))
		cancel()
		switch {
		case ctx.Err() != nil:
		case err != nil:
			x.Resources.Log.Warn("the run's sign of life is not recorded", "run", run.ID, "error", err)
		case is.State == catalogdb.ReindexCancelled:
			stop(errCancelled)
		case is.State != catalogdb.ReindexRunning:
			stop(ErrTakenOver)
		}
	}
}

// end records how a run ended, and returns that. A run that was cancelled stays so, however late this process
// sees it.
func (x *ReindexRunner) end(ctx context.Context, run catalogdb.ReindexRun, failed int64, cause, err error) (catalogdb.ReindexState, error) {
	state := catalogdb.ReindexDone
	switch {
	case errors.Is(cause, errCancelled):
		return catalogdb.ReindexCancelled, nil
	case errors.Is(cause, ErrTakenOver):
		return catalogdb.ReindexInterrupted, ErrTakenOver
	case err != nil:
		state = catalogdb.ReindexInterrupted
		if ctx.Err() != nil {
			err = nil
		}
	case failed > 0:
		state = catalogdb.ReindexFailed
	}
	if run.ID == 0 {
		return state, err
	}
	limited, cancel := context.WithTimeout(context.WithoutCancel(ctx), recordLimit)
	defer cancel()
	is, unrecorded := x.Resources.Catalog.FinishReindex(limited, run, state, x.Resources.Now(limited))
	switch {
	case unrecorded != nil:
		return state, errors.Join(err, unrecorded)
	case is.State == catalogdb.ReindexCancelled:
		return is.State, nil
	case is.Holder != run.Holder:
		return catalogdb.ReindexInterrupted, ErrTakenOver
	}
	return state, err
}
