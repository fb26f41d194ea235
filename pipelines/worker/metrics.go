package worker

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Registry returns a registry of everything that this process measures: of its resources, of the dispatcher, and of the Go runtime.
func (d *Dispatcher) Registry() *prometheus.Registry {
	reg := d.Resources.Registry()
	reg.MustRegister(
		gaugeOf("repomill_events_in_hand", "Uploads that wait or are worked on in this process.", func() float64 {
			_, n := d.inFlight.oldest()
			return float64(n)
		}),
		gaugeOf("repomill_oldest_event_seconds", "Age of the oldest upload that waits or is worked on in this process; 0 if there is none.", func() float64 {
			since, n := d.inFlight.oldest()
			if n == 0 {
				return 0
			}
			return max(time.Since(since).Seconds(), 0)
		}))
	reg.MustRegister(
		gaugeOf("repomill_garbage_objects", "Superseded objects of the published bucket that the last sweep of this process marked, for the next one to remove.",
			func() float64 { return float64(d.garbage.marked.Load()) }),
		gaugeOf("repomill_garbage_full_repositories", "Repositories with more garbage than one sweep marks; then the next sweep follows after an hour.",
			func() float64 { return float64(d.garbage.full.Load()) }),
		prometheus.NewCounterFunc(prometheus.CounterOpts{
			Name: "repomill_garbage_removed_total", Help: "Superseded objects that sweeps of this process have removed from the published bucket.",
		}, func() float64 { return float64(d.garbage.removed.Load()) }))
	if source, ok := d.Source.(interface{ Unwatched() int64 }); ok {
		reg.MustRegister(gaugeOf("repomill_staging_unwatched_folders",
			"Folders of staging that the kernel does not watch, so that they are looked through every ten seconds; if there are any, raise fs.inotify.max_user_watches.",
			func() float64 { return float64(source.Unwatched()) }))
	}
	foreign, ok := d.Source.(interface{ Foreign() int64 })
	reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "repomill_foreign_events_total", Help: "Messages of the subscription that are not notifications of the staging bucket. They are not acknowledged. A folder has none.",
	}, func() float64 {
		if !ok {
			return 0
		}
		return float64(foreign.Foreign())
	}))
	return reg
}

func gaugeOf(name, help string, value func() float64) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, value)
}
