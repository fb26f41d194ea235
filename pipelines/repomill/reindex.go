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

// exitDifferent is a dry run's: something would change.
const exitDifferent = 5

type reindexCmd struct {
	Run    reindexRunCmd    `cmd:"" default:"withargs" help:"Regenerate whole indexes, from the rows of the catalog."`
	List   reindexListCmd   `cmd:"" help:"List the latest reindex of each release."`
	Cancel reindexCancelCmd `cmd:"" help:"End reindexes that have not ended, in any process."`
}

// reindexExitCodes are those of reindex and reindex run.
const reindexExitCodes = `Exit codes:
  0  every release is identical, or published; with --no-wait: it is recorded
  1  some release failed, or another kind of reindex of it has not ended; the standard error says why
  2  usage, or a target that does not exist
  3  interrupted, or no worker runs: a worker goes on, and so does the same command; or cancelled
  4  the catalog or the bucket cannot be reached
  5  with --dry-run: something would change`

// Help says what the help of run has to itself.
func (reindexCmd) Help() string {
	return `repomill reindex TARGET ..., or --all, is repomill reindex run TARGET ...: repomill reindex run --help has targets
and flags. A target is owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch.

` + reindexExitCodes
}

type reindexRunCmd struct {
	siteFlags
	Targets  []string `arg:"" optional:"" name:"target" help:"owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch."`
	All      bool     `help:"Every release of every repository."`
	DryRun   bool     `help:"Write nothing, say what would change."`
	From     string   `default:"rows" enum:"rows,published" help:"What is taken for true: the rows of the catalog; or what is published, from which the rows are rebuilt."`
	Repair   bool     `help:"Write published index files again that are missing or damaged, instead of refusing."`
	NoWait   bool     `name:"no-wait" help:"Return as soon as it is recorded: workers do it."`
	Parallel int      `default:"2" help:"Releases that this command works on at a time, 1 to 64."`
	JSON     bool     `name:"json" help:"Print one JSON object for each release, and one for all."`
	By       string   `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who does it, for the record."`
}

// Help describes who works on it, and the exit codes.
func (reindexRunCmd) Help() string {
	return `Clients see the old indexes until the new ones are complete, and uploads go on. A release whose indexes
would be the same is identical: nothing of it is written.

The catalog records what is asked for. Workers do it, a few releases at a time; this command works on it beside
them, unless it knows the catalog alone (--catalog without --bucket and --signing-key), and returns when it is
done. If the command is interrupted, workers go on, and so does the same command. The same request twice is one;
another kind (--repair, --from published) is refused until what was asked for before has ended.

With --from published the catalog may be empty: after a loss, migrate it, and run this with --all.

` + reindexExitCodes + `

Examples:
  repomill reindex acme/tools/ubuntu/jammy
  repomill reindex --all --dry-run
  repomill reindex --all --from published`
}

const maxParallel = 64

// check refuses what cannot be meant, and returns the targets.
func (c *reindexRunCmd) check() (targets []string, err error) {
	if targets, err = reindexTargets(c.Targets, c.All); err != nil {
		return nil, err
	}
	published := c.From == string(catalogdb.FromPublished)
	switch {
	case c.DryRun && published:
		return nil, command.Usage("--dry-run compares the rows with what is published; --from published makes the rows again: leave one of them out")
	case c.Repair && c.DryRun:
		return nil, command.Usage("--repair writes, and --dry-run does not: leave one of them out")
	case c.Repair && published:
		return nil, command.Usage("--repair writes published index files again from the rows; --from published makes the rows again from them: leave one of them out")
	case c.NoWait && c.DryRun:
		return nil, command.Usage("--dry-run records nothing that could be waited for: leave out --no-wait")
	case c.DryRun && c.catalogAlone():
		return nil, command.Usage("--dry-run reads the bucket: name it with --bucket, and --signing-key, too")
	case published && c.catalogAlone():
		return nil, command.Usage("--from published reads the bucket: name it with --bucket, and --signing-key, too")
	case c.Parallel < 1 || c.Parallel > maxParallel:
		return nil, command.Usage("--parallel %d: use 1 to %d", c.Parallel, maxParallel)
	}
	return targets, nil
}

// reindexTargets returns targets, sorted; none for all releases.
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
		return nil, command.Usage("--all is every release: leave the targets out, or --all")
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
		return c.reindex(ctx, io, db, nil, targets)
	}
	r, err := c.siteFlags.open(ctx)
	if err != nil && ctx.Err() != nil {
		return command.Interrupt("interrupted before anything was recorded")
	}
	if err != nil {
		return err
	}
	defer r.Close()
	return c.reindex(ctx, io, r.Catalog, r, targets)
}

// reindex reindexes targets; without resources, workers do that alone.
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
		fmt.Fprintln(io.err, "recorded: workers (or repomill up) do it; repomill reindex list shows how it goes on")
		return nil
	}
	if err := c.follow(ctx, db, r, report, releases, numbers); err != nil {
		return stopped(ctx, err)
	}
	report.summary(targets)
	return verdictOf(ctx, r, report)
}

// follow works on reindexes, if there are resources for it, and reports how they go on until all have ended.
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
			return command.Interrupt("recorded; what is left was asked for by a later version of repomill, and waits for a worker of it (repomill reindex cancel ends it)")
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

// onlyLater reports whether all reindexes that have not ended are left to a later version of the program.
func onlyLater(all []catalogdb.Reindex, numbers map[catalog.Release]int64) bool {
	left := slices.DeleteFunc(slices.Clone(all), func(x catalogdb.Reindex) bool { return x.Done >= numbers[x.Release] })
	return len(left) > 0 && !slices.ContainsFunc(left, func(x catalogdb.Reindex) bool { return !x.Later() })
}

// dryRun reports what would change.
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

// unknownTarget makes a target that names nothing an error of usage.
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

// stopped is the error of a command that did not see the end.
func stopped(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return command.Interrupt("interrupted: what has not ended is as it was; workers go on with it, and so does the same command (repomill reindex cancel ends it)")
	case command.CodeOf(err) == command.Interrupted:
		return err
	}
	return command.Fault(fmt.Errorf("%w; run the same command again to continue", err))
}

// verdictOf returns the error, with its exit code, of the releases that a report has.
func verdictOf(ctx context.Context, r *pipelines.Resources, report *reindexReport) error {
	n := report.counts
	switch {
	case n.Failed > 0:
		if r != nil {
			if err := r.Ready(ctx); err != nil {
				return command.Fault(fmt.Errorf("%d of %s failed, and a resource cannot be reached: %w", n.Failed, pipelines.Counted(report.finished, "release"), err))
			}
		}
		return fmt.Errorf("%d of %s failed; clients see there what they saw before", n.Failed, pipelines.Counted(report.finished, "release"))
	case n.Cancelled > 0:
		return command.Interrupt("%d of %s cancelled: clients see what they saw, unless a publish was under way", n.Cancelled, pipelines.Counted(report.finished, "release"))
	case n.Different > 0:
		return command.Exit(exitDifferent) // the report says it
	}
	return nil
}

// quietLogger makes a log that has warnings and errors alone: the report says the rest.
func quietLogger(io stdio) {
	setLogger(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
