package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// exitDifferent is the exit code of a dry run that would change something.
const exitDifferent = 5

type reindexCmd struct {
	Run    reindexRunCmd    `cmd:"" default:"withargs" help:"Render the indexes of releases in whole, from the rows of the catalog."`
	List   reindexListCmd   `cmd:"" help:"List the latest reindex of each release."`
	Cancel reindexCancelCmd `cmd:"" help:"Cancel reindexes that have not ended, in any process."`
}

// reindexExitCodes are those of reindex and reindex run.
const reindexExitCodes = `Exit codes:
  0  every release is identical or published; with --no-wait: the request is recorded
  1  a release failed, or another kind of reindex of it has not ended; the standard error says why
  2  usage, or a target that does not exist
  3  interrupted, or no worker runs: a worker or the same command continues; or cancelled
  4  the catalog or the bucket cannot be reached
  5  with --dry-run: something would change`

// Help refers to the help of run.
func (reindexCmd) Help() string {
	return `repomill reindex run --help describes targets and flags: repomill reindex is short for repomill reindex run. A target is owner/name,
owner/name/os/version or, for RPM, owner/name/os/version/arch.

` + reindexExitCodes
}

type reindexRunCmd struct {
	siteFlags
	Targets  []string `arg:"" optional:"" name:"target" help:"owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch."`
	All      bool     `help:"Every release of every repository."`
	DryRun   bool     `help:"Write nothing, and report what would change."`
	From     string   `default:"rows" enum:"rows,published" help:"Source: rows renders the indexes from the catalog; published rebuilds the rows of the catalog from the published indexes."`
	Pages    bool     `help:"Make all pages of repositories again from the rows, instead of indexes."`
	Repair   bool     `help:"Write missing or damaged index files again, instead of failing."`
	NoWait   bool     `name:"no-wait" help:"Return as soon as the request is recorded. Workers do the work."`
	Parallel int      `default:"2" help:"Releases that this command works on at a time, 1 to 64."`
	JSON     bool     `name:"json" help:"Print one JSON object for each release, and one for all."`
	By       string   `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who asks for it, for the record."`
}

// Help describes which processes do the work, and the exit codes.
func (reindexRunCmd) Help() string {
	return `Clients see the old indexes until the new ones are complete, and uploads continue. Of a release whose indexes would not change,
nothing is written; it is reported as identical.

The catalog records the request. Workers do the work, a few releases at a time. The command works beside them, unless only --catalog is
given, without --bucket and --signing-key. It returns when all is done. After an interruption, workers continue, and so does the same
command. Repeating a request changes nothing. A request of another kind (--repair, --from published) is refused until the earlier one has
ended.

With --pages it makes no indexes, but the static pages of whole repositories, from the rows; only what differs is written.
Pages have the URL under which clients reach the server, and what the table of distributions says: run it after a change of --public-url or
--distributions. Files of packages that could not be read for their pages are read again.

With --from published the catalog may be empty: after a loss, run repomill migrate, and this command with --all. Phases come back, but not
their steps to come, nor who asked for them: set those again with repomill phase. A DEB is as young to rules of retention as the publish.

` + reindexExitCodes + `

Examples:
  repomill reindex acme/tools/ubuntu/jammy
  repomill reindex --all --dry-run
  repomill reindex --all --from published
  repomill reindex --pages acme/tools`
}

const maxParallel = 64

// check returns the targets, or an error for flags that contradict each other.
func (c *reindexRunCmd) check() (targets []string, err error) {
	if targets, err = reindexTargets(c.Targets, c.All); err != nil {
		return nil, err
	}
	published := c.From == string(catalogdb.FromPublished)
	if c.Pages {
		if err := c.checkPages(targets); err != nil {
			return nil, err
		}
	}
	switch {
	case c.DryRun && published:
		return nil, command.Usage("--dry-run compares the rows with what is published; --from published rebuilds the rows: leave one of them out")
	case c.Repair && c.DryRun:
		return nil, command.Usage("--repair writes, and --dry-run does not: leave one of them out")
	case c.Repair && published:
		return nil, command.Usage("--repair writes published index files again from the rows; --from published rebuilds the rows from them: leave one of them out")
	case c.NoWait && c.DryRun:
		return nil, command.Usage("--dry-run records nothing to wait for: leave out --no-wait")
	case c.DryRun && c.catalogAlone():
		return nil, command.Usage("--dry-run reads the bucket: add --bucket and --signing-key")
	case published && c.catalogAlone():
		return nil, command.Usage("--from published reads the bucket: add --bucket and --signing-key")
	case c.Parallel < 1 || c.Parallel > maxParallel:
		return nil, command.Usage("--parallel %d: use 1 to %d", c.Parallel, maxParallel)
	}
	return targets, nil
}

