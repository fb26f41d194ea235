package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus/promhttp"
	"golang.org/x/sync/errgroup"

	"repomill/pipelines/command"
	"repomill/pipelines/objects"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type apiCmd struct {
	Staging        string         `required:"" placeholder:"gs://BUCKET" help:"URL of the staging bucket, where uploads go."`
	Catalog        string         `required:"" placeholder:"mysql://USER@HOST/DB" help:"URL of the catalog, which has the tokens and the verdicts. A password is named by ?password-file=PATH."`
	PublicURL      string         `name:"public-url" required:"" placeholder:"https://NAME" help:"URL under which clients reach the server: its /api/ leads here."`
	Listen         string         `default:"127.0.0.1:8083" help:"Address of the API, and of /readyz for the load balancer. In front of it is what speaks TLS."`
	OpsListen      string         `default:"127.0.0.1:9103" help:"Address of /metrics, /healthz and /readyz; empty for none."`
	IssuerNetwork  []netip.Prefix `placeholder:"10.0.0.0/8" help:"Network of issuers of ID tokens that are not on the public internet. May be repeated."`
	Distributions  string         `type:"path" help:"JSON file with more distributions, in the form of the built-in table."`
	MaxPackageSize int64          `default:"${maxPackageSize}" help:"Largest package, in bytes."`
	Grace          time.Duration  `default:"30s" help:"How long uploads that have begun may go on after SIGTERM."`
	LogLevel       string         `default:"info" enum:"debug,info,warn,error" help:"Least level of what is logged: debug, info, warn or error."`
	LogFormat      string         `default:"json" enum:"text,json" help:"Form of the log, which goes to the standard error."`
}

// Help describes the exit codes.
func (apiCmd) Help() string {
	return `Takes uploads over HTTP and answers what became of them; repomill up does the same by itself. It has neither a signing key nor the published bucket. Any number may run.

Route /api/ and /install/repositories/OWNER/NAME/tokens.text of the public host here, and all else to the resolver: reads go on when the API is down. A proxy in between must not buffer bodies (nginx: proxy_request_buffering off), and must let large ones through (client_max_body_size 0).

Example:
  repomill api --staging gs://in --catalog mysql://api@db/mill?password-file=/etc/mill/password --public-url https://packages.example.org --listen :8083

Exit codes:
  0  ended by a signal
  1  cannot go on; the standard error says why
  2  usage
  4  staging, the catalog or an address cannot be used`
}

// An apiServer is the role: what apiCmd opened.
type apiServer struct {
	cmd     *apiCmd
	staging objects.Staging
	catalog *catalogdb.DB
	handler *apiHandler
	ready   *apiReadiness
	listen  net.Listener
	ops     net.Listener // nil if there is none
}

// Run serves until ctx ends.
func (c *apiCmd) Run(ctx context.Context, io stdio) error {
	log := newLogger(io, c.LogFormat, c.LogLevel)
	if err := c.check(); err != nil {
		return err
	}
	log.Info("starting", "version", command.Version())
	stop, err := startTraces(ctx, "repomill-api", log)
	if err != nil {
		return err
	}
	defer stop()
	s := &apiServer{cmd: c}
	defer s.close()
	if err := s.open(ctx); err != nil {
		return command.Fault(err)
	}
	table, err := layout.ReadTable(c.Distributions)
	if err != nil {
		return command.Usage("--distributions: %w", err)
	}
	s.handler = newAPI(apiConfig{staging: s.staging, catalog: s.catalog, table: table, publicURL: strings.TrimRight(c.PublicURL, "/"), maxSize: c.MaxPackageSize, log: log, issuerNetworks: c.IssuerNetwork, settingsAge: productionSettingsAge})
	s.ready = &apiReadiness{staging: s.staging, catalog: s.catalog, log: log}
	srv := s.handler.serverOf(s.ready.before(s.handler), log)
	log.Info("api started", "listen", addressOf(s.listen), "ops", addressOf(s.ops), "staging", layout.Shown(c.Staging))
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return listen(srv, s.listen) })
	if s.ops != nil {
		ops := newServer(s.opsHandler(), log)
		g.Go(func() error { return listen(ops, s.ops) })
		context.AfterFunc(ctx, func() { ops.Close() }) //nolint:errcheck // what is asked there can be asked again
	}
	g.Go(func() error { return command.Supervised(ctx, s.listen) })
	g.Go(func() error {
		<-ctx.Done()
		log.Info("stopping: finishing uploads that have begun")
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.Grace)
		defer cancel()
		return shutdown(last, srv)
	})
	return g.Wait()
}

func (c *apiCmd) check() error {
	if err := checkScheme("--staging", c.Staging, "gs://BUCKET or file:///path/to/staging", "gs", "file"); err != nil {
		return err
	}
	if err := checkFolder("--staging", c.Staging); err != nil {
		return err
	}
	if err := checkCatalog(c.Catalog); err != nil {
		return err
	}
	if err := command.CheckURL("--public-url", c.PublicURL); err != nil {
		return err
	}
	if c.MaxPackageSize < 1 {
		return command.Usage("--max-package-size %d: use a number of bytes", c.MaxPackageSize)
	}
	if c.OpsListen != "" {
		if err := checkAddress("--ops-listen", c.OpsListen); err != nil {
			return err
		}
	}
	return checkAddress("--listen", c.Listen)
}

// open opens staging, the catalog and the addresses.
func (s *apiServer) open(ctx context.Context) (err error) {
	if s.catalog, err = catalogdb.Open(s.cmd.Catalog); err != nil {
		return err
	}
	if err := s.catalog.Ready(ctx); err != nil {
		return err
	}
	if s.staging, err = objects.OpenStaging(ctx, s.cmd.Staging); err != nil {
		return err
	}
	if s.listen, err = net.Listen("tcp", s.cmd.Listen); err != nil {
		return fmt.Errorf("%w: choose another address with --listen", err)
	}
	if s.cmd.OpsListen != "" {
		if s.ops, err = net.Listen("tcp", s.cmd.OpsListen); err != nil {
			return fmt.Errorf("%w: choose another address with --ops-listen", err)
		}
	}
	return nil
}

// opsHandler serves what operators and their machines ask.
func (s *apiServer) opsHandler() http.Handler {
	registry := s.handler.metrics.registry()
	registry.MustRegister(s.ready)
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", s.ready.serveOps)
	return mux
}

func (s *apiServer) close() {
	for _, l := range []net.Listener{s.listen, s.ops} {
		if l != nil {
			l.Close()
		}
	}
	if s.handler != nil {
		s.handler.close()
	}
	if s.staging != nil {
		s.staging.Close()
	}
	if s.catalog != nil {
		s.catalog.Close()
	}
}
