package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines/command"
	"repomill/serve"
)

const (
	settingsAge   = 10 * time.Second // a revoked token stops working within this time
	settingsStale = 15 * time.Minute // the same while the bucket cannot be read
	maxSkew       = 2 * time.Minute  // between the clocks of bucket and machine; signed URLs are valid for ten minutes or more
)

// A resolver holds the configuration and state of the running program.
type resolver struct {
	cfg      Config
	log      *slog.Logger
	settings *serve.SettingsCache
	stopping atomic.Bool
}

// run serves until ctx ends or a listener fails. It returns usage errors and unreachable stores at once.
func run(ctx context.Context, cfg Config, errOut io.Writer) error {
	if err := cfg.check(); err != nil {
		return err
	}
	signer, err := newSigner(cfg)
	if err != nil {
		return err
	}
	bucket, err := openBucket(ctx, cfg)
	if err != nil {
		return err
	}
	defer bucket.Close()
	s := &resolver{cfg: cfg, log: slog.New(command.LogHandler(errOut, cfg.LogFormat, cfg.LogLevel))}
	s.settings = serve.NewSettingsCache(serve.SettingsConfig{Bucket: bucket, MaxAge: settingsAge, MaxStale: settingsStale, Log: s.log, Now: time.Now})
	if err := s.settings.Probe(ctx); err != nil {
		return command.Fault(fmt.Errorf("--bucket: %w", err))
	}
	m := serve.NewMetrics()
	metrics := handlerOf(registryOf(m, s.settings.Health, signer.Signatures, time.Now))
	rc := serve.ResolverConfig{Signer: signer, Settings: s.settings, Ready: s.ready, Observe: m.Observe, Log: s.log, Now: time.Now}
	if cfg.ServeThrough == "metadata" {
		rc.Through = bucket
	}
	return s.serve(ctx, serve.NewResolver(rc), metrics)
}

// ready returns why a load balancer should not send clients to this resolver; nil if it should. While the
// bucket does not answer, the resolver stays ready as long as cached settings are valid: the CDN still has most
// objects, and all resolvers would become unready at the same time.
func (s *resolver) ready() error {
	h := s.settings.Health()
	age := time.Since(h.Contact)
	switch {
	case s.stopping.Load():
		return errors.New("stopping")
	case age > settingsStale:
		return fmt.Errorf("the bucket has not answered for %v: check --bucket and its credentials", age.Round(time.Second))
	case h.Skew.Abs() > maxSkew:
		return fmt.Errorf("this machine's clock is %v from the bucket's, and signed URLs would end at the wrong time: set the clock", h.Skew.Round(time.Second))
	}
	return nil
}

// serve runs both servers until ctx ends or one of them fails.
func (s *resolver) serve(ctx context.Context, public, metrics http.Handler) error {
	listener, err := net.Listen("tcp", s.cfg.Listen)
	if err != nil {
		return command.Fault(fmt.Errorf("--listen: %w", err))
	}
	defer listener.Close()
	servers := map[*http.Server]net.Listener{s.newServer(public): listener}
	opsAddress := ""
	if s.cfg.OpsListen != "" {
		ops, err := net.Listen("tcp", s.cfg.OpsListen)
		if err != nil {
			return command.Fault(fmt.Errorf("--ops-listen: %w", err))
		}
		defer ops.Close()
		servers[s.newServer(s.opsHandler(metrics))] = ops
		opsAddress = ops.Addr().String()
	}
	g, ctx := errgroup.WithContext(ctx)
	for srv, l := range servers {
		g.Go(func() error { return listen(srv, l) })
		g.Go(func() error { return s.stop(ctx, srv) })
	}
	g.Go(func() error { s.settings.Poll(ctx); return nil })
	g.Go(func() error { return command.Supervised(ctx, listener) })
	g.Go(func() error { s.watch(ctx); return nil })
	s.log.Info("serving", "version", command.Version(), "listen", listener.Addr().String(), "ops_listen", opsAddress, "public_url", s.cfg.PublicURL, "cdn", s.cfg.CDN,
		"key_pair_id", s.cfg.KeyPairID, "serve_through", s.cfg.ServeThrough)
	err = g.Wait()
	s.log.Info("stopped")
	return err
}

// newServer returns a server with limits for slow and hostile clients. If index files are served through, a
// response may be large: ten minutes are 80 kB/s for the largest one.
func (s *resolver) newServer(h http.Handler) *http.Server {
	srv := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second, ReadTimeout: 20 * time.Second, WriteTimeout: 30 * time.Second, IdleTimeout: 2 * time.Minute,
		MaxHeaderBytes: 32 << 10, DisableGeneralOptionsHandler: true, ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelWarn),
	}
	if s.cfg.ServeThrough == "metadata" {
		srv.WriteTimeout = 10 * time.Minute
	}
	return srv
}

func listen(srv *http.Server, l net.Listener) error {
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// stop waits for the end of ctx, lets a server finish its requests for --grace, and then closes their connections.
func (s *resolver) stop(ctx context.Context, srv *http.Server) error {
	<-ctx.Done()
	if !s.stopping.Swap(true) {
		s.log.Info("stopping, finishing requests", "grace", s.cfg.Grace.String())
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), s.cfg.Grace)
	defer cancel()
	err := srv.Shutdown(last)
	if errors.Is(err, context.DeadlineExceeded) {
		return srv.Close()
	}
	return err
}

// watch logs when readiness changes, until ctx ends.
func (s *resolver) watch(ctx context.Context) {
	ticker := time.NewTicker(5 * time.Second)
	defer ticker.Stop()
	wasReady := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		switch err := s.ready(); {
		case err != nil && wasReady:
			s.log.Error("not ready", "reason", err)
			wasReady = false
		case err == nil && !wasReady:
			s.log.Info("ready again")
			wasReady = true
		}
	}
}
