package file_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
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

// One name that cannot have a verdict must not look like a fault that will pass.
func TestVerdictsThatCannotBe(t *testing.T) {
	s := openStaging(t)
	must(t, s.PutVerdict(t.Context(), "acme/f", "", []byte("{}")))
	must(t, s.PutVerdict(t.Context(), "acme/d.json/g", "", []byte("{}")))
	for name, object := range map[string]string{
		"too long with its ending":          "acme/" + strings.Repeat("x", 251),
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
