package queue_test

import (
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"

	"repomill/schemas/catalog"
)

// The kernel queues a limited number of events and drops the rest. The files of dropped events are found.
func TestOverflow(t *testing.T) {
	limit, err := os.ReadFile("/proc/sys/fs/inotify/max_queued_events")
	must(t, err)
	most, err := strconv.Atoi(strings.TrimSpace(string(limit)))
	must(t, err)
	if most > 100_000 {
		t.Skipf("this kernel keeps %d events", most)
	}
	w := &watched{T: t, dir: stagingDir(t), news: map[string]catalog.Upload{}}
	held, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	w.write("acme/first", "x")
	w.receive(func(u catalog.Upload) {
		once.Do(func() { close(held); <-release })
		w.report(u)
	})
	<-held
	w.write("acme/second", "x")
	for i := range most + 1 { // in turn: equal events in a row are merged
		f, err := os.OpenFile(w.path([]string{"acme/first", "acme/second"}[i%2]), os.O_WRONLY, 0)
		must(t, err)
		must(t, f.Close())
	}
	w.write("acme/last", "x")
	w.write("acme/new/folder/last", "x")
	close(release)
	w.expect("acme/last", "acme/new/folder/last")
	w.write("acme/new/folder/later", "x")
	w.expect("acme/new/folder/later")
}
