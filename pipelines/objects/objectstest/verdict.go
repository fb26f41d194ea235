package objectstest

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"sync/atomic"
	"testing"

	"repomill/schemas/layout"
)

func verdictVersions(t *testing.T, s Staging) {
	check := func(want string) layout.Version {
		t.Helper()
		body, v, err := s.Verdict(t.Context(), Staged)
		if string(body) != want || v == "" || err != nil {
			t.Errorf("got %q, version %q, %v; want %q", body, v, err, want)
		}
		return v
	}
	conflict := func(old layout.Version) {
		t.Helper()
		if err := s.PutVerdict(t.Context(), Staged, old, []byte("conflict")); !errors.Is(err, layout.ErrConflict) {
			t.Errorf("replace version %q: got %v, want ErrConflict", old, err)
		}
	}
	if body, v, err := s.Verdict(t.Context(), Staged); !errors.Is(err, fs.ErrNotExist) || v != "" {
		t.Errorf("before: got %q, %q, %v; want ErrNotExist", body, v, err)
	}
	conflict("1")
	conflict("other")
	var versions []layout.Version
	old := layout.Version("")
	for _, body := range []string{`{"state":"stored"}`, `{"state":"published","detail":"longer"}`, ""} {
		if err := s.PutVerdict(t.Context(), Staged, old, []byte(body)); err != nil {
			t.Fatal(err)
		}
		old = check(body)
		for _, v := range append(versions, "", "other") {
			conflict(v)
		}
		check(body)
		versions = append(versions, old)
	}
	checkListed(t, s)
}

func verdictConcurrently(t *testing.T, s Staging) {
	old := layout.Version("")
	for round := range 4 {
		var won atomic.Int64
		Race(8, func(i int) {
			switch err := s.PutVerdict(t.Context(), Staged, old, []byte(fmt.Sprintf("%d-%d", round, i))); {
			case err == nil:
				won.Add(1)
			case !errors.Is(err, layout.ErrConflict):
				t.Errorf("got %v, want ErrConflict", err)
			}
		})
		body, v, err := s.Verdict(t.Context(), Staged)
		if won.Load() != 1 || err != nil || v == old || !strings.HasPrefix(string(body), fmt.Sprint(round)) {
			t.Fatalf("round %d: %d won; got %q, version %q after %q, %v", round, won.Load(), body, v, old, err)
		}
		old = v
	}
}

func verdictDeleted(t *testing.T, s Staging) {
	version := func() layout.Version {
		t.Helper()
		_, v, err := s.Verdict(t.Context(), Staged)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	remove := func(v layout.Version, want error) {
		t.Helper()
		if err := s.DeleteVerdict(t.Context(), Staged, v); !errors.Is(err, want) {
			t.Errorf("delete version %q: got %v, want %v", v, err, want)
		}
	}
	for _, v := range []layout.Version{"", "1", "other"} {
		remove(v, nil) // there is none
	}
	neighbour := Staged + ".asc"
	for _, object := range []string{Staged, neighbour} {
		if err := s.PutVerdict(t.Context(), object, "", []byte("first")); err != nil {
			t.Fatal(err)
		}
	}
	first := version()
	if err := s.PutVerdict(t.Context(), Staged, first, []byte("second")); err != nil {
		t.Fatal(err)
	}
	for _, v := range []layout.Version{first, "", "1", "other"} {
		remove(v, layout.ErrConflict)
	}
	second := version()
	for range 2 {
		remove(second, nil)
		if body, _, err := s.Verdict(t.Context(), Staged); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is removed, and reads %q, %v", body, err)
		}
	}
	if err := s.PutVerdict(t.Context(), Staged, "", []byte("third")); err != nil {
		t.Errorf("there is none, and none can be written: %v", err)
	}
	if body, _, err := s.Verdict(t.Context(), neighbour); string(body) != "first" || err != nil {
		t.Errorf("its neighbour reads %q, %v", body, err)
	}
}

func verdictInvalid(t *testing.T, s Staging) {
	for _, object := range []string{"", "acme/a\x00b", strings.Repeat("x", 1100)} {
		if body, _, err := s.Verdict(t.Context(), object); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("verdict of %.20q: got %q, %v; want ErrInvalid", object, body, err)
		}
		if err := s.PutVerdict(t.Context(), object, "", []byte("{}")); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("write the verdict of %.20q: got %v, want ErrInvalid", object, err)
		}
		if err := s.DeleteVerdict(t.Context(), object, "1"); !errors.Is(err, fs.ErrInvalid) {
			t.Errorf("delete the verdict of %.20q: got %v, want ErrInvalid", object, err)
		}
	}
	if err := s.PutVerdict(t.Context(), Staged, "", make([]byte, 2<<20)); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("a verdict of 2 MiB: got %v, want ErrInvalid", err)
	}
}
