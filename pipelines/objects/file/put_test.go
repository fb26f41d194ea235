package file_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

func TestPut(t *testing.T) {
	s := openStaging(t)
	u, err := s.Put(t.Context(), staged, strings.NewReader("hello"), catalog.Pusher{})
	must(t, err)
	if now := stat(t, s, staged); u != now || u.Size != 5 {
		t.Errorf("got %+v, want %+v", u, now)
	}
	if body, err := read(t, s, u); body != "hello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
	for name, body := range map[string]io.Reader{"at once": iotest.ErrReader(errBody), "late": io.MultiReader(strings.NewReader("other"), iotest.ErrReader(errBody))} {
		if u, err := s.Put(t.Context(), staged, body, catalog.Pusher{}); !errors.Is(err, errBody) {
			t.Errorf("a body that fails %s: got %+v, %v", name, u, err)
		}
	}
	for _, object := range []string{"", ".", "..", "../x", "/x", "a//b", "a/../b", "acme/tools", staged + "/below"} {
		if u, err := s.Put(t.Context(), object, strings.NewReader("x"), catalog.Pusher{}); err == nil {
			t.Errorf("put %q: got %+v", object, u)
		}
	}
	if now := stat(t, s, staged); u != now {
		t.Errorf("it became %+v", now)
	}
	checkNoParts(t, s)
	tick()
	second, err := s.Put(t.Context(), staged, strings.NewReader("world"), catalog.Pusher{})
	must(t, err)
	if body, err := read(t, s, second); body != "world" || err != nil || second.Generation == u.Generation {
		t.Errorf("put again: got %q, %v as %+v", body, err, second)
	}
	if _, err := read(t, s, u); !errors.Is(err, catalog.ErrGone) {
		t.Errorf("the first one: got %v, want ErrGone", err)
	}
}

// checkNoParts fails if a write left a temporary file.
func checkNoParts(t *testing.T, s *file.Staging) {
	t.Helper()
	must(t, filepath.WalkDir(s.Path(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".part") {
			t.Errorf("%s is left", path)
		}
		return err
	}))
}

func TestPutIsSeenWhole(t *testing.T) {
	s := openStaging(t)
	body, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		_, err := s.Put(t.Context(), staged, body, catalog.Pusher{})
		done <- err
	}()
	_, err := io.WriteString(w, "hel") // the reader has taken it
	must(t, err)
	if u, err := s.Stat(t.Context(), staged); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half of it is there: %+v, %v", u, err)
	}
	if got := list(t, s); len(got) != 0 {
		t.Errorf("listed %q", got)
	}
	_, err = io.WriteString(w, "lo")
	must(t, errors.Join(err, w.Close(), <-done))
	if body, err := read(t, s, stat(t, s, staged)); body != "hello" || err != nil {
		t.Errorf("got %q, %v", body, err)
	}
}

func TestConcurrentPuts(t *testing.T) {
	s := openStaging(t)
	const puts = 16
	body := func(i int) string { return strings.Repeat(fmt.Sprintf("%02d", i), 100_000) }
	uploads := make([]catalog.Upload, puts)
	race(puts, func(i int) {
		var err error
		if uploads[i], err = s.Put(t.Context(), staged, strings.NewReader(body(i)), catalog.Pusher{}); err != nil {
			t.Error(err)
		}
	})
	now := stat(t, s, staged)
	got, err := read(t, s, now)
	must(t, err)
	winner := -1
	for i, u := range uploads {
		if u == now {
			winner = i
		}
	}
	if winner < 0 || got != body(winner) {
		t.Errorf("%+v is put %d, with body %.4q", now, winner, got)
	}
	checkNoParts(t, s)
}
