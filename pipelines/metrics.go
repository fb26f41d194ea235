package pipelines

import (
	"context"
	"time"

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
}

func newMetrics() *metrics {
	return &metrics{
		uploads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "repomill_uploads_total", Help: "Uploads that got their final verdict, by outcome and by reason of rejection.",
		}, []string{"outcome", "reason"}),
		visible: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "repomill_push_to_visible_seconds", Help: "From the first lease of an upload until clients can install it.",
			Buckets: []float64{.1, .25, .5, 1, 2, 5, 10, 30, 60, 120, 300, 900, 3600},
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
}

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
	reg.MustRegister(m.uploads, m.visible, m.publishes, m.conflicts, m.faults, m.keyFailures, &state{r: r},
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

// A state reads, when it is asked, the state of the catalog.
type state struct{ r *Resources }

var (
	backlogDesc = prometheus.NewDesc("repomill_backlog", "Uploads in the catalog without a final verdict.", nil, nil)
	waitingDesc = prometheus.NewDesc("repomill_oldest_upload_seconds", "Age of the oldest upload in the catalog without a final verdict; 0 if there is none.", nil, nil)
	behindDesc  = prometheus.NewDesc("repomill_releases_behind", "Releases whose rows are ahead of what clients see.", nil, nil)
	ageDesc     = prometheus.NewDesc("repomill_release_age_seconds", "Since the release was published last.", []string{"release"}, nil)
	upDesc      = prometheus.NewDesc("repomill_catalog_up", "Whether the catalog answered.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlogDesc, waitingDesc, behindDesc, ageDesc, upDesc, expiryDesc, keyFileDesc, notSignedDesc} {
		out <- d
	}
}

// scrapeLimit bounds how long a scrape may wait for the catalog.
const scrapeLimit = 5 * time.Second

// Collect implements prometheus.Collector.
func (s *state) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	now := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), scrapeLimit)
	defer cancel()
	backlog, err := s.r.Catalog.Backlog(ctx)
	if err != nil {
		gauge(upDesc, 0)
		return
	}
	gauge(upDesc, 1)
	s.collectKeys(ctx, out)
	gauge(backlogDesc, float64(backlog))
	if oldest, err := s.r.Catalog.Oldest(ctx); err == nil && oldest != nil {
		gauge(waitingDesc, age(now, *oldest))
	} else if err == nil {
		gauge(waitingDesc, 0)
	}
	states, err := s.r.Catalog.Releases(ctx)
	if err != nil {
		return
	}
	behind := 0
	for _, st := range states {
		if st.Revision.Number > st.Published {
			behind++
		}
		if st.Since != nil {
			gauge(ageDesc, age(now, *st.Since), st.Release.String())
		}
	}
	gauge(behindDesc, float64(behind))
}

// age returns the seconds since a time, 0 for the zero time.
func age(now, since time.Time) float64 {
	if since.IsZero() {
		return 0
	}
	return max(now.Sub(since).Seconds(), 0)
}
