package file_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// A process that is killed in the middle of a file leaves it under a name of its own.
func TestSweepRemovesFilesThatWereNotFinished(t *testing.T) {
	dir := t.TempDir()
	s, err := file.OpenStaging("file://" + dir)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	part := filepath.Join(dir, ".incoming", ".ABC.part")
	for _, path := range []string{part, filepath.Join(dir, ".incoming", "folder", "x")} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		hours time.Duration
		there bool
	}{{23, true}, {25, false}} {
		if err := s.SweepIncoming(t.Context(), time.Now().Add(tt.hours*time.Hour)); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(part); (err == nil) != tt.there {
			t.Errorf("after %d hours: %v", tt.hours, err)
		}
	}
	if err := s.List(t.Context(), time.Now().Add(time.Hour), func(u catalog.Upload) { t.Errorf("%s is listed", u) }); err != nil {
		t.Error(err)
	}
	if n := s.Skipped(); n != 0 {
		t.Errorf("%d places count as left out", n)
	}
}
