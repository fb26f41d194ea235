package file_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/layout"
)

// folderChanges are what another program may do to a folder.
var folderChanges = []struct {
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
}

// What was written into a folder a moment ago does not matter to a folder that has its name now.
func TestCreateInFolderThatChanged(t *testing.T) {
	for _, tt := range folderChanges {
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

// A verdict goes into, and is read from, the folder that has the name now.
func TestVerdictInFolderThatChanged(t *testing.T) {
	for _, tt := range folderChanges {
		t.Run(tt.name, func(t *testing.T) {
			s := openStaging(t)
			must(t, s.PutVerdict(t.Context(), "a/b/c/one", "", []byte("first")))
			must(t, tt.change(filepath.Join(s.Path(), ".results/a/b")))
			if body, _, err := s.Verdict(t.Context(), "a/b/c/one"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("of a file whose verdict is gone: %q, %v", body, err)
			}
			must(t, s.PutVerdict(t.Context(), "a/b/c/two", "", []byte("second")))
			body, v, err := s.Verdict(t.Context(), "a/b/c/two")
			if there, readErr := os.ReadFile(filepath.Join(s.Path(), ".results/a/b/c/two.json")); string(body) != "second" || string(there) != "second" || err != nil || readErr != nil {
				t.Fatalf("got %q, %v; there is %q, %v", body, err, there, readErr)
			}
			must(t, tt.change(filepath.Join(s.Path(), ".results/a")))
			if err := s.PutVerdict(t.Context(), "a/b/c/two", v, []byte("third")); err == nil {
				t.Error("it replaced a verdict that is gone")
			}
		})
	}
}

// An administrator may have linked a verdict to another place in staging, but not beyond.
func TestVerdictIsALink(t *testing.T) {
	s := openStaging(t)
	must(t, s.PutVerdict(t.Context(), "a/one", "", []byte("first")))
	must(t, os.WriteFile(filepath.Join(filepath.Dir(s.Path()), "outside"), []byte("secret"), 0o600))
	must(t, os.Symlink("one.json", filepath.Join(s.Path(), ".results/a/two.json")))
	must(t, os.Symlink(filepath.Join(filepath.Dir(s.Path()), "outside"), filepath.Join(s.Path(), ".results/a/three.json")))
	if body, _, err := s.Verdict(t.Context(), "a/two"); string(body) != "first" || err != nil {
		t.Errorf("a link to a verdict: %q, %v", body, err)
	}
	if body, _, err := s.Verdict(t.Context(), "a/three"); err == nil {
		t.Errorf("a link that leads out of staging: %q", body)
	}
}
