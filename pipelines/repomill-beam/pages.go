package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/awsidentity"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type pagesCmd struct {
	Targets   []string `arg:"" optional:"" name:"target" help:"owner/name."`
	All       bool     `help:"Every repository."`
	Catalog   string   `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password, which workers need, too."`
	Bucket    string   `required:"" placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket."`
	PublicURL string   `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	LogLevel  string   `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat string   `default:"json" enum:"text,json" help:"Format of the log on the standard error."`

	awsidentity.Flags
	Engine engineCfg `embed:"" group:"Engine:"`
}

// Help describes the exit codes.
func (pagesCmd) Help() string {
	return `The command does what repomill reindex --pages does, but workers of the engine make the pages, each those of one repository at a
time. It needs no signing key. Workers of repomill that run take part: those that are first make the pages of a repository.

Example:
  repomill-beam pages --all --runner flink --endpoint flink:8099 --catalog mysql://mill@db/mill?password-file=/etc/mill/password \
    --bucket s3://out?region=eu-west-1 --public-url https://packages.example.org

Exit codes:
  0  all pages are made
  1  pages of a repository are not made; the standard error says why, and workers try again
  2  usage, or a target that does not exist
  3  interrupted
  4  a resource cannot be reached`
}

// Run makes pages.
func (c *pagesCmd) Run(ctx context.Context, stderr io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	newLogger(stderr, c.LogFormat, c.LogLevel)
	e, err := newEngine(c.Engine)
	if err != nil {
		return err
	}
	if err := e.Reach(ctx); err != nil {
		return command.Fault(err)
	}
	db, err := catalogdb.Open(c.Catalog)
	if err != nil {
		return command.Fault(err)
	}
	defer db.Close()
	if err := db.Ready(ctx); err != nil {
		return command.Fault(err)
	}
	repositories, err := pipelines.SelectRepositories(ctx, db, c.Targets)
	if unknown, ok := errors.AsType[*pipelines.UnknownTarget](err); ok {
		return command.Usage("%w", unknown)
	}
	if err != nil {
		return command.Fault(err)
	}
	return c.make(ctx, db, e, repositories)
}

// make asks for the pages, and has workers of the engine make them.
func (c *pagesCmd) make(ctx context.Context, db *catalogdb.DB, e *engine, repositories []catalog.Repository) error {
	asked, err := db.Clock(ctx)
	if err == nil {
		err = db.AskPages(ctx, repositories, asked)
	}
	if err != nil {
		return command.Fault(err)
	}
	name := jobName()
	slog.Info("job submitted", "job", name, "repositories", len(repositories))
	if err := e.Run(ctx, name, c.job(name, repositories), false); err != nil && ctx.Err() == nil {
		return command.Fault(fmt.Errorf("job %s failed, and workers of repomill make the rest of the pages: %w", name, err))
	}
	failed := 0
	err = pipelines.FollowPages(ctx, db, repositories, asked, func([]catalogdb.PageState) error { return nil }, func(res pipelines.PagesResult) {
		level := slog.LevelInfo
		if !res.Made {
			level = slog.LevelError
			failed++
		}
		slog.Log(ctx, level, "pages", "repository", res.Repository, "made", res.Made, "waiting", res.Waiting, "error", res.Error)
	})
	switch {
	case ctx.Err() != nil:
		return command.Interrupt("interrupted: workers of repomill make the rest of the pages")
	case err != nil:
		return command.Fault(err)
	case failed > 0:
		return fmt.Errorf("pages of %d of %s not made: the log says why", failed, pipelines.Counted(len(repositories), "repository"))
	}
	return nil
}

// job builds the job that makes the pages of repositories.
func (c *pagesCmd) job(name string, repositories []catalog.Repository) *beam.Pipeline {
	names := make([]string, len(repositories))
	for i, r := range repositories {
		names[i] = r.String()
	}
	workers := pipelines.Config{Catalog: c.Catalog, Bucket: c.Bucket, PublicURL: strings.TrimRight(c.PublicURL, "/"), AWS: c.Flags}
	p, s := beam.NewPipelineWithRoot()
	pipelines.Pages(s, workers, pipelines.PagesJob{Owner: name}, beam.Reshuffle(s, beam.CreateList(s, names)))
	return p
}

func (c *pagesCmd) check() error {
	if err := c.Engine.check(); err != nil {
		return err
	}
	for flag, value := range map[string]string{"--catalog": c.Catalog, "--bucket": c.Bucket} {
		if err := c.Engine.checkURL(flag, value); err != nil {
			return err
		}
	}
	for i, t := range c.Targets {
		if c.Targets[i] = strings.Trim(t, "/"); strings.Count(c.Targets[i], "/") != 1 {
			return command.Usage("target %q: use owner/name", t)
		}
	}
	slices.Sort(c.Targets)
	c.Targets = slices.Compact(c.Targets)
	switch {
	case c.Engine.Dataflow.DryRun || c.Engine.Dataflow.TemplateLocation != "":
		return command.Usage("--dry-run and --template-location are for ingest")
	case c.All == (len(c.Targets) > 0):
		return command.Usage("name whose pages to make, such as acme/tools, or use --all")
	}
	return command.CheckURL("--public-url", c.PublicURL)
}
