package queue_test

import (
	"context"
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

// manyFiles makes a folder outside of staging with so many files.
func manyFiles(t *testing.T, many int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "many")
	must(t, os.MkdirAll(dir, 0o755))
	for i := range many {
		must(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("%05d.deb", i)), []byte("x"), 0o600))
	}
	return dir
}

// While a folder with very many files is listed, files elsewhere are delivered, in new folders, too.
func TestLargeFolderDelaysNoOther(t *testing.T) {
	for _, other := range []string{"acme/other", "acme/new/folder/other"} {
		t.Run(other, func(t *testing.T) {
			const many = 5000
			dir, outside := stagingDir(t), manyFiles(t, many)
			w := &watched{T: t, dir: dir, news: map[string]catalog.Upload{}}
			var before atomic.Int64 // files of the large folder that were delivered before the other one
			w.receive(func(u catalog.Upload) {
				if _, there := w.reported(other); !there && strings.HasPrefix(u.Object, "acme/many/") {
					if before.Add(1) == 1 {
						w.write(other, "x")
					}
				}
				w.report(u)
			})
			w.write("acme/first", "x")
			w.expect("acme/first")
			must(t, os.Rename(outside, filepath.Join(dir, "acme", "many")))
			w.expect(fmt.Sprintf("acme/many/%05d.deb", many-1))
			w.expect(other)
			if n := before.Load(); n == 0 || n > many/2 {
				t.Errorf("the other file came after %d of %d", n, many)
			}
		})
	}
}

// The closing of a file is read while its folder is listed, and its writer counts as one for longer (see [TestFileWithWriterAfterClose]): the listing
// finds it written, and does not forget that there is no other event to come.
func TestFileClosedWhileListed(t *testing.T) {
	const late = "acme/many/00900.deb"
	dir, outside, link := stagingDir(t), manyFiles(t, 1500), filepath.Join(t.TempDir(), "link")
	must(t, os.Link(filepath.Join(outside, filepath.Base(late)), link))
	last, err := os.OpenFile(link, os.O_WRONLY, 0)
	must(t, err)
	defer last.Close()
	w := &watched{T: t, dir: dir, news: map[string]catalog.Upload{}}
	w.receive(func(u catalog.Upload) {
		switch u.Object {
		case "acme/many/00000.deb":
			w.write(late, "xx")
		case "acme/many/01200.deb":
			last.Close()
		}
		w.report(u)
	})
	w.write("acme/first", "x")
	w.expect("acme/first")
	must(t, os.Rename(outside, filepath.Join(dir, "acme", "many")))
	w.expect("acme/many/01499.deb", late)
}

// Who opens and closes files all the time holds up no listing, and not the end.
func TestListedInAFlood(t *testing.T) {
	const many = 1000
	w := watch(t, stagingDir(t))
	ctx, stop := context.WithCancel(t.Context())
	var writing sync.WaitGroup
	defer writing.Wait()
	defer stop()
	for n := range 3 {
		writing.Go(func() {
			for i := 0; ctx.Err() == nil; i++ {
				if f, err := os.OpenFile(w.path(fmt.Sprintf("acme/%d-%d", n, i%50)), os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
					f.Close()
				}
			}
		})
	}
	must(t, os.Rename(manyFiles(t, many), filepath.Join(w.dir, "acme", "many")))
	w.expect(fmt.Sprintf("acme/many/%05d.deb", many-1))
	must(t, os.Rename(manyFiles(t, 2*many), filepath.Join(w.dir, "acme", "more")))
	if err := w.stop(); err != nil {
		t.Error(err)
	}
}
