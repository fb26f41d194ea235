package pipelines

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// A state reads, when it is asked, the state of the catalog.
type state struct{ r *Resources }

var (
	backlogDesc  = prometheus.NewDesc("repomill_backlog", "Uploads in the catalog without a final verdict.", nil, nil)
	waitingDesc  = prometheus.NewDesc("repomill_oldest_upload_seconds", "Age of the oldest upload in the catalog without a final verdict; 0 if there is none.", nil, nil)
	behindDesc   = prometheus.NewDesc("repomill_releases_behind", "Releases whose rows are ahead of what clients see.", nil, nil)
	ageDesc      = prometheus.NewDesc("repomill_release_age_seconds", "Since the release was published last.", []string{"release"}, nil)
	settingsDesc = prometheus.NewDesc("repomill_settings_behind", "Repositories whose settings are ahead of what resolvers can see.", nil, nil)
	reindexDesc  = prometheus.NewDesc("repomill_reindexes_failed", "Releases whose latest reindex failed.", nil, nil)
	retainDesc   = prometheus.NewDesc("repomill_retentions_stopped", "Distributions whose rules of retention workers did not apply the last time: too much would leave.", nil, nil)
	upDesc       = prometheus.NewDesc("repomill_catalog_up", "Whether the catalog answered.", nil, nil)
)

// Describe implements prometheus.Collector.
func (s *state) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{backlogDesc, waitingDesc, behindDesc, ageDesc, upDesc, settingsDesc, reindexDesc, retainDesc, freeDesc, sizeDesc, expiryDesc, keyFileDesc, notSignedDesc, pagesLagDesc, pagesWaitingDesc, contentsWaitingDesc} {
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
	s.collectRoom(out)
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
	s.collectPages(ctx, now, out)
	s.collectContents(ctx, out)
	gauge(backlogDesc, float64(backlog))
	if oldest, err := s.r.Catalog.Oldest(ctx); err == nil && oldest != nil {
		gauge(waitingDesc, age(now, *oldest))
	} else if err == nil {
		gauge(waitingDesc, 0)
	}
	if n, err := s.r.Catalog.CountUnpublishedSettings(ctx); err == nil {
		gauge(settingsDesc, float64(n))
	}
	if n, err := s.r.Catalog.CountFailedReindexes(ctx); err == nil {
		gauge(reindexDesc, float64(n))
	}
	if n, err := s.r.Catalog.CountStoppedRetentions(ctx); err == nil {
		gauge(retainDesc, float64(n))
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
