package pipelines

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// A rate of the first event needs a 0 before it.
func TestCountersBeginWithZero(t *testing.T) {
	m := newMetrics()
	want := []string{
		"repomill_publish_seconds failed 0", "repomill_publish_seconds published 0", "repomill_uploads_total duplicate  0", "repomill_uploads_total published  0",
		"repomill_uploads_total rejected parser-panic 0", "repomill_uploads_total rejected poison 0",
	}
	if diff := cmp.Diff(want, gathered(t, m.uploads, m.publishes)); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestMetricsOfRoom(t *testing.T) {
	at := func(dir string) (room, error) {
		switch dir {
		case "/d/staging":
			return room{bytes: 5, size: 100}, nil
		case "/d/bucket":
			return room{bytes: 6, size: 200}, nil
		case "/d/db":
			return room{bytes: 7}, nil // its size is not known
		}
		return room{}, errors.New("gone")
	}
	here := Config{Staging: "file:///d/staging", Bucket: "file:///d/bucket", Catalog: "sqlite:///d/db/catalog.db", CacheDir: "/d/cache"}
	elsewhere := Config{Staging: "gs://b", Bucket: "s3://b?region=r", Catalog: "mysql://u@h/d"}
	want := []string{
		"repomill_disk_free_bytes bucket 6", "repomill_disk_free_bytes staging 5", "repomill_disk_size_bytes bucket 200", "repomill_disk_size_bytes staging 100",
	}
	if diff := cmp.Diff(want, gathered(t, roomCollector{here, at}, roomCollector{elsewhere, at})); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

// A roomCollector collects the room of a configuration.
type roomCollector struct {
	cfg Config
	at  func(dir string) (room, error)
}

// Describe implements prometheus.Collector, as one that does not know what it has.
func (roomCollector) Describe(chan<- *prometheus.Desc) {}

// Collect implements prometheus.Collector.
func (c roomCollector) Collect(out chan<- prometheus.Metric) { collectRoomOf(c.cfg, c.at, out) }

// gathered returns the name, the labels and the value of each series: of a histogram, its count.
func gathered(t *testing.T, from ...prometheus.Collector) (series []string) {
	t.Helper()
	reg := prometheus.NewPedanticRegistry()
	reg.MustRegister(from...)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			words := []string{f.GetName()}
			for _, l := range m.GetLabel() {
				words = append(words, l.GetValue())
			}
			value := m.GetGauge().GetValue() + m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
			series = append(series, strings.Join(append(words, fmt.Sprint(value)), " "))
		}
	}
	return series
}

func TestRoomOfAFileSystem(t *testing.T) {
	free, err := roomAt(t.TempDir())
	if err != nil || free.size != 0 && free.size < free.bytes {
		t.Errorf("got %+v, %v", free, err)
	}
}