// reindexTargets checks targets, and returns them sorted; none with --all.
func reindexTargets(named []string, all bool) (targets []string, err error) {
	for _, t := range named {
		t = strings.Trim(t, "/")
		if n := strings.Count(t, "/"); n != 1 && n != 3 && n != 4 {
			return nil, command.Usage("target %q: use owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch", t)
		}
		if err := client.CheckTarget(t); err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	switch {
	case all && len(targets) > 0:
		return nil, command.Usage("--all selects every release: leave out --all, or the targets")
	case !all && len(targets) == 0:
		return nil, command.Usage("name releases, such as acme/tools or acme/tools/ubuntu/jammy, or use --all")
	}
	slices.Sort(targets)
	return slices.Compact(targets), nil
}

// Run reindexes.
func (c *reindexRunCmd) Run(ctx context.Context, io stdio) error {
	targets, err := c.check()
	if err != nil {
		return err
	}
	quietLogger(io)
	if c.catalogAlone() {
		db, err := c.openToChange(ctx)
		if err != nil {
			return err
		}
		defer db.Close()
		return c.do(ctx, io, db, nil, targets)
	}
	r, err := c.siteFlags.open(ctx)
	if err != nil && ctx.Err() != nil {
		return command.Interrupt("interrupted before anything was recorded")
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return c.do(ctx, io, r.Catalog, r, targets)
}

// do makes indexes, or pages. Without resources, it leaves the work to workers.
func (c *reindexRunCmd) do(ctx context.Context, io stdio, db *catalogdb.DB, r *pipelines.Resources, targets []string) error {
	if c.Pages {
		return c.pages(ctx, io, db, r, targets)
	}
	return c.reindex(ctx, io, db, r, targets)
}

// reindex reindexes targets. Without resources, it leaves the work to workers.
func (c *reindexRunCmd) reindex(ctx context.Context, io stdio, db *catalogdb.DB, r *pipelines.Resources, targets []string) error {
	find := func(ctx context.Context, targets []string) ([]catalog.Release, error) {
		return pipelines.SelectReleases(ctx, db, targets)
	}
	if r != nil && c.From == string(catalogdb.FromPublished) {
		find = r.SelectPublished
	}
	releases, err := find(ctx, targets)
	if err != nil {
		return unknownTarget(ctx, db, err)
	}
	report := newReindexReport(io, c.JSON)
	if err := report.count(ctx, db, releases); err != nil {
		return stopped(ctx, err)
	}
	if c.DryRun {
		return c.dryRun(ctx, r, report, releases, targets)
	}
	want := catalogdb.ReindexRequest{Source: catalogdb.ReindexSource(c.From), Repair: c.Repair, By: c.By}
	now, err := db.Clock(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	numbers, err := db.AskReindex(ctx, releases, want, catalogdb.Lease{}, now)
	switch {
	case errors.Is(err, catalogdb.ErrReindexing):
		return err
	case err != nil:
		return stopped(ctx, err)
	case c.NoWait:
		fmt.Fprintln(io.err, "recorded: workers (or repomill up) do the work; repomill reindex list shows the progress")
		return nil
	}
	if err := c.follow(ctx, db, r, report, releases, numbers); err != nil {
		return stopped(ctx, err)
	}
	report.summary(targets)
	return verdictOf(ctx, r, report)
}

// follow reports the progress of reindexes until all have ended. With resources, it works on them, too.
func (c *reindexRunCmd) follow(ctx context.Context, db *catalogdb.DB, r *pipelines.Resources, report *reindexReport, releases []catalog.Release, numbers map[catalog.Release]int64) error {
	working, stop := context.WithCancelCause(ctx)
	var work sync.WaitGroup
	defer work.Wait()
	defer stop(nil)
	if r != nil {
		x := pipelines.Reindexer{Resources: r, Run: runDirect, Job: pipelines.ReindexJob{Owner: pipelines.NewOwner("reindex"), Parallel: c.Parallel, Silent: true}}
		work.Go(func() {
			if err := x.Work(working, releases); err != nil {
				stop(err)
			}
		})
	}
	defer report.start()()
	start, looked := time.Now(), time.Time{}
	err := pipelines.FollowReindexes(working, db, numbers, func(all []catalogdb.Reindex) error {
		if err := report.update(all, numbers); err != nil {
			return err
		}
		if onlyLater(all, numbers) {
			return command.Interrupt("recorded; a later version of repomill asked for the rest, which waits for a worker of that version (repomill reindex cancel ends it)")
		}
		if r != nil || report.through() || time.Since(start) < client.AwaitWorker || time.Since(looked) < workerPeriod {
			return nil
		}
		looked = time.Now()
		return workerRuns(working, db, awaited{then: "it is done"})
	})
	if cause := context.Cause(working); err != nil && cause != nil && ctx.Err() == nil {
		return cause
	}
	return err
}

// onlyLater reports whether every reindex that has not ended needs a later version of the program.
func onlyLater(all []catalogdb.Reindex, numbers map[catalog.Release]int64) bool {
	left := slices.DeleteFunc(slices.Clone(all), func(x catalogdb.Reindex) bool { return x.Done >= numbers[x.Release] })
	return len(left) > 0 && !slices.ContainsFunc(left, func(x catalogdb.Reindex) bool { return !x.Later() })
}

// dryRun renders releases and reports what would change.
func (c *reindexRunCmd) dryRun(ctx context.Context, r *pipelines.Resources, report *reindexReport, releases []catalog.Release, targets []string) error {
	stop := report.start()
	err := r.DryReindex(ctx, releases, c.Parallel, report.rendered, report.finish)
	stop()
	if ctx.Err() != nil {
		return command.Interrupt("interrupted; nothing was written")
	}
	if err != nil {
		return command.Fault(err)
	}
	report.summary(targets)
	return verdictOf(ctx, r, report)
}

// unknownTarget turns the error of a target that does not exist into an error of usage.
func unknownTarget(ctx context.Context, db *catalogdb.DB, err error) error {
	unknown, ok := errors.AsType[*pipelines.UnknownTarget](err)
	if !ok {
		return stopped(ctx, err)
	}
	if why := client.WhyNothing(ctx, db, unknown.Target); why != nil && command.CodeOf(why) == command.Failed {
		return command.Usage("%w", why)
	}
	return command.Usage("%w", unknown)
}

// stopped returns the error of a command that did not run to its end.
func stopped(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return command.Interrupt("interrupted: releases that are not done are unchanged; workers continue, and so does the same command (repomill reindex cancel ends it)")
	case command.CodeOf(err) == command.Interrupted:
		return err
	}
	return command.Fault(fmt.Errorf("%w; run the same command again to continue", err))
}

// verdictOf returns the error for the releases of a report, with its exit code.
func verdictOf(ctx context.Context, r *pipelines.Resources, report *reindexReport) error {
	n := report.counts
	switch {
	case n.Failed > 0:
		if r != nil {
			if err := r.Ready(ctx); err != nil {
				return command.Fault(fmt.Errorf("%d of %s failed, and a resource cannot be reached: %w", n.Failed, pipelines.Counted(report.finished, "release"), err))
			}
		}
		return fmt.Errorf("%d of %s failed and are unchanged for clients", n.Failed, pipelines.Counted(report.finished, "release"))
	case n.Cancelled > 0:
		return command.Interrupt("%d of %s cancelled: unchanged for clients, unless a publish was running", n.Cancelled, pipelines.Counted(report.finished, "release"))
	case n.Different > 0:
		return command.Exit(exitDifferent) // the report says it
	}
	return nil
}

// quietLogger logs only warnings and errors: the report has the progress.
func quietLogger(io stdio) {
	setLogger(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
