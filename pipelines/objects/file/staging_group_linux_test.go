package file_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// Who may write to staging by its group may also write below folders that an upload of the program has made.
func TestFoldersOfAGroup(t *testing.T) {
	for mode, want := range map[os.FileMode]os.FileMode{0o755: 0o755, 0o770: 0o775, 0o775: 0o775, 0o700: 0o755} {
		dir := filepath.Join(t.TempDir(), "staging")
		must(t, os.Mkdir(dir, 0o755))
		must(t, os.Chmod(dir, mode))
		s, err := file.OpenStaging("file://" + dir)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if _, err := s.Put(t.Context(), "acme/tools/ubuntu/jammy/a.deb", strings.NewReader("x"), catalog.Pusher{}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"acme", "acme/tools/ubuntu/jammy"} {
			if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("below a staging of mode %o, %s has %v, want %o (%v)", mode, name, info.Mode(), want, err)
			}
		}
	}
}
