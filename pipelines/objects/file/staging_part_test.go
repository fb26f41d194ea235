package file_test

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// left returns the names of hidden files that are left, without their folders.
func left(t *testing.T, s *file.Staging) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	must(t, filepath.WalkDir(s.Path(), func(path string, e os.DirEntry, err error) error {
		if err == nil && e.Type().IsRegular() {
			names[e.Name()] = true
		}
		return err
	}))
	return names
}

func TestRemovePartsLeavesWhatIsNotHalfWritten(t *testing.T) {
	s := openStaging(t)
	at := func(name string) string { return ".ABCDEFGHIJKLMNOPQRSTUVWXY" + name + ".part" }
	for _, place := range []string{
		"acme/tools/ubuntu/jammy/" + at("A"), ".incoming/" + at("B"), at("C"),
		"acme/.hello.deb.part", "acme/hello.part", "acme/.removed-ABCDEFGHIJKLMNOPQRSTUVWXYZ.part", ".results/acme/" + at("D"),
		"acme/.folder/" + at("E"), "acme/" + at("F"), "acme/" + at("G"), "acme/hello.deb",
	} {
		write(t, s, place, "half")
	}
	opened, err := os.OpenFile(filepath.Join(s.Path(), "acme", at("F")), os.O_WRONLY, 0) // as by a repomill that locks nothing
	must(t, err)
	defer opened.Close()
	locked, err := os.Open(filepath.Join(s.Path(), "acme", at("G"))) // as by another user, or over a network
	must(t, err)
	defer locked.Close()
	must(t, syscall.Flock(int(locked.Fd()), syscall.LOCK_EX))

	files, bytes, err := s.RemoveParts(t.Context(), time.Now())
	if files != 3 || bytes != 12 || err != nil {
		t.Errorf("removed %d files of %d bytes, %v; want 3 of 12", files, bytes, err)
	}
	names := left(t, s)
	for name, want := range map[string]bool{
		at("A"): false, at("B"): false, at("C"): false, at("D"): true, at("E"): true, at("F"): true, at("G"): true,
		".hello.deb.part": true, "hello.part": true, ".removed-ABCDEFGHIJKLMNOPQRSTUVWXYZ.part": true, "hello.deb": true,
	} {
		if names[name] != want {
			t.Errorf("%s is there: %t, want %t", name, names[name], want)
		}
	}
	must(t, opened.Close())
	must(t, locked.Close())
	if files, _, err := s.RemoveParts(t.Context(), time.Now()); files != 2 || err != nil {
		t.Errorf("when they are not written any more: removed %d files, %v; want 2", files, err)
	}
}

// The other Staging is as another process: locks belong to open files.
func TestRemovePartsLeavesARunningPush(t *testing.T) {
	s := openStaging(t)
	other, err := file.OpenStaging("file://" + s.Path())
	must(t, err)
	defer other.Close()
	body, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := other.Put(t.Context(), staged, body, catalog.Pusher{})
		done <- err
	}()
	_, err = io.WriteString(w, "hel")
	must(t, err)
	for name := range left(t, s) { // its lock alone protects it where writers cannot be seen
		f, err := os.Open(filepath.Join(s.Path(), filepath.Dir(staged), name))
		must(t, err)
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err == nil {
			t.Errorf("%s is not locked", name)
		}
		f.Close()
	}
	if files, _, err := s.RemoveParts(t.Context(), time.Now().Add(48*time.Hour)); files != 0 || err != nil {
		t.Errorf("removed %d files, %v", files, err)
	}
	_, err = io.WriteString(w, "lo")
	must(t, err)
	must(t, w.Close())
	must(t, <-done)
	if body, err := read(t, s, stat(t, s, staged)); body != "hello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestRemovePartsAmongPushes(t *testing.T) {
	s := openStaging(t)
	stop := make(chan struct{})
	var g sync.WaitGroup
	g.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				// A file may be removed between its creation and its lock: its writer creates another one.
				if _, _, err := s.RemoveParts(t.Context(), time.Now().Add(time.Hour)); err != nil {
					t.Error(err)
				}
			}
		}
	})
	for range 50 {
		if _, err := s.Put(t.Context(), staged, strings.NewReader("hello"), catalog.Pusher{}); err != nil {
			t.Error(err)
		}
	}
	close(stop)
	g.Wait()
}
