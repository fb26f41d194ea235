package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalogdb"
)

// exitDifferent is a dry run's: something would change.
const exitDifferent = 5

type reindexCmd struct {
	Run    reindexRunCmd    `cmd:"" default:"withargs" help:"Regenerate whole indexes, from the rows of the catalog."`
	List   reindexListCmd   `cmd:"" help:"List the latest runs, or the releases of one."`
	Cancel reindexCancelCmd `cmd:"" help:"End a run, wherever its process is."`
}

// reindexExitCodes are those of reindex and reindex run.
const reindexExitCodes = `Exit codes:
  0  every release is identical, or published
  1  some release failed, or the same reindex is going on already; the standard error says why
  2  usage, or a target that does not exist
  3  interrupted: the same command again continues; or cancelled, or continued by another process
  4  the catalog or the bucket cannot be reached
  5  with --dry-run: something would change`

// Help says what the help of run has to itself.
func (reindexCmd) Help() string {
	return `repomill reindex TARGET ..., or --all, is repomill reindex run TARGET ...: repomill reindex run --help has targets
and flags. A target is owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch.

` + reindexExitCodes
}

// siteFlags say where everything is that a publish needs.
type siteFlags struct {
	catalogFlags
	Bucket                   string   `placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket, if it is not in --data."`
	SigningKey               []string `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the keys that sign releases, if it is not in --data, or of a key in a KMS (gcpkms://, awskms://). May be repeated."`
	SigningKeyPassphraseFile string   `type:"path" placeholder:"FILE" help:"File with the passphrases of keys that have one, one a line."`
	Cache                    string   `type:"path" help:"Folder with room for the indexes of a release, on a local disk; default: the system's temporary folder."`
	PublicURL                string   `name:"public-url" placeholder:"https://NAME" help:"URL under which clients reach the resolver, if it is not the one in the published configuration."`
}

type reindexRunCmd struct {
	siteFlags
	Targets  []string `arg:"" optional:"" name:"target" help:"owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch."`
	All      bool     `help:"Every release of every repository."`
	DryRun   bool     `help:"Write nothing, say what would change."`
	From     string   `default:"rows" enum:"rows,published" help:"What is taken for true: the rows of the catalog; or what is published, from which the rows are rebuilt."`
	Repair   bool     `help:"Write published index files again that are missing or damaged, instead of refusing."`
	Parallel int      `default:"2" help:"Releases at a time, 1 to 64."`
	JSON     bool     `name:"json" help:"Print one JSON object for each release, and one for the run."`
	By       string   `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who does it, for the record."`
}

