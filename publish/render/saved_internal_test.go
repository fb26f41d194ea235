package render

import (
	"bytes"
	"encoding/gob"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"
)

// A rendering that an earlier or a later version of the program has saved is not used.
func TestLoadOfAnotherVersion(t *testing.T) {
	f, _, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	const version = 2
	secret := []byte("secret")
	save := func(d any) {
		t.Helper()
		var b bytes.Buffer
		if err := gob.NewEncoder(&b).Encode(d); err != nil {
			t.Fatal(err)
		}
		if err := f.save("x", append(authenticate(secret, b.Bytes()), b.Bytes()...)); err != nil {
			t.Fatal(err)
		}
	}
	for fact, d := range map[string]any{
		"earlier":      description{Version: version - 1, Release: "r", Segments: "s"},
		"later":        description{Version: version + 1, Release: "r", Segments: "s"},
		"other fields": struct{ Version string }{"three"},
	} {
		save(d)
		if _, err := f.load("x", "r", secret, version); !errors.Is(err, errOtherVersion) {
			t.Errorf("%s: got %v", fact, err)
		}
	}
	save(description{Version: version, Release: "other", Segments: "s"})
	if _, err := f.load("x", "r", secret, version); !errors.Is(err, errDamaged) {
		t.Errorf("of another release: got %v", err)
	}
}

// The folder has one process at a time, and forgets what belongs to no rendering.
func TestFolderHasOneProcess(t *testing.T) {
	dir := t.TempDir()
	f, _, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := openFolder(dir); !errors.Is(err, errTaken) {
		t.Errorf("a second process: got %v", err)
	}
	for _, name := range []string{"aa-1.segments", "bb.rendering", "cc.rendering", "cc-1.segments", "dd.rendering", "dd-1.segments", "dd-2.segments", "ee.rendering.part"} {
		if err := os.WriteFile(filepath.Join(f.dir, name), []byte("12345"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	f.close()
	f, files, err := openFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.close()
	if len(files) != 1 || files[0].name != "cc" || files[0].size != 10 {
		t.Errorf("got %v, want cc alone", files)
	}
	left, err := os.ReadDir(f.dir)
	if err != nil || len(left) != 3 { // with the lock
		t.Errorf("left are %v, %v", left, err)
	}
}

// What a folder has no room for lies elsewhere.
func TestScratchWithoutRoom(t *testing.T) {
	full, err := os.OpenFile("/dev/full", os.O_RDWR, 0)
	if err != nil {
		t.Skip("there is no /dev/full")
	}
	s := &scratch{file: full, dir: "cache"}
	defer s.close()
	var all []extent
	for _, piece := range []string{"one ", "two ", "three"} {
		e, err := s.append([]byte(piece))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e)
	}
	if got, err := io.ReadAll(s.read(all)); err != nil || string(got) != "one two three" {
		t.Errorf("got %q, %v", got, err)
	}
	if !s.spilled.Load() || s.broken.Load() {
		t.Error("it is not marked as spilled alone")
	}
	alone := &scratch{file: full} // of the system's folder
	if _, err := alone.append([]byte("x")); err == nil || !alone.broken.Load() {
		t.Errorf("without another folder: got %v", err)
	}
}
