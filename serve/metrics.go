package serve

import (
	"net/http"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Metrics count the answers of a resolver for Prometheus. No label is a path, a package or a token. They are used concurrently.
type Metrics struct {
	requests  *prometheus.CounterVec
	duration  *prometheus.HistogramVec
	spellings *prometheus.CounterVec
}

// NewMetrics returns metrics without an answer. What alerts look at begins with 0: the increase of a counter that begins
// with 1 is 0.
func NewMetrics() *Metrics {
	m := &Metrics{
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_resolver_requests_total",
			Help: "Answers by status and by visibility of the repository: public, private, or none if there is none.",
		}, []string{"status", "visibility"}),
		duration: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "repomill_resolver_request_duration_seconds", Help: "Time until an answer was handed to the connection; through and page have the bytes of an object in it.",
			Buckets: []float64{.0001, .0005, .001, .005, .01, .02, .05, .1, .5, 1, 5, 30},
		}, []string{"kind"}),
		spellings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_resolver_legacy_requests_total",
			Help: "Objects that clients got by a path in the form of an earlier server, by the rule that found them.",
		}, []string{"rule"}),
	}
	for _, visibility := range []string{string(catalog.Public), string(catalog.Private)} {
		for _, status := range []int{http.StatusFound, http.StatusInternalServerError, http.StatusServiceUnavailable} {
			m.requests.WithLabelValues(strconv.Itoa(status), visibility)
		}
	}
	for _, kind := range []string{redirectKind, throughKind, pageKind, otherKind} {
		m.duration.WithLabelValues(kind)
	}
	for _, s := range layout.Spellings() {
		m.spellings.WithLabelValues(string(s))
	}
	return m
}

// The kinds of answers.
const redirectKind, throughKind, pageKind, otherKind = "redirect", "through", "page", "other"

// Register adds the metrics to those of a process.
func (m *Metrics) Register(r *prometheus.Registry) {
	r.MustRegister(m.requests, m.duration, m.spellings)
}

// Observe counts one answer.
func (m *Metrics) Observe(a Answer) {
	visibility, kind := "none", otherKind
	switch a.Visibility {
	case catalog.Public, catalog.Private: // settings might say anything
		visibility = string(a.Visibility)
	}
	switch {
	case a.Page:
		kind = pageKind
	case a.Through:
		kind = throughKind
	case a.Status == http.StatusFound:
		kind = redirectKind
	}
	m.requests.WithLabelValues(strconv.Itoa(a.Status), visibility).Inc()
	m.duration.WithLabelValues(kind).Observe(a.Took.Seconds())
	if a.Spelling != layout.Plain && a.Status < http.StatusBadRequest {
		m.spellings.WithLabelValues(string(a.Spelling)).Inc()
	}
}
