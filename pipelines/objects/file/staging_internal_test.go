package file

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalog"
)

// A file that takes the place of another, after that one was found and before it is removed, is put back.
func TestRemovePutsBackReplacement(t *testing.T) {
	s, err := OpenStaging("file://" + t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for name, replace := range map[string]func() error{
		"by another file": func() error {
			_, err := s.Put(t.Context(), "acme/f", strings.NewReader("other"), catalog.Pusher{})
			return err
		},
		"by other bytes": func() error { return os.WriteFile(filepath.Join(s.Path(), "acme/f"), []byte("other"), 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := s.Put(t.Context(), "acme/f", strings.NewReader("the first one"), catalog.Pusher{}); err != nil {
				t.Fatal(err)
			}
			info, err := s.root.Lstat("acme/f")
			if err != nil {
				t.Fatal(err)
			}
			if err := replace(); err != nil {
				t.Fatal(err)
			}
			if err := s.remove("acme/f", info); err != nil {
				t.Error(err)
			}
			if body, err := s.root.ReadFile("acme/f"); string(body) != "other" || err != nil {
				t.Errorf("got %q, %v; want the other file", body, err)
			}
			if entries, err := os.ReadDir(filepath.Join(s.Path(), "acme")); err != nil || len(entries) != 1 {
				t.Errorf("the folder has %v, %v", entries, err)
			}
		})
	}
}
