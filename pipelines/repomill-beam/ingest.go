package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/awsidentity"
	"repomill/pipelines/command"
	"repomill/schemas/layout"
)

type ingestCmd struct {
	Staging                  string        `required:"" placeholder:"gs://BUCKET" help:"URL of the staging bucket."`
	Catalog                  string        `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password, which workers need, too."`
	Bucket                   string        `required:"" placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket."`
	SigningKey               []string      `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the armoured private keys that sign releases, or of a key in a KMS (gcpkms://, awskms://). May be repeated. Workers never get it. Not needed with --detach."`
	SigningKeyPassphraseFile string        `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
	PublicURL                string        `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	Create                   string        `default:"declared" enum:"auto,declared" help:"Whether an upload creates the repository, component or architecture that it names (auto), or is rejected (declared)."`
	MaxPackageSize           int64         `default:"${maxPackageSize}" help:"Largest package, in bytes."`
	UploadTimeout            time.Duration `default:"5m" help:"Time limit of one attempt at an upload, plus one second per MiB."`
	Detach                   bool          `help:"Submit one job, and exit. A running repomill worker publishes what the job stores."`
	LogLevel                 string        `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat                string        `default:"json" enum:"text,json" help:"Format of the log on the standard error."`

	awsidentity.Flags
	Engine engineCfg `embed:"" group:"Engine:"`
}

// Help describes the exit codes.
func (ingestCmd) Help() string {
	return `The command processes all uploads in staging, as repomill worker --once does, but reads and stores them in jobs on an engine. That
pays for thousands of packages or very large ones: a job takes seconds to start on Flink, and minutes on Dataflow. The command may
run beside workers: leases keep them from the same uploads. It leaves uploads for distributions that are not in the built-in table
to repomill worker.

Example:
  repomill-beam ingest --runner flink --endpoint flink:8099 --staging gs://in --catalog mysql://mill@db/mill?password-file=/etc/mill/password \
    --bucket s3://out?region=eu-west-1 --signing-key file:///etc/mill/signing-key.asc --public-url https://packages.example.org

Exit codes:
  0  no work is left; with --detach: submitted
  1  failed; the standard error says why
  2  usage
  3  interrupted; run the command again
  4  a resource cannot be reached, or some work failed and has to be retried`
}

// Run processes all uploads in staging.
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
		return command.Interrupt("interrupted; run the command again")
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
		return command.Usage("--upload-timeout %s: use %s or more: with less, good uploads are rejected", c.UploadTimeout, minUploadTimeout)
	}
	return command.CheckURL("--public-url", c.PublicURL)
}

// minUploadTimeout is the least --upload-timeout: slow stores need that long for a good upload.
const minUploadTimeout = 30 * time.Second

// config returns the resources of this process.
func (c *ingestCmd) config() pipelines.Config {
	cfg := c.workers()
	if !c.Detach {
		cfg.SigningKey, cfg.PassphraseFile = pipelines.JoinKeys(c.SigningKey), c.SigningKeyPassphraseFile
	}
	return cfg
}

// workers returns the resources of workers, which are part of a job: without the signing key.
func (c *ingestCmd) workers() pipelines.Config {
	return pipelines.Config{
		Staging: c.Staging, Bucket: c.Bucket, Catalog: c.Catalog,
		PublicURL: strings.TrimRight(c.PublicURL, "/"), Create: c.Create == "auto",
		MaxPackageSize: c.MaxPackageSize, UploadLimit: c.UploadTimeout, AWS: c.Flags,
	}
}

// newLogger returns the logger of this process, and installs it as the default, which Beam uses, too.
func newLogger(stderr io.Writer, format, level string) *slog.Logger {
	slog.SetDefault(slog.New(command.LogHandler(stderr, format, level))) // after Beam's own
	slog.Info("starting", "version", command.Version())
	return slog.Default()
}
