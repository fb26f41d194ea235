package pipelines

import (
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"

	"repomill/schemas/catalog"
)

// metrics are what a process that ingests and publishes reports to Prometheus. No label has a token or the name of
// a package in it.
type metrics struct {
	uploads   *prometheus.CounterVec
	visible   prometheus.Histogram
	publishes *prometheus.HistogramVec
	conflicts prometheus.Counter
	faults    prometheus.Counter

	keyFailures *prometheus.CounterVec
	pages       pageMetrics
	contents    *prometheus.CounterVec
}

func newMetrics() *metrics {
	m := &metrics{
		pages:    newPageMetrics(),
		contents: newContentsCounter(),
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_uploads_total", Help: "Uploads that got their final verdict, by outcome and by reason of rejection.",
		}, []string{"outcome", "reason"}),
		visible: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "repomill_push_to_visible_seconds", Help: "From the first lease of an upload until clients can install it.",
			Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 900, 3600},
		}),
		publishes: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "repomill_publish_seconds", Help: "Publishes of a release that changed, by result.",
			Buckets: []float64{.01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30, 60, 300},
		}, []string{"result"}),
		conflicts: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "repomill_swap_conflicts_total", Help: "Publishes that began again because another writer was faster or a result was unknown.",
		}),
		keyFailures: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_signing_key_failures_total", Help: "Signatures that a valid key did not make: its KMS was out of reach, refused, or signed wrongly.",
		}, []string{"fingerprint"}),
		faults: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "repomill_upload_faults_total", Help: "Attempts at an upload that ended in a fault and are repeated.",
		}),
	}
	m.begin()
	return m
}

// begin has counters begin with 0: one that begins with 1 has no increase, and an alert overlooks the first event.
func (m *metrics) begin() {
	for _, state := range []catalog.UploadState{catalog.Published, catalog.Duplicate} {
		m.uploads.WithLabelValues(string(state), "")
	}
	for _, reason := range []catalog.Reason{catalog.ParserPanic, catalog.Poison} { // the others are the package's, or the pusher's
		m.uploads.WithLabelValues(string(catalog.Rejected), string(reason))
	}
	for _, result := range []string{publishedResult, failedResult} {
		m.publishes.WithLabelValues(result)
	}
}

// The results of publishes.
const publishedResult, failedResult = "published", "failed"

// counted counts an upload whose verdict object is written.
func (m *metrics) counted(v catalog.Verdict) {
	m.uploads.WithLabelValues(string(v.State), string(v.Reason)).Inc()
	if v.State == catalog.Published && v.Finished != nil {
		m.visible.Observe(v.Finished.Sub(v.Received).Seconds())
	}
}

// Registry returns a registry of what this process measures of these resources and of the Go runtime.
func (r *Resources) Registry() *prometheus.Registry {
	reg, m := prometheus.NewRegistry(), r.metrics
	reg.MustRegister(m.uploads, m.visible, m.publishes, m.conflicts, m.faults, m.keyFailures, m.pages.written, m.pages.failures, m.contents, &state{r: r},
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if staging, ok := r.Staging.(interface{ Skipped() int }); ok {
		reg.MustRegister(gaugeOf("repomill_staging_skipped",
			"Files and folders that the last look through the staging folder left out, because they cannot be uploads or cannot be read. The log names each.",
			func() float64 { return float64(staging.Skipped()) }))
	}
	return reg
}

func gaugeOf(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}
