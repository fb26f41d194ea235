package main

import (
	"context"
	"fmt"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/stats"
)

type statsRunCmd struct {
	catalogFlags
	Logs []string `arg:"" name:"logs" help:"A file, a folder or a pattern such as '/var/log/nginx/access.log*'; s3://BUCKET/PREFIX?region=R; gs://BUCKET/PREFIX."`
	Keep period   `default:"400d" help:"How long counts are kept by day; then they are summed up by month. Logs have to be deleted before this time."`
	JSON bool     `name:"json" help:"Print the result as JSON."`
}

// Help describes logs and the exit codes.
func (statsRunCmd) Help() string {
	return `Counts downloads in logs: standard logs of CloudFront (v2: W3C or JSON; legacy), and the combined format of nginx and Apache, with or
without gzip. A log that was counted is not counted again, under another name either; of one that has grown, what was added is counted. An
interrupted run has counted whole logs only: repeat it. Addresses of clients are not stored.

Exit codes:
  0  all logs are counted
  1  some log could not be counted; the standard error says why
  2  usage
  3  interrupted; run the command again
  4  the catalog or the logs cannot be reached

Examples:
  repomill stats run '/var/log/nginx/access.log*' --data /var/lib/repomill
  repomill stats run 's3://acme-logs/cdn/?region=eu-west-1' --catalog mysql://mill@db/mill?password-file=/etc/mill/password`
}

// Run counts.
func (c *statsRunCmd) Run(ctx context.Context, io stdio) error {
	quietLogger(io)
	if err := checkKeep(time.Duration(c.Keep)); err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if err := db.Ready(ctx); err != nil {
		return command.Fault(err)
	}
	sum, err := stats.Run{
		DB: db, Catalog: c.URL(), Logs: c.Logs, Keep: time.Duration(c.Keep), Bounded: true,
		Execute: func(ctx context.Context, _ string, p *beam.Pipeline) error { return runDirect(ctx, p) },
	}.Do(ctx)
	if ctx.Err() != nil {
		return command.Interrupt("interrupted; run the command again: what was counted is not counted twice")
	}
	if err != nil {
		return command.Fault(err)
	}
	if c.JSON {
		printJSON(io, sum)
	} else {
		l := sum.Lines
		fmt.Fprintf(io.out, "%s counted, %d unchanged: %s, %s\n", pipelines.Counted(sum.Logs, "log"), sum.Unchanged, pipelines.Counted(int(l.Lines), "line"), pipelines.Counted(int(l.Downloads), "download"))
		fmt.Fprintf(io.out, "not downloads: %d metadata, %d old URLs, %d partial, %d unknown packages, %d other statuses, %d other requests, %d bots, %d malformed\n",
			l.Metadata, l.Redirects, l.Partial, l.Unknown, l.Failed, l.Other, l.Bots, l.Malformed)
	}
	if sum.Failed > 0 {
		return fmt.Errorf("%s not counted", pipelines.Counted(sum.Failed, "log"))
	}
	return nil
}

// minKeep is the least --keep: packagecloud's calls and reports ask for some weeks by day.
const minKeep = 31 * 24 * time.Hour

func checkKeep(keep time.Duration) error {
	if keep < minKeep {
		return command.Usage("--keep: use 31d or more")
	}
	return nil
}
