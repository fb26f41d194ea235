package file

import (
	"os"
	"path/filepath"
	"testing"
)

// A folder that another program has made since it was looked for keeps its mode, and one that a link leads to is not opened.
func TestAbsentFolderOfAnotherProgram(t *testing.T) {
	at := t.TempDir()
	if err := os.Mkdir(filepath.Join(at, "theirs"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("theirs", filepath.Join(at, "link")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(at)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, made, err := dir{f}.makeAbsentDir("theirs", true)
	if err != nil || !made {
		t.Fatalf("made %t, %v", made, err)
	}
	defer d.f.Close()
	if info, err := d.f.Stat(); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	if _, _, err := (dir{f}).makeAbsentDir("link", true); err == nil {
		t.Error("a link was followed")
	}
}
