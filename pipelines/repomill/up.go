package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/apache/beam/sdks/v2/go/pkg/beam"
	beamlog "github.com/apache/beam/sdks/v2/go/pkg/beam/log"
	//lint:ignore SA1019 it opens no port and a run costs a quarter of a millisecond; Prism is for tests
	"github.com/apache/beam/sdks/v2/go/pkg/beam/runners/direct"
	"golang.org/x/sync/errgroup"

	"repomill/ingest"
	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/pipelines/queue"
	"repomill/pipelines/worker"
	"repomill/publish"
	"repomill/schemas/catalogdb"
)

type upCmd struct {
	Data                     string         `default:"./data" help:"Folder of staging, catalog, published bucket and keys."`
	SigningKey               []string       `sep:"none" placeholder:"file:///PATH" help:"URL of the file with the armoured private keys that sign releases, if it is not signing-key.asc in --data, or of a key in a KMS: gcpkms://projects/P/… or awskms://KEY?region=R. May be repeated."`
	SigningKeyPassphraseFile string         `type:"path" placeholder:"FILE" help:"File with the passphrases of the signing keys, one per line."`
	Listen                   string         `default:"127.0.0.1:8080" help:"Address of the resolver, to which clients connect."`
	EdgeListen               string         `default:"127.0.0.1:8081" help:"Address of the edge, which serves the signed URLs."`
	PublicURL                string         `name:"public-url" help:"URL under which clients reach the resolver, if it is not that of --listen."`
	OpsListen                string         `default:"127.0.0.1:8082" help:"Address of /metrics, /healthz and /readyz; empty for none."`
	EdgeURL                  string         `name:"edge-url" help:"URL under which clients reach the edge, if it is not that of --edge-listen."`
	Create                   string         `default:"auto" enum:"auto,declared" help:"Whether an upload creates the repository, component or architecture that it names (auto), or is rejected (declared)."`
	IssuerNetwork            []netip.Prefix `placeholder:"10.0.0.0/8" help:"Network of issuers of ID tokens that are not on the public internet. May be repeated."`
	Distributions            string         `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`
	MaxPackageSize           int64          `default:"${maxPackageSize}" help:"Largest package, in bytes."`
	Retention                time.Duration  `default:"168h" help:"Retention period of superseded indexes, withdrawn packages and finished uploads in staging; at least 24h."`
	History                  time.Duration  `default:"8760h" help:"How long it is remembered who pushed and changed what, and which revisions were published, for log, status and rollback; at least 768h."`
	CacheSize                int64          `default:"${cacheSize}" help:"Size limit of the cache of rendered indexes below --data, in bytes; it outlives the process, and may be removed. Without the cache, publishing is slower and nothing else changes."`
	ContentsMaxSize          int64          `default:"${contentsMaxSize}" help:"Size limit, in bytes, of the DEBs whose list of files and changelog the pages show; 0 for none. Each is read once after its publish, and unpacked on at most half a processor: 16 MiB take some 4 s of a processor in xz, 1 s in gzip, and less in zstd."`
	LogLevel                 string         `default:"info" enum:"debug,info,warn,error" help:"Lowest level that is logged: debug, info, warn or error."`
	LogFormat                string         `default:"text" enum:"text,json" help:"Format of the log on the standard error."`
}

// vars are the values in the help of flags.
var vars = map[string]string{"maxPackageSize": fmt.Sprint(int64(ingest.DefaultMaxSize)), "cacheSize": fmt.Sprint(int64(publish.DefaultCache)), "contentsMaxSize": fmt.Sprint(int64(pipelines.DefaultMaxContents))}

// grace is how long running work may continue after SIGTERM.
const grace = 30 * time.Second

// A site has the resources that upCmd opened.
type site struct {
	cmd       *upCmd
	io        stdio
	log       *slog.Logger
	resolver  net.Listener
	edge      net.Listener
	ops       net.Listener // nil if there is none
	resources *pipelines.Resources
	source    queue.Source
	unlock    func()
}

