package pipelines

import (
	"context"

	"github.com/prometheus/client_golang/prometheus"
)

var contentsWaitingDesc = prometheus.NewDesc("repomill_contents_waiting", "DEBs whose list of files and changelog are to be read for pages.", nil, nil)

// What became of an attempt at the contents of a package.
const (
	contentsRead    = "read"
	contentsSkipped = "skipped"
	contentsFailed  = "failed"
	contentsRemoved = "removed"
)

func newContentsCounter() *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "repomill_contents_read_total", Help: "DEBs whose list of files and changelog this process has tried to read for pages, by result: read, skipped for its size, failed, or removed with its package.",
	}, []string{"result"})
	for _, result := range []string{contentsRead, contentsSkipped, contentsFailed, contentsRemoved} {
		c.WithLabelValues(result)
	}
	return c
}

// collectContents says how many packages wait.
func (s *state) collectContents(ctx context.Context, out chan<- prometheus.Metric) {
	if n, err := s.r.Catalog.CountWantedContents(ctx); err == nil {
		out <- prometheus.MustNewConstMetric(contentsWaitingDesc, prometheus.GaugeValue, float64(n))
	}
}
