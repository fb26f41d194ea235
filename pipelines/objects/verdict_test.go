package objects_test

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"testing"
)

func TestVerdicts(t *testing.T) {
	s := openStaging(t)
	if _, err := s.Verdict(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: got %v, want ErrNotExist", err)
	}
	for _, body := range []string{`{"state":"stored"}`, `{"state":"published","detail":"longer"}`, `{}`} {
		must(t, s.PutVerdict(t.Context(), staged, []byte(body)))
		if got, err := s.Verdict(t.Context(), staged); string(got) != body || err != nil {
			t.Errorf("got %q, %v; want %q", got, err, body)
		}
	}
	race(8, func(i int) {
		body := strings.Repeat(fmt.Sprint(i), 1000)
		if err := s.PutVerdict(t.Context(), staged, []byte(body)); err != nil {
			t.Error(err)
		}
		if got, err := s.Verdict(t.Context(), staged); err != nil || len(got) != 1000 || strings.Trim(string(got), string(got[:1])) != "" {
			t.Errorf("got %d bytes, %v", len(got), err)
		}
	})
	for _, object := range []string{"../../x", "a/../../../x", "a//b"} {
		if err := s.PutVerdict(t.Context(), object, []byte("{}")); err == nil {
			t.Errorf("%q has a verdict", object)
		}
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	checkNoParts(t, s)
}

// One name that cannot have a verdict must not look like a fault that will pass.
func TestVerdictsThatCannotBe(t *testing.T) {
	s := openStaging(t)
	must(t, s.PutVerdict(t.Context(), "acme/f", []byte("{}")))
	must(t, s.PutVerdict(t.Context(), "acme/d.json/g", []byte("{}")))
	for name, object := range map[string]string{
		"too long with its ending":          "acme/" + strings.Repeat("x", 251),
		"a folder where a verdict is":       "acme/f.json/g",
		"a deep folder where a verdict is":  "acme/f.json/g/h",
		"a verdict where a folder is":       "acme/d",
		"a name that is no path":            "acme//f",
		"a name that no file can have":      "acme/a\x00b",
		"a name that leads out of a folder": "acme/../../f",
	} {
		if body, err := s.Verdict(t.Context(), object); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: read %q, %v; want ErrInvalid", name, body, err)
		}
		if err := s.PutVerdict(t.Context(), object, []byte("{}")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("%s: wrote, %v; want ErrInvalid", name, err)
		}
	}
	checkNoParts(t, s)
}
