package pipelines

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"repomill/publish/pages"
)

var (
	pagesLagDesc     = prometheus.NewDesc("repomill_pages_lag_seconds", "Age of the oldest change that clients see and that is not on the pages yet; 0 if there is none.", nil, nil)
	pagesWaitingDesc = prometheus.NewDesc("repomill_pages_waiting", "Packages and versions whose pages are to be made.", nil, nil)
)

// pageMetrics are what a process that makes pages reports to Prometheus.
type pageMetrics struct {
	written, failures prometheus.Counter
}

func newPageMetrics() pageMetrics {
	return pageMetrics{
		written: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "repomill_pages_written_total", Help: "Pages, twins and feeds that this process has written because their bytes differed.",
		}),
		failures: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "repomill_pages_failures_total", Help: "Requests for pages that this process could not meet. They are repeated.",
		}),
	}
}

// countPages counts what was done of a share.
func (r *Resources) countPages(done pages.Counts, failed int, err error) {
	r.metrics.pages.written.Add(float64(done.Written))
	if err != nil && failed == 0 {
		failed = 1
	}
	r.metrics.pages.failures.Add(float64(failed))
}

// collectPages says how far the pages of all repositories are behind.
func (s *state) collectPages(ctx context.Context, now time.Time, out chan<- prometheus.Metric) {
	states, err := s.r.Catalog.PageStates(ctx)
	if err != nil {
		return
	}
	lag, waiting := 0.0, 0
	for _, st := range states {
		waiting += st.Requests
		if st.Oldest != nil {
			lag = max(lag, age(now, *st.Oldest))
		}
	}
	out <- prometheus.MustNewConstMetric(pagesLagDesc, prometheus.GaugeValue, lag)
	out <- prometheus.MustNewConstMetric(pagesWaitingDesc, prometheus.GaugeValue, float64(waiting))
}
