package main

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// checkPages returns an error for flags and targets that do not go with --pages.
func (c *reindexRunCmd) checkPages(targets []string) error {
	switch {
	case c.DryRun:
		return command.Usage("--pages writes the pages that differ, and --dry-run writes nothing: leave one of them out")
	case c.Repair:
		return command.Usage("--repair is about index files, and --pages about pages: run the command once with each")
	case c.From == string(catalogdb.FromPublished):
		return command.Usage("--pages makes pages from the rows of the catalog; --from published rebuilds the rows: run the command without --pages first")
	}
	for _, t := range targets {
		if strings.Count(t, "/") != 1 {
			return command.Usage("target %q: --pages is for whole repositories: use owner/name", t)
		}
	}
	return nil
}

// pages has all pages of targets made again. Without resources, it leaves the work to workers.
func (c *reindexRunCmd) pages(ctx context.Context, io stdio, db *catalogdb.DB, r *pipelines.Resources, targets []string) error {
	repositories, err := pipelines.SelectRepositories(ctx, db, targets)
	if err != nil {
		return unknownTarget(ctx, db, err)
	}
	asked, err := db.Clock(ctx)
	if err == nil {
		err = db.AskPages(ctx, repositories, asked)
	}
	if err != nil {
		return stopped(ctx, err)
	}
	if c.NoWait {
		fmt.Fprintln(io.err, "recorded: workers (or repomill up) make the pages")
		return nil
	}
	working, stop := context.WithCancelCause(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop(nil)
	if r != nil {
		work.Go(func() {
			job := pipelines.PagesJob{Owner: pipelines.NewOwner("pages")}
			if err := pipelines.RunPages(working, runDirect, r.Config, job, repositories); err != nil {
				stop(err)
			}
		})
	}
	failed, err := c.followPages(working, io, db, r, repositories, asked)
	if cause := context.Cause(working); err != nil && cause != nil && ctx.Err() == nil {
		err = cause
	}
	switch {
	case ctx.Err() != nil:
		return command.Interrupt("interrupted: what is recorded goes on: workers make the rest of the pages")
	case err != nil:
		return stopped(ctx, err)
	case failed > 0:
		return fmt.Errorf("pages of %d of %s not made: workers try again", failed, pipelines.Counted(len(repositories), "repository"))
	}
	return nil
}

// followPages reports the progress of pages until all are made. It returns of how many repositories they were not.
func (c *reindexRunCmd) followPages(ctx context.Context, io stdio, db *catalogdb.DB, r *pipelines.Resources, repositories []catalog.Repository, asked time.Time) (failed int, err error) {
	start, shown, looked := time.Now(), time.Now(), time.Time{}
	err = pipelines.FollowPages(ctx, db, repositories, asked, func(pending []catalogdb.PageState) error {
		if time.Since(shown) > plainPeriod {
			shown = time.Now()
			for _, s := range pending {
				fmt.Fprintf(io.err, "%s: %s left\n", s.Repository, pipelines.Counted(s.Requests, "package"))
			}
		}
		if r != nil || time.Since(start) < client.AwaitWorker || time.Since(looked) < workerPeriod {
			return nil
		}
		looked = time.Now()
		return workerRuns(ctx, db, awaited{then: "the pages are made"})
	}, func(res pipelines.PagesResult) {
		if !res.Made {
			failed++
		}
		if err := c.printPages(io, res); err != nil {
			failed = max(failed, 1)
		}
	})
	return failed, err
}

func (c *reindexRunCmd) printPages(io stdio, res pipelines.PagesResult) error {
	if c.JSON {
		line, err := json.Marshal(res)
		if err == nil {
			_, err = fmt.Fprintf(io.out, "%s\n", line)
		}
		return err
	}
	text := "pages made"
	if !res.Made {
		text = "pages not made: " + res.Error
	}
	_, err := fmt.Fprintf(io.out, "%s  %s\n", res.Repository, text)
	return err
}
