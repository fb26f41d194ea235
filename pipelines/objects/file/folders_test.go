package file_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/layout"
)

// What was written into a folder a moment ago does not matter to a folder that has its name now.
func TestCreateInFolderThatChanged(t *testing.T) {
	for _, tt := range []struct {
		name   string
		change func(folder string) error
	}{
		{"removed", os.RemoveAll},
		{"removed and made again", func(folder string) error {
			if err := os.RemoveAll(folder); err != nil {
				return err
			}
			return os.MkdirAll(folder, 0o755)
		}},
		{"renamed", func(folder string) error { return os.Rename(folder, folder+".old") }},
		{"put in the place of another", func(folder string) error {
			return errors.Join(os.MkdirAll(folder+".new/c", 0o755), os.Rename(folder, folder+".old"), os.Rename(folder+".new", folder))
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			b := openBucket(t, dir)
			create := func(key, body string) {
				t.Helper()
				if err := b.Create(t.Context(), layout.ObjectOf(key), strings.NewReader(body)); err != nil {
					t.Fatal(err)
				}
				if got, err := os.ReadFile(filepath.Join(dir, key)); string(got) != body || err != nil {
					t.Fatalf("%s has %q, %v; want %q", key, got, err, body)
				}
			}
			create("a/b/c/one", "first")
			if err := tt.change(filepath.Join(dir, "a/b")); err != nil {
				t.Fatal(err)
			}
			create("a/b/c/two", "second")
		})
	}
}
