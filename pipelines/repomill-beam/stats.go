package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines/command"
	"repomill/pipelines/stats"
	"repomill/schemas/catalogdb"
)

type statsCmd struct {
	Logs      []string `arg:"" name:"logs" help:"s3://BUCKET/PREFIX?region=R or gs://BUCKET/PREFIX; with workers in this process, files, too."`
	Catalog   string   `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password, which workers need, too."`
	KeepDays  int      `default:"400" help:"How many days counts are kept by day; then they are summed up by month. Logs have to be deleted before that."`
	LogLevel  string   `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat string   `default:"json" enum:"text,json" help:"Format of the log on the standard error."`

	Engine engineCfg `embed:"" group:"Engine:"`
}

// Help describes the exit codes.
func (statsCmd) Help() string {
	return `The command counts downloads in logs, as repomill stats run does, but workers of the engine read the logs and write the counts. A
log that was counted, by either command, is not counted again.

Example:
  repomill-beam stats 's3://acme-cdn-logs/?region=eu-west-1' --runner flink --endpoint flink:8099 \
    --catalog mysql://stats@db/mill?password-file=/etc/mill/password

Exit codes:
  0  all logs are counted
  1  some log could not be counted; the logs of the workers say why
  2  usage
  3  interrupted; run the command again
  4  a resource cannot be reached, or the job failed; run the command again`
}

// minKeepDays is the least --keep-days: reports ask for some weeks by day.
const minKeepDays = 31

// Run counts logs in one job.
func (c *statsCmd) Run(ctx context.Context, stderr io.Writer) error {
	if err := c.check(); err != nil {
		return err
	}
	newLogger(stderr, c.LogFormat, c.LogLevel)
	e, err := newEngine(c.Engine)
	if err != nil {
		return err
	}
	db, err := catalogdb.Open(c.Catalog)
	if err != nil {
		return command.Usage("%w", err)
	}
	defer db.Close()
	if c.Engine.Dataflow.DryRun {
		p, root := beam.NewPipelineWithRoot()
		stats.Count(root, c.Catalog, beam.CreateList(root, []stats.Task{{}}))
		return e.Run(ctx, "repomill-dry-run", p, false)
	}
	if err := e.Reach(ctx); err != nil {
		return command.Fault(err)
	}
	if err := db.Ready(ctx); err != nil {
		return command.Fault(err)
	}
	sum, err := stats.Run{
		DB: db, Catalog: c.Catalog, Logs: c.Logs, Keep: time.Duration(c.KeepDays) * 24 * time.Hour,
		Execute: func(ctx context.Context, name string, p *beam.Pipeline) error {
			slog.Info("job submitted", "job", name)
			return e.Run(ctx, name, p, false)
		},
	}.Do(ctx)
	if ctx.Err() != nil {
		return command.Interrupt("interrupted; run the command again: what was counted is not counted twice")
	}
	if err != nil {
		return command.Fault(err)
	}
	l := sum.Lines
	slog.Info("logs counted", "logs", sum.Logs, "unchanged", sum.Unchanged, "failed", sum.Failed, "lines", l.Lines, "downloads", l.Downloads,
		"metadata", l.Metadata, "redirects", l.Redirects, "partial", l.Partial, "unknown", l.Unknown, "statuses", l.Failed, "other", l.Other, "bots", l.Bots, "malformed", l.Malformed)
	if sum.Failed > 0 {
		return fmt.Errorf("%d logs not counted", sum.Failed)
	}
	return nil
}

func (c *statsCmd) check() error {
	if err := c.Engine.check(); err != nil {
		return err
	}
	if err := c.Engine.checkURL("--catalog", c.Catalog); err != nil {
		return err
	}
	for _, l := range c.Logs {
		if stats.IsLocal(l) && !c.Engine.here() {
			return command.Usage("logs %s: workers on other machines cannot read files (only --runner flink --environment-type LOOPBACK can); use repomill stats run", l)
		}
	}
	switch {
	case c.KeepDays < minKeepDays:
		return command.Usage("--keep-days %d: use %d or more", c.KeepDays, minKeepDays)
	case c.Engine.Dataflow.TemplateLocation != "":
		return command.Usage("--template-location is for ingest: which logs a job counts is known when it is submitted")
	}
	return nil
}
