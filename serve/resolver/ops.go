package main

import (
	"io"
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"repomill/pipelines/command"
	"repomill/serve"
)

// registryOf returns the registry of what a resolver measures: its answers, its contact with the bucket, and the Go runtime.
func registryOf(answers *serve.Metrics, health func() serve.Health, signatures func() int64, now func() time.Time) *prometheus.Registry {
	r := prometheus.NewRegistry()
	answers.Register(r)
	r.MustRegister(command.BuildInfo(),
		prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "repomill_resolver_signatures_total", Help: "Signatures made, those that were drawn again included."},
			func() float64 { return float64(signatures()) }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "repomill_resolver_settings_age_seconds", Help: "Time since the bucket last answered."},
			func() float64 { return now().Sub(health().Contact).Seconds() }),
		prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "repomill_resolver_clock_skew_seconds", Help: "How far the bucket's clock was ahead of this machine's when it last answered."},
			func() float64 { return health().Skew.Seconds() }),
		//lint:ignore SA1019 package collectors links database/sql, which the resolver must not
		prometheus.NewGoCollector(),
		//lint:ignore SA1019 the same
		prometheus.NewProcessCollector(prometheus.ProcessCollectorOpts{}),
	)
	return r
}

func handlerOf(r *prometheus.Registry) http.Handler {
	return promhttp.HandlerFor(r, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
}

// opsHandler serves /metrics and health checks. Unlike the public one, its /readyz gives the reason. It does
// not use http.ServeMux, which redirects unclean paths.
func (s *resolver) opsHandler(metrics http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch path := r.URL.Path; {
		case r.Method != http.MethodGet && r.Method != http.MethodHead:
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are allowed", http.StatusMethodNotAllowed)
		case path == "/metrics":
			metrics.ServeHTTP(w, r)
		case path == "/healthz", path == "/livez":
			alive(w, r)
		case path == "/readyz":
			if err := s.ready(); err != nil {
				http.Error(w, "not ready: "+err.Error(), http.StatusServiceUnavailable)
				return
			}
			alive(w, r)
		default:
			http.Error(w, "not found", http.StatusNotFound)
		}
	})
}

// alive answers 200 as long as the process runs: a fault of the bucket must not restart every resolver.
func alive(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	_, _ = io.WriteString(w, "ok\n") // the client may have left
}
