package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/layout"
)

type ingestCmd struct {
	Staging                  string        `required:"" placeholder:"gs://BUCKET" help:"URL of the staging bucket."`
	Catalog                  string        `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. A password is named by ?password-file=PATH, a file that workers have too."`
	Bucket                   string        `required:"" placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket."`
	SigningKey               []string      `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the armoured private keys that sign releases, or of a key in a KMS (gcpkms://, awskms://). May be repeated. Workers never see it. Not needed with --detach."`
	SigningKeyPassphraseFile string        `type:"path" placeholder:"FILE" help:"File with the passphrases of keys that have one, one a line."`
	PublicURL                string        `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	Create                   string        `default:"declared" enum:"auto,declared" help:"Whether an upload creates the repository, component or architecture that it names (auto), or is rejected (declared)."`
	MaxPackageSize           int64         `default:"${maxPackageSize}" help:"Largest package, in bytes."`
	UploadTimeout            time.Duration `default:"5m" help:"How long one attempt at an upload may take, besides a second for each MiB."`
	Detach                   bool          `help:"Submit one job, and end: what it stores is published by a running repomill worker."`
	LogLevel                 string        `default:"info" enum:"debug,info,warn,error" help:"Least level of what is logged: debug, info, warn or error."`
	LogFormat                string        `default:"json" enum:"text,json" help:"Form of the log, which goes to the standard error."`

	Engine engineCfg `embed:"" group:"Engine:"`
}

// Help describes the exit codes.
func (ingestCmd) Help() string {
	return `Takes up all that is in staging, as repomill worker --once does, but reads and stores it in jobs on an engine. Worth it for
thousands of packages or very large ones; a job takes seconds to begin on Flink, and minutes on Dataflow. It may run
beside workers: leases keep them apart. Uploads to distributions that are not in the built-in table are left to
repomill worker, which may have more.

Exit codes:
  0  nothing is left to do; with --detach: submitted
  1  cannot go on; the standard error says why
  2  usage
  3  interrupted; run again
  4  a resource cannot be reached, or something is left that met a fault`
}

// Run carries what is in staging.
func (c *ingestCmd) Run(ctx context.Context, stderr io.Writer) error {
	c.Detach = c.Detach || c.Engine.Dataflow.TemplateLocation != ""
	if err := c.check(); err != nil {
		return err
	}
	log := newLogger(stderr, c.LogFormat, c.LogLevel)
	e, err := newEngine(c.Engine)
	if err != nil {
		return err
	}
	if c.Engine.Dataflow.DryRun {
		return dryRun(ctx, e, c.workers())
	}
	if err := e.Reach(ctx); err != nil {
		return command.Fault(err)
	}
	r, err := pipelines.Open(ctx, c.config())
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
	log.Info("ingest started", "runner", c.Engine.Runner, "staging", layout.Shown(c.Staging), "bucket", layout.Shown(c.Bucket))
	name := jobName()
	d := &drain{resources: r, run: e.storer(c.workers(), name), name: name, maxJob: maxJob}
	if c.Detach {
		err = d.submit(ctx)
	} else {
		err = d.work(ctx)
	}
	switch {
	case ctx.Err() != nil:
		return command.Interrupt("interrupted; run again")
	case errors.Is(err, errDetached):
		return nil
	case err != nil:
		return command.Fault(err)
	}
	if err := r.CheckFinished(ctx); err != nil {
		return command.Fault(err)
	}
	return nil
}

func (c *ingestCmd) check() error {
	if err := c.Engine.check(); err != nil {
		return err
	}
	for flag, value := range map[string]string{"--staging": c.Staging, "--catalog": c.Catalog, "--bucket": c.Bucket} {
		if err := c.Engine.checkURL(flag, value); err != nil {
			return err
		}
	}
	switch {
	case len(c.SigningKey) == 0 && !c.Detach && !c.Engine.Dataflow.DryRun:
		return command.Usage("--signing-key is missing: this process publishes what workers stored")
	case c.Detach && c.Engine.here():
		return command.Usage("--detach: workers in this process end with it; use another --environment-type")
	case c.MaxPackageSize < 1:
		return command.Usage("--max-package-size %d: use a number of bytes", c.MaxPackageSize)
	case c.UploadTimeout < minUploadTimeout:
		return command.Usage("--upload-timeout %s: use %s or more, or good uploads are given up", c.UploadTimeout, minUploadTimeout)
	}
	return command.CheckURL("--public-url", c.PublicURL)
}

// minUploadTimeout is the least time that an upload needs on a bad day.
const minUploadTimeout = 30 * time.Second

// config returns the resources of this process.
func (c *ingestCmd) config() pipelines.Config {
	cfg := c.workers()
	if !c.Detach {
		cfg.SigningKey, cfg.PassphraseFile = pipelines.JoinKeys(c.SigningKey), c.SigningKeyPassphraseFile
	}
	return cfg
}

// workers returns the resources of workers, as they travel with a job: without the signing key.
func (c *ingestCmd) workers() pipelines.Config {
	return pipelines.Config{
		Staging: c.Staging, Bucket: c.Bucket, Catalog: c.Catalog,
		PublicURL: strings.TrimRight(c.PublicURL, "/"), Create: c.Create == "auto",
		MaxPackageSize: c.MaxPackageSize, UploadLimit: c.UploadTimeout,
	}
}

// newLogger makes the log of this process, Beam's lines among it.
func newLogger(stderr io.Writer, format, level string) *slog.Logger {
	slog.SetDefault(slog.New(command.LogHandler(stderr, format, level))) // after Beam's own
	slog.Info("starting", "version", command.Version())
	return slog.Default()
}
