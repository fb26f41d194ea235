package queue_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/pipelines/queue"
	"repomill/schemas/catalog"
	"repomill/testdata/proctest"
)

var _ queue.Source = (*queue.Dir)(nil)

// soon is how long a test waits, on a busy machine too, before it fails.
const soon = time.Minute

// A watched is a staging folder with what was reported of it.
type watched struct {
	*testing.T
	dir  string
	stop func() error // ends Receive and returns its error

	mu   sync.Mutex
	news map[string]catalog.Upload // the latest of each object
}

func stagingDir(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "staging")
	must(t, os.MkdirAll(filepath.Join(dir, "acme"), 0o755))
	return dir
}

// watch begins to receive events of a folder, and returns when it is watched.
func watch(t *testing.T, dir string) *watched {
	t.Helper()
	w := &watched{T: t, dir: dir, news: map[string]catalog.Upload{}}
	w.receive(w.report)
	first := "acme/first"
	w.write(first, "x")
	w.expect(first)
	return w
}

func (w *watched) receive(f func(catalog.Upload)) {
	w.Helper()
	staging, err := file.OpenStaging("file://" + w.dir)
	must(w.T, err)
	ctx, cancel := context.WithCancel(w.Context())
	done := make(chan error, 1)
	go func() { done <- queue.NewDir(staging).Receive(ctx, func(e queue.Event) { f(e.Upload) }) }()
	w.stop = sync.OnceValue(func() error {
		cancel()
		select {
		case err := <-done:
			return err
		case <-time.After(soon):
			return fmt.Errorf("it goes on")
		}
	})
	w.Cleanup(func() {
		if err := w.stop(); err != nil {
			w.Errorf("receive: %v", err)
		}
		staging.Close()
	})
}

func (w *watched) report(u catalog.Upload) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.news[u.Object] = u
}

func (w *watched) reported(object string) (catalog.Upload, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	u, ok := w.news[object]
	return u, ok
}

func (w *watched) path(object string) string { return filepath.Join(w.dir, object) }

func (w *watched) write(object, body string) {
	w.Helper()
	must(w.T, os.MkdirAll(filepath.Dir(w.path(object)), 0o755))
	must(w.T, os.WriteFile(w.path(object), []byte(body), 0o600))
}

// expect waits until each object is reported as what it is now.
func (w *watched) expect(all ...string) {
	w.Helper()
	staging, err := file.OpenStaging("file://" + w.dir)
	must(w.T, err)
	defer staging.Close()
	for _, object := range all {
		want, err := staging.Stat(w.Context(), object)
		must(w.T, err)
		proctest.Eventually(w, "news of "+object, func() bool {
			got, ok := w.reported(object)
			return ok && got == want
		})
	}
}

// expectNone fails if something else than these and the first file was reported, when a file written
// after it has arrived.
func (w *watched) expectNone(but ...string) {
	w.Helper()
	w.write("acme/marker", "x")
	w.expect("acme/marker")
	w.mu.Lock()
	defer w.mu.Unlock()
	for object := range w.news {
		if !slices.Contains(append(but, "acme/marker", "acme/first"), object) {
			w.Errorf("%s was reported", object)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestFileMovedIn(t *testing.T) {
	w := watch(t, stagingDir(t))
	outside := filepath.Join(filepath.Dir(w.dir), "made")
	must(t, os.WriteFile(outside, []byte("x"), 0o600))
	must(t, os.Rename(outside, w.path("acme/moved")))
	w.expect("acme/moved")
	must(t, os.Rename(w.path("acme/moved"), w.path("acme/renamed")))
	w.expect("acme/renamed")
}

func TestFileWrittenAgain(t *testing.T) {
	w := watch(t, stagingDir(t))
	for i := range 5 {
		w.write("acme/file", strings.Repeat("x", i))
		w.expect("acme/file")
	}
}

// The closing of a file is an event while its writer still counts as one. Here that lasts longer: the last writer came
// by a link in a folder that is not watched, so that its closing is not an event.
func TestFileWithWriterAfterClose(t *testing.T) {
	w := watch(t, stagingDir(t))
	outside := filepath.Join(filepath.Dir(w.dir), "link")
	must(t, os.WriteFile(outside, []byte("x"), 0o600))
	last, err := os.OpenFile(outside, os.O_WRONLY, 0)
	must(t, err)
	defer last.Close()
	must(t, os.Link(outside, w.path("acme/file")))
	w.write("acme/file", "xx")
	w.expectNone()
	must(t, last.Close())
	w.expect("acme/file")
}

// A file is an event when its writer closes it, in a folder that is watched already and in one that is not yet.
func TestFileCopiedSlowly(t *testing.T) {
	for name, object := range map[string]string{"in a watched folder": "acme/slow", "in a new folder": "acme/new/folder/slow"} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, stagingDir(t))
			must(t, os.MkdirAll(filepath.Dir(w.path(object)), 0o755))
			f, err := os.Create(w.path(object))
			must(t, err)
			defer f.Close()
			for range 12 { // longer than the reminder of a new folder
				_, err := f.WriteString("part")
				must(t, err)
				time.Sleep(100 * time.Millisecond)
			}
			w.expectNone()
			must(t, f.Close())
			w.expect(object)
			if u, _ := w.reported(object); u.Size != 12*4 {
				t.Errorf("it was reported with %d bytes, want %d", u.Size, 12*4)
			}
		})
	}
}

