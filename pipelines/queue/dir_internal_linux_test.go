package queue

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"repomill/pipelines/objects/file"
)

// A periodic listing, of folders that are not watched, delivers no files of the others but those that wait, and holds up their events no longer than any
// listing.
func TestPeriodicListingHandlesEvents(t *testing.T) {
	dir := t.TempDir()
	write := func(object string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, object), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll(filepath.Join(dir, "acme/many"), 0o755); err != nil {
		t.Fatal(err)
	}
	for i := range 2 * lookAfter {
		write(fmt.Sprintf("acme/many/%d", i))
	}
	staging, err := file.OpenStaging("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	defer staging.Close()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC | unix.IN_NONBLOCK)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fd)
	w := &watch{dir: &Dir{staging: staging, Log: slog.Default()}, root: dir, fd: fd, folders: map[int]string{}, unseen: map[string]bool{},
		due: map[string]reminder{}, buf: make([]byte, 64<<10)}
	list := func(periodic bool) (news []string) {
		w.unwatched.begin(periodic)
		w.list(context.Background(), ".", func(e Event) { news = append(news, e.Upload.Object) })
		w.unwatched.end(w.looked)
		return news
	}
	if n := len(list(false)); n != 2*lookAfter {
		t.Fatalf("%d files were there at first", n)
	}
	write("acme/other")
	if news := list(true); !slices.Equal(news, []string{"acme/other"}) {
		t.Errorf("news: %q", news)
	}
	w.due["acme/many/7"] = reminder{at: time.Now().Add(time.Hour), pause: firstPause} // it had a writer after its closing
	if news := list(true); !slices.Equal(news, []string{"acme/many/7"}) || len(w.due) > 0 {
		t.Errorf("news of a file that waited: %q; there are %d reminders left", news, len(w.due))
	}
}
