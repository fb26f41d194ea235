package stats

import (
	"context"
	"crypto/rand"
	"fmt"
	"slices"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// DefaultKeep is how long counts are kept by day, and marks of logs that are gone, unless configured otherwise.
const DefaultKeep = 400 * 24 * time.Hour

// A Run counts logs once.
type Run struct {
	DB      *catalogdb.DB
	Catalog string   // URL of the same catalog, for the workers of the runner
	Logs    []string // as [OpenStore] has them
	Keep    time.Duration
	Execute func(ctx context.Context, name string, p *beam.Pipeline) error

	// Bounded runs a pipeline for each batch, one after the other, so that the rows of one batch are in memory at a time.
	Bounded bool
}

// A Summary is the result of a run.
type Summary struct {
	Logs      int              `json:"logs"`      // counted in this run
	Unchanged int              `json:"unchanged"` // counted before
	Failed    int              `json:"failed"`    // not counted; the log of the process, or of the workers, says why
	Lines     catalog.LogLines `json:"lines"`
}

// Do counts the logs that were not counted before, and what was added to others since. Several runs may count at the same time: no
// line is counted twice. If the context ends, batches that were written stay counted.
func (r Run) Do(ctx context.Context) (s Summary, err error) {
	name := "stats-" + rand.Text()[:12]
	now, err := r.DB.Clock(ctx)
	if err != nil {
		return s, err
	}
	plan, err := NewPlan(ctx, r.DB, r.Logs, name)
	if err != nil {
		return s, err
	}
	s.Unchanged = len(plan.Before)
	if err := r.DB.LogFilesSeen(ctx, plan.Before, now); err != nil {
		return s, err
	}
	for _, tasks := range r.jobs(plan.Tasks) {
		p, root := beam.NewPipelineWithRoot()
		Count(root, r.Catalog, beam.CreateList(root, tasks))
		if err := r.Execute(ctx, name, p); err != nil {
			return s, fmt.Errorf("count logs: %w", err)
		}
	}
	if s.Lines, s.Logs, err = r.DB.LogRun(ctx, name); err != nil {
		return s, err
	}
	s.Failed = len(plan.Tasks) - s.Logs
	return s, r.DB.PruneStatistics(ctx, now.Add(-r.Keep))
}

// jobs returns the tasks of each pipeline.
func (r Run) jobs(tasks []Task) (jobs [][]Task) {
	for len(tasks) > 0 {
		n := len(tasks)
		if r.Bounded {
			n = slices.IndexFunc(tasks, func(t Task) bool { return t.Batch != tasks[0].Batch })
			if n < 0 {
				n = len(tasks)
			}
		}
		jobs, tasks = append(jobs, tasks[:n]), tasks[n:]
	}
	return jobs
}
