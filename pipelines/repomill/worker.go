package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/schemas/layout"
)

type workerCmd struct {
	Staging                  string        `required:"" placeholder:"gs://BUCKET" help:"URL of the staging bucket."`
	Events                   string        `required:"" placeholder:"pubsub://PROJECT/SUBSCRIPTION" help:"Source of notifications about staged objects; dir:// watches a staging folder."`
	Catalog                  string        `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog. ?password-file=PATH names the file with the password."`
	Bucket                   string        `required:"" placeholder:"s3://BUCKET?region=R" help:"URL of the published bucket."`
	SigningKey               []string      `required:"" sep:"none" placeholder:"file:///PATH" help:"URL of the file with the armoured private keys that sign releases, or of a key in a KMS: gcpkms://projects/P/… or awskms://KEY?region=R. Each of several keys signs every release. May be repeated."`
	SigningKeyPassphraseFile string        `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
	PublicURL                string        `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the resolver."`
	Create                   string        `default:"declared" enum:"auto,declared" help:"Whether an upload creates the repository, component or architecture that it names (auto), or is rejected (declared)."`
	Distributions            string        `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`
	MaxPackageSize           int64         `default:"${maxPackageSize}" help:"Largest package, in bytes."`
	Retention                time.Duration `default:"168h" help:"Retention period of superseded indexes, withdrawn packages and finished uploads in staging; at least 24h."`
	History                  time.Duration `default:"8760h" help:"How long it is remembered who pushed and changed what, and which revisions were published, for log, status and rollback; at least 768h."`
	UploadTimeout            time.Duration `default:"5m" help:"Time limit of one attempt at an upload, plus one second per MiB. An upload that fails five attempts is rejected."`
	Cache                    string        `type:"path" help:"Folder of the cache of rendered indexes, on a local disk that outlives the process: the next one continues with them. One process uses it at a time, and it may be removed. Default: the system's temporary folder, and nothing is kept for the next process."`
	CacheSize                int64         `default:"${cacheSize}" help:"Size limit of the cache, in bytes; what was least recently used goes. Without the cache, publishing is slower and nothing else changes."`
	ContentsMaxSize          int64         `default:"${contentsMaxSize}" help:"Size limit, in bytes, of the DEBs whose list of files and changelog the pages show; 0 for none. Each is read once from the published bucket after its publish, and unpacked on at most half a processor: 16 MiB take some 4 s of a processor in xz, 1 s in gzip, and less in zstd."`
	Once                     bool          `help:"Exit when no work is left, for cron and CI."`
	Grace                    time.Duration `default:"30s" help:"How long running work may continue after SIGTERM."`
	OpsListen                string        `default:"127.0.0.1:9101" help:"Address of /metrics, /healthz and /readyz; empty for none."`
	LogLevel                 string        `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat                string        `default:"json" enum:"text,json" help:"Format of the log on the standard error."`
}

// minUploadTimeout is the least --upload-timeout: slow stores need that long for a good upload.
const minUploadTimeout = 30 * time.Second

// Help describes the exit codes.
func (workerCmd) Help() string {
	return `A worker ingests the packages that CI puts into staging, and publishes them. It scans staging periodically for uploads whose
notification was lost. Any number of workers may run.

To Amazon it is what AWS's SDK finds: a web identity token, a profile, the machine. On a machine of Google, --aws-identity google
(REPOMILL_AWS_IDENTITY=google) takes the role in AWS_ROLE_ARN as the machine's service account, with an ID token for the audience
--aws-audience (REPOMILL_AWS_AUDIENCE, sts.amazonaws.com). All commands have these flags.

Example:
  repomill worker --staging gs://in --events pubsub://project/uploads --catalog mysql://mill@db/mill?password-file=/etc/mill/password \
    --bucket s3://out?region=eu-west-1 --signing-key file:///etc/mill/signing-key.asc --public-url https://packages.example.org

Exit codes:
  0  ended by a signal; with --once: no work is left
  1  failed; the standard error says why
  2  usage
  3  with --once: interrupted
  4  a resource cannot be reached; with --once: some work failed and has to be retried`
}

// Run works until ctx ends.
func (c *workerCmd) Run(ctx context.Context, io stdio) error {
	calmGC()
	log := newLogger(io, c.LogFormat, c.LogLevel)
	if err := c.check(); err != nil {
		return err
	}
	log.Info("starting", "version", command.Version())
	stop, err := startTraces(ctx, "repomill-worker", log)
	if err != nil {
		return err
	}
	defer stop()
	r, err := pipelines.Open(ctx, c.config())
	if err != nil {
		return command.Fault(err)
	}
	defer r.Close()
	if err := r.Catalog.Ready(ctx); err != nil {
		return command.Fault(err)
	}
	r.LogKeyAdvice()
	if err := r.CheckKey(ctx); err != nil {
		return command.Fault(err)
	}
	source, err := queue.Open(ctx, c.Events, r.Staging)
	if err != nil {
		return command.Fault(err)
	}
	if c, ok := source.(interface{ Close() error }); ok {
		defer c.Close() //nolint:errcheck // at the end
	}
	d := &worker.Dispatcher{Resources: r, Source: source, Run: runDirect, Once: c.Once}
	if err := c.serve(ctx, r, d); err != nil {
		return command.Fault(err)
	}
	switch {
	case !c.Once:
		return nil
	case ctx.Err() != nil:
		return command.Interrupt("interrupted")
	}
	if err := r.CheckFinished(ctx); err != nil {
		return command.Fault(err)
	}
	return nil
}

// serve runs the dispatcher and, unless --once is given, the server of its metrics and health.
func (c *workerCmd) serve(ctx context.Context, r *pipelines.Resources, d *worker.Dispatcher) error {
	var ops net.Listener
	if c.OpsListen != "" && !c.Once {
		var err error
		if ops, err = net.Listen("tcp", c.OpsListen); err != nil {
			return fmt.Errorf("%w: choose another address with --ops-listen", err)
		}
	}
	r.Log.Info("worker started", "staging", layout.Shown(c.Staging), "events", layout.Shown(c.Events), "bucket", layout.Shown(c.Bucket), "ops", addressOf(ops))
	// Metrics and health are served until the dispatcher has returned, also after ctx has ended.
	watched, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	var g errgroup.Group
	if ops != nil {
		g.Go(func() error { return serveOps(watched, ops, r, d) })
	}
	g.Go(func() error { return command.Supervised(watched, ops) })
	defer context.AfterFunc(ctx, func() { r.Log.Info("worker stopping", "grace", c.Grace) })()
	err := d.Serve(ctx, c.Grace)
	stop()
	r.Log.Info("worker stopped")
	return errors.Join(err, g.Wait())
}

func addressOf(l net.Listener) string {
	if l == nil {
		return ""
	}
	return l.Addr().String()
}

func (c *workerCmd) config() pipelines.Config {
	return pipelines.Config{
		Staging: c.Staging, Bucket: c.Bucket, Catalog: c.Catalog, SigningKey: pipelines.JoinKeys(c.SigningKey), PassphraseFile: c.SigningKeyPassphraseFile,
		PublicURL: strings.TrimRight(c.PublicURL, "/"), Distributions: c.Distributions, Create: c.Create == "auto", MaxPackageSize: c.MaxPackageSize,
		Retention: c.Retention, History: c.History, UploadLimit: c.UploadTimeout, CacheDir: c.Cache, CacheSize: c.CacheSize, MaxContents: c.ContentsMaxSize,
	}
}

func (c *workerCmd) check() error {
	if err := c.checkURLs(); err != nil {
		return err
	}
	if err := checkSizes(c.MaxPackageSize, c.CacheSize, c.ContentsMaxSize, c.Retention, c.History); err != nil {
		return err
	}
	if c.OpsListen != "" {
		if err := checkAddress("--ops-listen", c.OpsListen); err != nil {
			return err
		}
	}
	if _, err := layout.ReadTable(c.Distributions); err != nil {
		return command.Usage("--distributions: %w", err)
	}
	if c.UploadTimeout < minUploadTimeout {
		return command.Usage("--upload-timeout %s: use %s or more: with less, good uploads are rejected", c.UploadTimeout, minUploadTimeout)
	}
	if err := command.CheckURL("--public-url", c.PublicURL); err != nil {
		return err
	}
	if err := checkFolder("--staging", c.Staging); err != nil {
		return err
	}
	return checkFolder("--bucket", c.Bucket)
}

// checkURLs returns an error for the URL of a resource that does not exist with its scheme.
func (c *workerCmd) checkURLs() error {
	for _, r := range []struct {
		flag, url, use string
		schemes        []string
	}{
		{"--staging", c.Staging, "gs://BUCKET or file:///path/to/staging", []string{"gs", "file"}},
		{"--events", c.Events, "pubsub://PROJECT/SUBSCRIPTION, or dir:// for a folder", []string{"pubsub", "dir"}},
		{"--bucket", c.Bucket, useBucket, []string{"s3", "file"}},
	} {
		if err := checkScheme(r.flag, r.url, r.use, r.schemes...); err != nil {
			return err
		}
	}
	if strings.HasPrefix(c.Events, "dir://") && !strings.HasPrefix(c.Staging, "file://") {
		return command.Usage("--events dir:// watches a folder, but --staging is %s: use pubsub://PROJECT/SUBSCRIPTION", layout.Shown(c.Staging))
	}
	if err := checkCatalog(c.Catalog); err != nil {
		return err
	}
	return checkSigningKeys(c.SigningKey)
}