// Run serves until ctx ends.
func (c *upCmd) Run(ctx context.Context, io stdio) error {
	calmGC()
	s := &site{cmd: c, io: io, log: newLogger(io, c.LogFormat, c.LogLevel)}
	defer s.close()
	s.log.Info("starting", "version", command.Version())
	stop, err := startTraces(ctx, "repomill", s.log)
	if err != nil {
		return err
	}
	defer stop()
	if err := s.open(ctx); err != nil {
		return err
	}
	handlers, err := s.handlers()
	if err != nil {
		return err
	}
	defer handlers.api.close()
	return s.serve(ctx, handlers)
}

// newLogger returns the logger of the process, and installs it as the default.
func newLogger(io stdio, format, level string) *slog.Logger {
	return setLogger(command.LogHandler(io.err, format, level))
}

// setLogger installs a handler for the default logger and for Beam's. Beam is initialised first, because that installs a
// logger of its own.
func setLogger(h slog.Handler) *slog.Logger {
	beam.Init()
	l := slog.New(h)
	slog.SetDefault(l)
	beamlog.SetLogger(quietBeam{l})
	return l
}

// open locks the folder, listens on the addresses, migrates the catalog and opens the resources.
func (s *site) open(ctx context.Context) (err error) {
	c := s.cmd
	if err := c.check(); err != nil {
		return err
	}
	if c.Data, err = filepath.Abs(c.Data); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Data, 0o755); err != nil {
		return command.Fault(fmt.Errorf("--data: %w: name a folder that this user may make or write to", err))
	}
	if s.unlock, err = lockFolder(c.Data); err != nil {
		return err
	}
	if s.resolver, err = net.Listen("tcp", c.Listen); err != nil {
		return command.Fault(fmt.Errorf("%w: choose another address with --listen", err))
	}
	if s.edge, err = net.Listen("tcp", c.EdgeListen); err != nil {
		return command.Fault(fmt.Errorf("%w: choose another address with --edge-listen", err))
	}
	if c.OpsListen != "" {
		if s.ops, err = net.Listen("tcp", c.OpsListen); err != nil {
			return command.Fault(fmt.Errorf("%w: choose another address with --ops-listen", err))
		}
	}
	cfg := s.config()
	if err := prepareCatalog(ctx, cfg.Catalog, c.path("catalog.db")); err != nil {
		return err
	}
	if err := s.prepareKeys(ctx, cfg); err != nil {
		return err
	}
	if err := client.WritePublicURL(c.Data, s.publicURL()); err != nil {
		return command.Fault(err)
	}
	s.resources, err = pipelines.Open(ctx, cfg)
	if err != nil {
		return err
	}
	s.resources.LogKeyAdvice()
	if err := s.resources.CheckKey(ctx); err != nil {
		return command.Fault(err)
	}
	if s.source, err = queue.Open(ctx, "dir://", s.resources.Staging); err != nil {
		return err
	}
	if err := s.removeParts(ctx); err != nil {
		return err
	}
	return s.resources.Catalog.EndLeases(ctx) // this process has the folder's lock, so no other one has a lease
}

// ownKey returns the URL of the file of signing keys in the data folder. It is created at the first start.
func (c *upCmd) ownKey() string { return "file://" + c.path("signing-key.asc") }

func (c *upCmd) path(name string) string { return filepath.Join(c.Data, name) }

func (s *site) config() pipelines.Config {
	c := s.cmd
	return pipelines.Config{
		Staging: "file://" + c.path("staging"), Bucket: "file://" + c.path("bucket"),
		Catalog: "sqlite://" + c.path("catalog.db"), SigningKey: cmp.Or(pipelines.JoinKeys(c.SigningKey), c.ownKey()), PassphraseFile: c.SigningKeyPassphraseFile,
		PublicURL: s.publicURL(), Distributions: c.Distributions, Create: c.Create == "auto", MaxPackageSize: c.MaxPackageSize,
		Retention: c.Retention, History: c.History, CacheDir: c.path("cache"), CacheSize: c.CacheSize, MaxContents: c.ContentsMaxSize,
	}
}