func TestNewFolders(t *testing.T) {
	w := watch(t, stagingDir(t))
	w.write("acme/tools/ubuntu/jammy/hello.deb", "x")
	w.write("other/tools/el/9/hello.rpm", "x")
	w.expect("acme/tools/ubuntu/jammy/hello.deb", "other/tools/el/9/hello.rpm")
	w.write("acme/tools/ubuntu/jammy/later.deb", "x")
	w.expect("acme/tools/ubuntu/jammy/later.deb")
}

func TestFolderMoved(t *testing.T) {
	w := watch(t, stagingDir(t))
	outside := filepath.Join(filepath.Dir(w.dir), "made")
	must(t, os.MkdirAll(filepath.Join(outside, "el/9"), 0o755))
	must(t, os.WriteFile(filepath.Join(outside, "el/9/hello.rpm"), []byte("x"), 0o600))
	must(t, os.Rename(outside, w.path("acme/in")))
	w.expect("acme/in/el/9/hello.rpm")
	must(t, os.Rename(w.path("acme/in"), w.path("acme/on")))
	w.expect("acme/on/el/9/hello.rpm")
	w.write("acme/on/el/9/later.rpm", "x")
	w.expect("acme/on/el/9/later.rpm")
	must(t, os.RemoveAll(w.path("acme/on")))
	w.write("acme/on/el/9/again.rpm", "x")
	w.expect("acme/on/el/9/again.rpm")
}

func TestFilesThereAtTheStart(t *testing.T) {
	dir := stagingDir(t)
	w := &watched{T: t, dir: dir, news: map[string]catalog.Upload{}}
	w.write("acme/old", "x")
	w.write("acme/tools/el/9/old.rpm", "x")
	w.write("acme/.hidden", "x")
	w.write(".results/acme/old.json", "x")
	w.receive(w.report)
	w.expect("acme/old", "acme/tools/el/9/old.rpm")
	w.expectNone("acme/old", "acme/tools/el/9/old.rpm")
}

func TestHiddenFiles(t *testing.T) {
	w := watch(t, stagingDir(t))
	w.write("acme/.hidden", "x")
	w.write(".results/acme/first.json", "x")
	w.write("acme/.folder/deep/file", "x")
	must(t, os.Rename(w.path("acme/.folder"), w.path("acme/.other")))
	w.expectNone()
	must(t, os.Rename(w.path("acme/.hidden"), w.path("acme/shown")))
	w.expect("acme/shown")
}

func TestIrregularFiles(t *testing.T) {
	w := watch(t, stagingDir(t))
	must(t, os.Symlink("first", w.path("acme/link")))
	must(t, os.Symlink(t.TempDir(), w.path("acme/out")))
	must(t, os.Rename(w.path("acme/link"), w.path("acme/moved")))
	w.expectNone()
}

func TestPut(t *testing.T) {
	w := watch(t, stagingDir(t))
	staging, err := file.OpenStaging("file://" + w.dir)
	must(t, err)
	defer staging.Close()
	want, err := staging.Put(t.Context(), "acme/tools/el/9/hello.rpm", strings.NewReader("hello"), catalog.Pusher{})
	must(t, err)
	w.expect(want.Object)
	if got, _ := w.reported(want.Object); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestStagingFolderBehindALink(t *testing.T) {
	dir := stagingDir(t)
	link := filepath.Join(t.TempDir(), "link")
	must(t, os.Symlink(dir, link))
	w := watch(t, link)
	w.write("acme/tools/el/9/hello.rpm", "x")
	w.expect("acme/tools/el/9/hello.rpm")
}

func TestBurst(t *testing.T) {
	w := watch(t, stagingDir(t))
	var all []string
	for i := range 500 {
		object := fmt.Sprintf("o%d/r%d/el/9/p%d.rpm", i%5, i%50, i)
		w.write(object, "x")
		all = append(all, object)
	}
	w.expect(all...)
}

func TestStopsPromptly(t *testing.T) {
	for name, prepare := range map[string]func(w *watched){
		"while nothing happens": func(*watched) {},
		"while a file is being written": func(w *watched) {
			must(w.T, os.MkdirAll(w.path("acme/new"), 0o755))
			f, err := os.Create(w.path("acme/new/slow"))
			must(w.T, err)
			w.Cleanup(func() { f.Close() })
			w.expectNone()
		},
		"while there is news": func(w *watched) {
			for i := range 100 {
				w.write(fmt.Sprintf("acme/d%d/file", i), "x")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := watch(t, stagingDir(t))
			prepare(w)
			if err := w.stop(); err != nil {
				t.Error(err)
			}
		})
	}
}
