package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
)

type reindexListCmd struct {
	catalogFlags
	Which int64 `arg:"" optional:"" name:"run" help:"Only this run, with its releases."`
	JSON  bool  `name:"json" help:"Print one JSON object a line."`
	Limit int   `default:"20" help:"How many runs to show, at least 1."`
}

// Run prints the runs, newest first, or the releases of one, in order.
func (c *reindexListCmd) Run(ctx context.Context, io stdio) error {
	if c.Limit < 1 {
		return command.Usage("--limit %d: use 1 or more", c.Limit)
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Which != 0 {
		return c.releases(ctx, io, db)
	}
	runs, err := db.ReindexRuns(ctx, c.Limit, time.Now())
	if err != nil {
		return command.Fault(err)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, run := range runs {
		run.Source = pipelines.SourceOf(run)
		if c.JSON {
			printJSON(io, run)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "RUN\tSTARTED\tBY\tTARGETS\tFROM\tSTATE\tRELEASES")
		}
		n := run.Counts
		fmt.Fprintf(w, "%d\t%s\t%s\t%s\t%s\t%s\t%d identical, %d published, %d failed, %d left\n", run.ID, run.Started.Format("2006-01-02 15:04:05"),
			command.Printable(run.By), selection(run), run.Source, run.State, n.Identical, n.Published, n.Failed, n.Waiting)
	}
	if len(runs) == 0 && !c.JSON {
		fmt.Fprintln(io.out, "nothing was reindexed yet")
	}
	return nil
}

func selection(run catalogdb.ReindexRun) string {
	if len(run.Selection) == 0 {
		return "--all"
	}
	return strings.Join(run.Selection, " ")
}

// releases prints what became of the releases of a run.
func (c *reindexListCmd) releases(ctx context.Context, io stdio, db *catalogdb.DB) error {
	all, err := db.ReindexReleases(ctx, c.Which)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return fmt.Errorf("there is no run %d; repomill reindex list shows those that are", c.Which)
	}
	if err != nil {
		return command.Fault(err)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, r := range all {
		if c.JSON {
			printJSON(io, r)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "RELEASE\tOUTCOME\tDETAIL")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\n", r.Release, r.Outcome, command.Printable(r.Detail))
	}
	return nil
}

type reindexCancelCmd struct {
	catalogFlags
	Which int64 `arg:"" name:"run" help:"Number of the run, as repomill reindex list has it."`
}

// Help describes the exit codes.
func (reindexCancelCmd) Help() string {
	return `The process of the run stops within seconds and leaves nothing half-way. The same reindex begins again then.

Exit codes: 0 cancelled, 1 there is no such run or it is over, 2 usage, 4 the catalog cannot be reached.

Example:
  repomill reindex cancel 7`
}

// Run cancels a run.
func (c *reindexCancelCmd) Run(ctx context.Context, io stdio) error {
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	was, err := db.CancelReindex(ctx, c.Which, time.Now())
	if errors.Is(err, catalogdb.ErrNotFound) {
		return fmt.Errorf("there is no run %d; repomill reindex list shows those that are", c.Which)
	}
	if err != nil {
		return command.Fault(err)
	}
	if was.State != catalogdb.ReindexRunning && was.State != catalogdb.ReindexInterrupted {
		return fmt.Errorf("run %d is %s already", c.Which, was.State)
	}
	fmt.Fprintf(io.out, "cancelled: run %d, %s, of %s\n", c.Which, selection(was), was.Started.Format("2006-01-02 15:04:05"))
	return nil
}
