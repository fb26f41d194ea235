package main

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/serve"
)

// metrics are the Prometheus metrics of a resolver. No label is a path, a package or a token.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	duration *prometheus.HistogramVec
}

func newMetrics(health func() serve.Health, signatures func() int64, now func() time.Time) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_resolver_requests_total",
			Help: "Answers by status and by visibility of the repository: public, private, or none if there is none.",
		}, []string{"status", "visibility"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "repomill_resolver_request_duration_seconds", Help: "Time until an answer was handed to the connection; through has the bytes of an object in it.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .02, .05, .1, .5, 1, 5, 30},
		}, []string{"kind"}),
	}
	m.registry.MustRegister(m.requests, m.duration, command.BuildInfo(),
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
	return m
}

// observe counts one answer.
func (m *metrics) observe(a serve.Answer) {
	visibility, kind := "none", "other"
	switch a.Visibility {
	case catalog.Public, catalog.Private: // settings might say anything
		visibility = string(a.Visibility)
	}
	switch {
	case a.Through:
		kind = "through"
	case a.Status == http.StatusFound:
		kind = "redirect"
	}
	m.requests.WithLabelValues(strconv.Itoa(a.Status), visibility).Inc()
	m.duration.WithLabelValues(kind).Observe(a.Took.Seconds())
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError})
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
