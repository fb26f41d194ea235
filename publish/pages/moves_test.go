package pages_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A version whose first package is gone counts from its next one, and moves behind others.
func TestPagesOfAVersionThatMoves(t *testing.T) {
	w := newWorld(t)
	first := pkg{jammy, "hello", "1.0", "says hello"}
	w.push(first)
	w.pass(time.Hour)
	for n := range 20 {
		w.push(pkg{jammy, "hello", fmt.Sprintf("2.%d", n), "says hello"})
		w.pass(time.Hour)
	}
	w.push(pkg{noble, "hello", "1.0", "says hello"})
	w.publish()
	m := w.maker()
	w.make(m)
	w.withdraw(first)
	w.publish()
	w.make(m)
	if n := w.removeWithdrawn(); n != 1 {
		t.Fatalf("%d files were removed, want 1", n)
	}
	w.make(m)
	got := w.pages()
	if diff := cmp.Diff(w.whole(), got); diff != "" {
		t.Errorf("pages (-from nothing +step by step):\n%s", diff)
	}
}