// Help describes the exit codes.
func (reindexRunCmd) Help() string {
	return `Clients see the old indexes until the new ones are complete, and uploads go on. A release whose indexes
would be the same is identical: nothing of it is written.

An interrupted run is continued by the same command within a day. If its process was killed, that is not known
for a minute, in which the same command is refused; one with other targets, --from or --repair is not.

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
	for _, t := range c.Targets {
		t = strings.Trim(t, "/")
		if n := strings.Count(t, "/"); n != 1 && n != 3 && n != 4 {
			return nil, command.Usage("target %q: use owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch", t)
		}
		if err := checkTarget(t); err != nil {
			return nil, err
		}
		targets = append(targets, t)
	}
	slices.Sort(targets)
	switch {
	case c.All && len(targets) > 0:
		return nil, command.Usage("--all is every release: leave the targets out, or --all")
	case !c.All && len(targets) == 0:
		return nil, command.Usage("name what to reindex, such as acme/tools or acme/tools/ubuntu/jammy, or use --all")
	case c.DryRun && c.From == pipelines.FromPublished:
		return nil, command.Usage("--dry-run compares the rows with what is published; --from published makes the rows anew: leave one of them out")
	case c.Repair && c.DryRun:
		return nil, command.Usage("--repair writes, and --dry-run does not: leave one of them out")
	case c.Repair && c.From == pipelines.FromPublished:
		return nil, command.Usage("--repair writes published index files anew from the rows; --from published makes the rows anew from them: leave one of them out")
	case c.Parallel < 1 || c.Parallel > maxParallel:
		return nil, command.Usage("--parallel %d: use 1 to %d", c.Parallel, maxParallel)
	}
	return slices.Compact(targets), nil
}

// Run reindexes.
func (c *reindexRunCmd) Run(ctx context.Context, io stdio) error {
	targets, err := c.check()
	if err != nil {
		return err
	}
	quietLogger(io)
	r, err := c.siteFlags.open(ctx)
	if err != nil {
		return err
	}
	defer r.Close()
	find := r.Select
	if c.From == pipelines.FromPublished {
		find = r.SelectPublished
	}
	releases, err := find(ctx, targets)
	if unknown, ok := errors.AsType[*pipelines.UnknownTarget](err); ok {
		if why := whyNothing(ctx, r.Catalog, unknown.Target); why != nil && command.CodeOf(why) == command.Failed {
			return command.Usage("%w", why)
		}
		return command.Usage("%w", unknown)
	}
	report := newReindexReport(io, c.JSON)
	if err == nil {
		err = report.count(ctx, r.Catalog, releases)
	}
	if err != nil {
		return stopped(ctx, err, report)
	}
	runner := &pipelines.ReindexRunner{Resources: r, Run: runDirect, Watcher: report, Began: report.began}
	stop := report.start()
	state, err := runner.Reindex(ctx, pipelines.ReindexRequest{
		Selection: targets, Source: c.From, Releases: releases, By: c.By, DryRun: c.DryRun, Repair: c.Repair, Parallel: c.Parallel,
	})
	stop()
	if err != nil {
		return stopped(ctx, err, report)
	}
	report.summary(state, targets)
	return verdictOf(ctx, r, state, report)
}

// stopped is the error of a command that came to no proper end.
func stopped(ctx context.Context, err error, report *reindexReport) error {
	again := "run the same command again"
	if report.run != 0 {
		again += " to continue"
	}
	switch {
	case errors.Is(err, catalogdb.ErrReindexing):
		return err
	case errors.Is(err, pipelines.ErrTakenOver):
		return command.Interrupt("%w: repomill reindex list %d shows how it goes on", err, report.run)
	case ctx.Err() != nil && report.run == 0:
		return command.Interrupt("interrupted before anything was begun: %s", again)
	}
	return command.Fault(fmt.Errorf("%w; %s", err, again))
}

// verdictOf returns the error, with its exit code, that a run ends in.
func verdictOf(ctx context.Context, r *pipelines.Resources, state catalogdb.ReindexState, report *reindexReport) error {
	switch {
	case state == catalogdb.ReindexCancelled && report.finished == report.releases:
		return command.Interrupt("the run was cancelled, but too late: all its releases were finished")
	case state == catalogdb.ReindexCancelled:
		return command.Interrupt("the run was cancelled; what it had not finished is as it was")
	case state == catalogdb.ReindexInterrupted && report.run == 0:
		return command.Interrupt("interrupted; nothing was written")
	case state == catalogdb.ReindexInterrupted:
		return command.Interrupt("interrupted; what was not finished is as it was: run the same command again to continue")
	case report.failed > 0:
		if err := r.Ready(ctx); err != nil {
			return command.Fault(fmt.Errorf("%d of %s failed, and a resource cannot be reached: %w", report.failed, pipelines.Counted(report.finished, "release"), err))
		}
		return fmt.Errorf("%d of %s failed; clients see there what they saw before", report.failed, pipelines.Counted(report.finished, "release"))
	case report.different > 0:
		return command.Exit(exitDifferent) // the report says it
	}
	return nil
}

// open opens what the flags name: everything in --data, or everything by URL.
func (f siteFlags) open(ctx context.Context) (*pipelines.Resources, error) {
	cfg, err := f.config()
	if err != nil {
		return nil, err
	}
	if err := checkBucket(cfg.Bucket); err != nil {
		return nil, err
	}
	db, err := f.catalogFlags.open(ctx) // which does not make one
	if err != nil {
		return nil, err
	}
	err = db.Ready(ctx)
	if err = errors.Join(err, db.Close()); err != nil {
		return nil, command.Fault(err)
	}
	if cfg.PublicURL, err = f.publicURL(ctx, cfg.Bucket); err != nil {
		return nil, err
	}
	r, err := pipelines.Open(ctx, cfg)
	if err != nil {
		return nil, command.Fault(err)
	}
	if err := r.CheckKey(ctx); err != nil {
		r.Close()
		return nil, command.Fault(err)
	}
	return r, nil
}

func (f siteFlags) config() (pipelines.Config, error) {
	given := 0
	for _, url := range []string{f.Catalog, f.Bucket, pipelines.JoinKeys(f.SigningKey)} {
		if url != "" {
			given++
		}
	}
	if given != 0 && given != 3 {
		return pipelines.Config{}, command.Usage("name --catalog, --bucket and --signing-key, or none of them and the folder of repomill up with --data")
	}
	if given != 0 {
		if err := checkSigningKeys(f.SigningKey); err != nil {
			return pipelines.Config{}, err
		}
	}
	return pipelines.Config{
		Catalog:        cmp.Or(f.Catalog, "sqlite://"+f.Data+"/catalog.db"),
		Bucket:         cmp.Or(f.Bucket, "file://"+f.Data+"/bucket"),
		CacheDir:       f.Cache,
		SigningKey:     cmp.Or(pipelines.JoinKeys(f.SigningKey), "file://"+f.Data+"/signing-key.asc"),
		PassphraseFile: f.SigningKeyPassphraseFile,
	}, nil
}

// publicURL returns the URL under which clients reach the resolver.
func (f siteFlags) publicURL(ctx context.Context, bucketURL string) (string, error) {
	if f.PublicURL != "" {
		return strings.TrimRight(f.PublicURL, "/"), command.CheckURL("--public-url", f.PublicURL)
	}
	bucket, err := openBucket(ctx, bucketURL)
	if err != nil {
		return "", err
	}
	defer bucket.Close()
	url, err := publishedURL(ctx, bucket)
	if err != nil {
		return "", command.Fault(fmt.Errorf("--bucket: %w", err))
	}
	if url == "" {
		return "", command.Usage("no published configuration says under which URL clients reach the resolver: name it with --public-url")
	}
	return url, nil
}

// quietLogger makes a log that has warnings and errors alone: the report says the rest.
func quietLogger(io stdio) {
	setLogger(slog.NewTextHandler(io.err, &slog.HandlerOptions{Level: slog.LevelWarn}))
}
