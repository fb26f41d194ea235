package faults_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// mount mounts a small disk, in memory, on a new folder, and returns what takes all its room until it is removed.
func mount(t *testing.T, dir string) (fill func() (free func())) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("no file system can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) }) //nolint:errcheck // it goes with the machine
	return func() func() {
		filler := filepath.Join(dir, ".filler")
		f, err := os.Create(filler)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		for block := make([]byte, 4096); err == nil; {
			_, err = f.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
		return func() {
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// A disk is full, of the bucket alone or of everything. Clients keep what they have, the operator reads why, and when
// there is room again the same uploads are published.
func TestDiskIsFull(t *testing.T) {
	for name, at := range map[string]string{"of the bucket": "bucket", "of everything": "."} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			fill := mount(t, filepath.Join(dir, at))
			s := newSiteIn(t, dir, "")
			if err := old(s); err != nil {
				t.Fatal(err)
			}
			more(s)
			s.clock.advance(time.Minute)
			free := fill()
			failed := s.ingest()
			s.wantWhole(s.releases())
			said := []string{}
			if failed != nil {
				said = append(said, failed.Error())
			}
			for _, u := range s.uploads[2:] {
				v, err := s.Catalog.Verdict(t.Context(), u)
				if err == nil {
					said = append(said, v.Detail)
				}
				if v.State.Final() {
					t.Errorf("%s is %s", u, v.State)
				}
			}
			if all := strings.Join(said, "\n"); !strings.Contains(all, "no space left on device") && !strings.Contains(all, "disk is full") {
				t.Errorf("nobody says what is wrong: %q", all)
			}
			free()
			s.restart()
			if err := s.ingest(); err != nil {
				t.Fatal(err)
			}
			got := s.outcome()
			for release, want := range oldAndMore {
				if names := strings.Join(got.Packages[release], ", "); names != want {
					t.Errorf("%s has %q, want %q", release, names, want)
				}
			}
		})
	}
}
