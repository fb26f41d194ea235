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
	//lint:ignore SA1019 it is the runner of embedded pipelines
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"

	"repomill/pipelines"
	"repomill/pipelines/awsidentity"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type reindexCmd struct {
	Targets                  []string `arg:"" optional:"" name:"target" help:"owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch."`
	All                      bool     `help:"Every release of every repository."`
	Catalog                  string   `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password, which workers need, too."`
	Bucket                   string   `required:"" placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket."`
	SigningKey               []string `required:"" sep:"none" placeholder:"file:///PATH" help:"URL of the file with the armoured private keys that sign releases, or of a key in a KMS (gcpkms://, awskms://). May be repeated. Workers never get it."`
	SigningKeyPassphraseFile string   `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
	PublicURL                string   `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	Parallel                 int      `default:"2" help:"Releases that are published at a time, 1 to 64."`
	By                       string   `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who asks for it, for the record."`
	LogLevel                 string   `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat                string   `default:"json" enum:"text,json" help:"Format of the log on the standard error."`

	awsidentity.Flags
	Engine engineCfg `embed:"" group:"Engine:"`
}

const maxParallel = 64

// Help describes the exit codes.
func (reindexCmd) Help() string {
	return `The command does what repomill reindex does, but workers of the engine render the indexes. repomill reindex list and cancel work
with it. While the job runs, no other process works on its releases. After an interruption, workers continue, and so does the
same command.

Example:
  repomill-beam reindex acme/tools --runner flink --endpoint flink:8099 --catalog mysql://mill@db/mill?password-file=/etc/mill/password \
    --bucket s3://out?region=eu-west-1 --signing-key file:///etc/mill/signing-key.asc --public-url https://packages.example.org

Exit codes:
  0  every release is identical or published
  1  a release failed, or another kind of reindex of it has not ended; the standard error says why
  2  usage, or a target that does not exist
  3  interrupted or cancelled
  4  a resource cannot be reached`
}

// Run reindexes.
func (c *reindexCmd) Run(ctx context.Context, stderr io.Writer) error {
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
	cfg := c.workers()
	cfg.SigningKey, cfg.PassphraseFile = pipelines.JoinKeys(c.SigningKey), c.SigningKeyPassphraseFile
	r, err := pipelines.Open(ctx, cfg)
	if err != nil {
		return command.Fault(err)
	}
	defer r.Close()
	if err := r.Catalog.Ready(ctx); err != nil {
		return command.Fault(err)
	}
	if err := r.CheckKey(ctx); err != nil {
		return command.Fault(err)
	}
	releases, err := pipelines.SelectReleases(ctx, r.Catalog, c.Targets)
	if unknown, ok := errors.AsType[*pipelines.UnknownTarget](err); ok {
		return command.Usage("%w", unknown)
	}
	if err != nil {
		return command.Fault(err)
	}
	return c.reindex(ctx, r, e, releases)
}

// reindex records the reindex, has workers of the engine prepare the index files, and publishes them in this process.
func (c *reindexCmd) reindex(ctx context.Context, r *pipelines.Resources, e *engine, releases []catalog.Release) error {
	name := jobName()
	x := &pipelines.Reindexer{Resources: r, Job: pipelines.ReindexJob{Owner: name, Prepared: name, Parallel: c.Parallel, Silent: true}}
	x.Run = func(ctx context.Context, p *beam.Pipeline) error {
		_, err := direct.Execute(ctx, p)
		return err
	}
	want := catalogdb.ReindexRequest{Source: catalogdb.FromRows, By: c.By}
	numbers, err := r.Catalog.AskReindex(ctx, releases, want, x.Lease(), r.Now(ctx))
	switch {
	case errors.Is(err, catalogdb.ErrReindexing):
		return err
	case err != nil:
		return command.Fault(err)
	}
	c.prepare(ctx, x, e, name, releases)
	if err := x.Work(ctx, releases); err != nil && ctx.Err() == nil {
		return command.Fault(fmt.Errorf("%w; run the same command again to continue", err))
	}
	if ctx.Err() != nil {
		return command.Interrupt("interrupted: workers continue, and so does the same command")
	}
	return outcomes(ctx, r, numbers)
}

// prepare runs the job that renders the index files. This process, or another one if it is ending, renders what the job has not
// rendered.
func (c *reindexCmd) prepare(ctx context.Context, x *pipelines.Reindexer, e *engine, name string, releases []catalog.Release) {
	ctx, stop := x.Reserve(ctx)
	defer stop()
	slog.Info("job submitted", "job", name, "releases", len(releases))
	if err := e.Run(ctx, name, prepareJob(c.workers(), name, releases), false); err != nil {
		slog.Warn("job failed; this process renders the rest", "job", name, "error", err)
	}
}

// outcomes logs the results of reindexes, and returns the error of the command.
func outcomes(ctx context.Context, r *pipelines.Resources, numbers map[catalog.Release]int64) error {
	failed, cancelled := 0, 0
	err := pipelines.FollowReindexes(ctx, r.Catalog, numbers, func(all []catalogdb.Reindex) error {
		for _, is := range all {
			res, err := pipelines.ResultOf(is)
			if err != nil {
				return err
			}
			res.Log(ctx, slog.Default())
			switch res.Outcome {
			case catalogdb.OutcomeFailed:
				failed++
			case catalogdb.OutcomeCancelled:
				cancelled++
			}
		}
		return nil
	})
	switch {
	case err != nil:
		return command.Fault(err)
	case failed > 0:
		return fmt.Errorf("%d of %s failed and are unchanged for clients: the log says why", failed, pipelines.Counted(len(numbers), "release"))
	case cancelled > 0:
		return command.Interrupt("%d of %s cancelled: unchanged for clients, unless a publish was running", cancelled, pipelines.Counted(len(numbers), "release"))
	}
	return nil
}

// prepareJob builds the job that renders the index files of releases in whole.
func prepareJob(workers pipelines.Config, job string, releases []catalog.Release) *beam.Pipeline {
	names := make([]string, len(releases))
	for i, r := range releases {
		names[i] = r.String()
	}
	p, s := beam.NewPipelineWithRoot()
	pipelines.PrepareWhole(s, workers, job, beam.Reshuffle(s, beam.CreateList(s, names)))
	return p
}

func (c *reindexCmd) check() error {
	if err := c.Engine.check(); err != nil {
		return err
	}
	for flag, value := range map[string]string{"--catalog": c.Catalog, "--bucket": c.Bucket} {
		if err := c.Engine.checkURL(flag, value); err != nil {
			return err
		}
	}
	for i, t := range c.Targets {
		c.Targets[i] = strings.Trim(t, "/")
	}
	slices.Sort(c.Targets)
	c.Targets = slices.Compact(c.Targets)
	switch {
	case c.Engine.Dataflow.DryRun || c.Engine.Dataflow.TemplateLocation != "":
		return command.Usage("--dry-run and --template-location are for ingest")
	case c.All == (len(c.Targets) > 0):
		return command.Usage("name what to reindex, such as acme/tools or acme/tools/ubuntu/jammy, or use --all")
	case c.Parallel < 1 || c.Parallel > maxParallel:
		return command.Usage("--parallel %d: use 1 to %d", c.Parallel, maxParallel)
	}
	return command.CheckURL("--public-url", c.PublicURL)
}

// workers returns the resources of workers, which are part of a job: without the signing key.
func (c *reindexCmd) workers() pipelines.Config {
	return pipelines.Config{Catalog: c.Catalog, Bucket: c.Bucket, PublicURL: strings.TrimRight(c.PublicURL, "/"), AWS: c.Flags}
}
