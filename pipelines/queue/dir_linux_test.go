package queue_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
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

// While a folder with very many files is listed, files elsewhere are delivered.
func TestLargeFolderDelaysNoOther(t *testing.T) {
	const many = 5000
	dir, outside := stagingDir(t), filepath.Join(t.TempDir(), "many")
	must(t, os.MkdirAll(outside, 0o755))
	for i := range many {
		must(t, os.WriteFile(filepath.Join(outside, fmt.Sprintf("%05d.deb", i)), []byte("x"), 0o600))
	}
	w := &watched{T: t, dir: dir, news: map[string]catalog.Upload{}}
	var before atomic.Int64 // files of the large folder that were delivered before the other one
	w.receive(func(u catalog.Upload) {
		if _, other := w.reported("acme/other"); !other && strings.HasPrefix(u.Object, "acme/many/") {
			if before.Add(1) == 1 {
				w.write("acme/other", "x")
			}
		}
		w.report(u)
	})
	w.write("acme/first", "x")
	w.expect("acme/first")
	must(t, os.Rename(outside, filepath.Join(dir, "acme", "many")))
	w.expect(fmt.Sprintf("acme/many/%05d.deb", many-1))
	w.expect("acme/other")
	if n := before.Load(); n == 0 || n > many/2 {
		t.Errorf("the other file came after %d of %d", n, many)
	}
}
