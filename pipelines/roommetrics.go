package pipelines

import "github.com/prometheus/client_golang/prometheus"

var (
	freeDesc = prometheus.NewDesc("repomill_disk_free_bytes", "What is free, for others than root, on the file system of a folder: staging, bucket, catalog or cache.", []string{"folder"}, nil)
	sizeDesc = prometheus.NewDesc("repomill_disk_size_bytes", "Size of the file system of a folder.", []string{"folder"}, nil)
)

// collectRoom measures the file systems of folders. What lies elsewhere has no value.
func (s *state) collectRoom(out chan<- prometheus.Metric) { collectRoomOf(s.r.Config, roomAt, out) }

func collectRoomOf(c Config, at func(dir string) (room, error), out chan<- prometheus.Metric) {
	for _, f := range c.folders() {
		free, err := at(f.path)
		if err != nil || free.size == 0 { // the second: this system does not say it
			continue
		}
		out <- prometheus.MustNewConstMetric(freeDesc, prometheus.GaugeValue, float64(free.bytes), f.what)
		out <- prometheus.MustNewConstMetric(sizeDesc, prometheus.GaugeValue, float64(free.size), f.what)
	}
}
