package faults_test

import (
	"bytes"
	"errors"
	"log/slog"
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
			s.wantPackages(oldAndMore)
		})
	}
}

// The disk of the cache is full. Everything is published as it is with room, in this process and the next one, and the log says what the cache
// lacks.
func TestCacheIsFull(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	fill := mount(t, filepath.Join(dir, "cache"))
	s := newSiteIn(t, dir, "")
	if err := old(s); err != nil {
		t.Fatal(err)
	}
	defer fill()()
	var log bytes.Buffer
	s.Log = slog.New(slog.NewTextHandler(&log, nil))
	s.Publisher.Close() // or the next one finds the folder in use
	s.restart()
	more(s)
	s.clock.advance(time.Minute)
	if err := s.ingest(); err != nil {
		t.Fatal(err)
	}
	s.wantPackages(oldAndMore)
	if says := log.String(); !strings.Contains(says, "no room for a rendering") || !strings.Contains(says, "folder="+filepath.Join(dir, "cache")) {
		t.Errorf("the log does not say that the cache has no room: %s", says)
	}
	s.restart()
	if err := yank(s); err != nil {
		t.Fatal(err)
	}
	s.wantPackages(map[string]string{jammy: "more 1.0 amd64", el9: "more 1.0-1 noarch", aarch64: "more 1.0-1 noarch"})
}

// wantPackages fails unless clients see these packages of each release.
func (s *site) wantPackages(want map[string]string) {
	s.t.Helper()
	got := s.outcome()
	for release, names := range want {
		if seen := strings.Join(got.Packages[release], ", "); seen != names {
			s.t.Errorf("%s has %q, want %q", release, seen, names)
		}
	}
}
