package objectstest

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// incoming is a name of an upload whose place is not known yet.
const incoming = layout.Incoming + "abcdefghijklmnopqrstuvwx27"

func stagedMoved(t *testing.T, s Staging) {
	first := put(t, s, incoming, "hello")
	checkListed(t, s)
	moved, err := s.Move(t.Context(), first, Staged)
	if err != nil {
		t.Fatal(err)
	}
	checkStaged(t, s, moved, "hello") // the pusher, too
	checkListed(t, s, moved)
	if u, err := s.Stat(t.Context(), incoming); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the old name: got %+v, %v", u, err)
	}
	if u, err := s.Move(t.Context(), first, "acme/tools/el/9/x.rpm"); !errors.Is(err, catalog.ErrGone) {
		t.Errorf("moved again: got %+v, %v; want ErrGone", u, err)
	}
	second := put(t, s, incoming, "other")
	if u, err := s.Move(t.Context(), second, Staged); !errors.Is(err, fs.ErrExist) {
		t.Errorf("to a name that is taken: got %+v, %v; want ErrExist", u, err)
	}
	checkStaged(t, s, moved, "hello")
	checkStaged(t, s, second, "other")
	put(t, s, incoming, "replaced")
	if u, err := s.Move(t.Context(), second, "acme/tools/el/9/x.rpm"); !errors.Is(err, catalog.ErrGone) {
		t.Errorf("a generation that was replaced: got %+v, %v; want ErrGone", u, err)
	}
	if u, err := s.Move(t.Context(), moved, ""); !errors.Is(err, fs.ErrInvalid) {
		t.Errorf("to an empty name: got %+v, %v; want ErrInvalid", u, err)
	}
	checkListed(t, s, moved)
}

func stagedSwept(t *testing.T, s Staging) {
	if err := s.SweepIncoming(t.Context(), time.Now().Add(48*time.Hour)); err != nil {
		t.Errorf("with nothing there: %v", err)
	}
	left := put(t, s, incoming, "left")
	other, err := s.Create(t.Context(), Staged, strings.NewReader("hello"), pusher)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.SweepIncoming(t.Context(), time.Now().Add(23*time.Hour)); err != nil {
		t.Error(err)
	}
	checkStaged(t, s, left, "left")
	if err := s.SweepIncoming(t.Context(), time.Now().Add(25*time.Hour)); err != nil {
		t.Error(err)
	}
	if u, err := s.Stat(t.Context(), incoming); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after a day: got %+v, %v", u, err)
	}
	checkStaged(t, s, other, "hello")
}