func (s *site) publicURL() string { return urlOr(s.cmd.PublicURL, s.resolver) }
func (s *site) edgeURL() string   { return urlOr(s.cmd.EdgeURL, s.edge) }

func urlOr(url string, l net.Listener) string {
	if url == "" {
		return "http://" + l.Addr().String()
	}
	return strings.TrimRight(url, "/")
}

// lockFolder locks the folder, so that only one process uses it.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, command.Fault(err)
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		f.Close()
		return nil, command.Fault(fmt.Errorf("%s is in use by another repomill up: stop that one, or choose another folder with --data", dir))
	}
	return func() { f.Close() }, nil
}

// prepareCatalog migrates the database. A new file gets mode 0600.
func prepareCatalog(ctx context.Context, catalogURL, path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return command.Fault(fmt.Errorf("catalog: %w", err))
	}
	f.Close()
	db, err := catalogdb.Open(catalogURL)
	if err != nil {
		return err
	}
	return errors.Join(db.Migrate(ctx), db.Close())
}

// serve runs the dispatcher and both servers until ctx ends or one of them fails.
func (s *site) serve(ctx context.Context, h handlers) error {
	hints := newHints(s)
	if err := hints.learn(ctx); err != nil {
		return err
	}
	s.resources.OnPublish = hints.published
	dispatcher := &worker.Dispatcher{
		Resources: s.resources, Source: s.source, Run: runDirect,
	}
	resolver, edge := h.api.serverOf(h.resolver, s.log), newServer(h.edge, s.log)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return listen(resolver, s.resolver) })
	g.Go(func() error { return listen(edge, s.edge) })
	if s.ops != nil {
		g.Go(func() error { return serveOps(ctx, s.ops, s.resources, dispatcher, h.register) })
	}
	g.Go(func() error { return dispatcher.Serve(ctx, grace) })
	g.Go(func() error { return command.Supervised(ctx, s.resolver) })
	g.Go(func() error {
		<-ctx.Done()
		s.log.Info("stopping", "grace", grace)
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		return errors.Join(shutdown(last, resolver), shutdown(last, edge))
	})
	hints.ready()
	return g.Wait()
}

// newServer returns a server with limits for slow and hostile clients. It has no write timeout: the edge sends packages.
func newServer(h http.Handler, log *slog.Logger) *http.Server {
	return &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, IdleTimeout: 2 * time.Minute, MaxHeaderBytes: 32 << 10,
		DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(log.Handler(), slog.LevelWarn),
	}
}

func listen(srv *http.Server, l net.Listener) error {
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// shutdown lets a server finish its requests until ctx ends, and then closes their connections.
func shutdown(ctx context.Context, srv *http.Server) error {
	err := srv.Shutdown(ctx)
	if errors.Is(err, context.DeadlineExceeded) {
		return srv.Close()
	}
	return err
}

// runDirect runs a pipeline in this process.
func runDirect(ctx context.Context, p *beam.Pipeline) error {
	_, err := direct.Execute(ctx, p)
	return err
}

func (s *site) close() {
	for _, l := range []net.Listener{s.resolver, s.edge, s.ops} {
		if l != nil {
			l.Close()
		}
	}
	if s.resources != nil {
		s.resources.Close()
	}
	if s.unlock != nil {
		s.unlock()
	}
}

// quietBeam keeps Beam's progress messages out of the log.
type quietBeam struct{ log *slog.Logger }

// Log implements Beam's log.Logger.
func (q quietBeam) Log(ctx context.Context, sev beamlog.Severity, _ int, msg string) {
	switch {
	case sev >= beamlog.SevError:
		q.log.ErrorContext(ctx, msg)
	case sev >= beamlog.SevWarn:
		q.log.WarnContext(ctx, msg)
	}
}
