package file_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"repomill/pipelines/objects/file"
	"repomill/schemas/layout"
)

func TestVerdictVersionIsTheDigest(t *testing.T) {
	s := openStaging(t)
	must(t, s.PutVerdict(t.Context(), staged, "", []byte("{}")))
	sum := sha256.Sum256([]byte("{}"))
	if body, v, err := s.Verdict(t.Context(), staged); string(body) != "{}" || string(v) != hex.EncodeToString(sum[:]) || err != nil {
		t.Errorf("got %q, version %q, %v", body, v, err)
	}
}

// Two that have the folder open each for itself, as two processes do, exclude each other.
func TestVerdictsOfTwoProcesses(t *testing.T) {
	one := openStaging(t)
	other, err := file.OpenStaging("file://" + filepath.ToSlash(one.Path()))
	must(t, err)
	t.Cleanup(func() { other.Close() })
	old := layout.Version("")
	for round := range 10 {
		var won atomic.Int64
		race(8, func(i int) {
			body := strings.Repeat(fmt.Sprint(i), 1000+round)
			switch err := []*file.Staging{one, other}[i%2].PutVerdict(t.Context(), staged, old, []byte(body)); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, layout.ErrConflict):
				t.Error(err)
			}
		})
		body, v, err := one.Verdict(t.Context(), staged)
		if won.Load() != 1 || err != nil || len(body) != 1000+round || strings.Trim(string(body), string(body[:1])) != "" {
			t.Fatalf("round %d: %d won, with %d bytes, %v", round, won.Load(), len(body), err)
		}
		old = v
	}
	checkNoParts(t, one)
}

// A name to which no ending fits has its verdict under a name that follows from it, and from no other.
func TestVerdictsOfLongNames(t *testing.T) {
	s := openStaging(t)
	objects := []string{}
	for n := 250; n <= 255; n++ {
		objects = append(objects, "acme/"+strings.Repeat("x", n))
	}
	for _, object := range append(objects, "acme/"+strings.Repeat("y", 255), "other/"+strings.Repeat("x", 255)) {
		write(t, s, object, "x")
		must(t, s.PutVerdict(t.Context(), object, "", []byte(object)))
	}
	for _, object := range objects {
		body, v, err := s.Verdict(t.Context(), object)
		if string(body) != object || err != nil {
			t.Errorf("%d bytes: got %q, %v", len(object), body, err)
		}
		must(t, s.PutVerdict(t.Context(), object, v, []byte("again")))
	}
	sum := sha256.Sum256([]byte(strings.Repeat("x", 255)))
	beside := filepath.Join(s.Path(), ".results/acme/.name-"+hex.EncodeToString(sum[:])+".json")
	if body, err := os.ReadFile(beside); string(body) != "again" || err != nil {
		t.Errorf("%s has %q, %v", beside, body, err)
	}
	for _, object := range objects {
		_, v, err := s.Verdict(t.Context(), object)
		must(t, errors.Join(err, s.DeleteVerdict(t.Context(), object, v)))
		if _, _, err := s.Verdict(t.Context(), object); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%d bytes: %v after it was removed", len(object), err)
		}
	}
	if got := list(t, s); len(got) != 8 {
		t.Errorf("listed %d, want what was staged", len(got))
	}
}

// One name that cannot have a verdict must not look like a fault that will pass.
func TestVerdictOfInvalidName(t *testing.T) {
	s := openStaging(t)
	must(t, s.PutVerdict(t.Context(), "acme/f", "", []byte("{}")))
	must(t, s.PutVerdict(t.Context(), "acme/d.json/g", "", []byte("{}")))
	for name, object := range map[string]string{
		"a name longer than a file's":       "acme/" + strings.Repeat("x", 256),
		"a folder where a verdict is":       "acme/f.json/g",
		"a deep folder where a verdict is":  "acme/f.json/g/h",
		"a verdict where a folder is":       "acme/d",
		"a name that is no path":            "acme//f",
		"a name that no file can have":      "acme/a\x00b",
		"a name that leads out of a folder": "acme/../../f",
	} {
		if body, _, err := s.Verdict(t.Context(), object); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: read %q, %v; want ErrInvalid", name, body, err)
		}
		if err := s.PutVerdict(t.Context(), object, "", []byte("{}")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: wrote, %v; want ErrInvalid", name, err)
		}
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	checkNoParts(t, s)
}
