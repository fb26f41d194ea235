package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/pipelines/worker"
)

// serveOps serves metrics and health of a long-running process until ctx ends. register adds metrics.
func serveOps(ctx context.Context, l net.Listener, r *pipelines.Resources, d *worker.Dispatcher, register ...func(*prometheus.Registry)) error {
	srv := newServer(opsHandler(r, d, register...), r.Log)
	context.AfterFunc(ctx, func() { srv.Close() }) //nolint:errcheck // the process ends
	return listen(srv, l)
}

func opsHandler(r *pipelines.Resources, d *worker.Dispatcher, register ...func(*prometheus.Registry)) http.Handler {
	registry := d.Registry()
	for _, f := range register {
		f(registry)
	}
	registry.MustRegister(command.BuildInfo())
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError}))
	mux.HandleFunc("GET /livez", alive)
	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, req *http.Request) {
		ctx, cancel := context.WithTimeout(req.Context(), 5*time.Second)
		defer cancel()
		if err := r.Ready(ctx); err != nil {
			r.Log.Warn("not ready", "error", err)
			why := "not ready; the log says why"
			if none, ok := errors.AsType[*pipelines.NoKey](err); ok { // its text names no host
				why = "not ready: " + none.Error()
			}
			http.Error(w, why, http.StatusServiceUnavailable)
			return
		}
		alive(w, req)
		if risk := r.KeyRisk(); risk != nil {
			fmt.Fprintf(w, "at risk: %v\n", risk)
		}
	})
	return mux
}

// alive answers that the process runs. It asks no resource: a fault of the database must not restart every worker.
func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	w.Write([]byte("ok\n")) //nolint:errcheck // the client may have disconnected
}
