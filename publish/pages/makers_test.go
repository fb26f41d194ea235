package pages_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/publish/publishtest"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// Whichever write of a page fails, and whether it was carried out or not: the next attempt ends in the same pages.
func TestEachWriteMayFail(t *testing.T) {
	begin := func(t *testing.T) *world {
		w := newWorld(t)
		w.push(pkg{jammy, "hello", "1.0", "says hello"}, pkg{el9, "tool", "1.0", "a tool"}, pkg{jammy, "gone", "1.0", "is withdrawn"})
		w.publish()
		w.make(w.maker())
		w.withdraw(pkg{jammy, "gone", "1.0", ""})
		w.publish()
		w.removeWithdrawn()
		w.push(pkg{jammy, "hello", "2.0", "says hello"}, pkg{el9, "tool", "2.0", "a tool"})
		w.publish()
		w.bucket.Writes()
		return w
	}
	w := begin(t)
	w.make(w.maker())
	keys := w.bucket.Writes()
	if len(keys) < 15 {
		t.Fatalf("few pages were written: %q", keys)
	}
	for _, key := range keys {
		for _, fault := range []publishtest.Fault{publishtest.Lost, publishtest.Stored} {
			t.Run(key+" "+fault.String(), func(t *testing.T) {
				t.Parallel()
				w := begin(t)
				w.bucket.FailOnce(key, fault)
				if _, failures := w.make(w.maker()); failures == 0 && !strings.HasPrefix(key, "assets/") { // those are there already
					t.Error("nothing has failed")
				}
				got := w.pages()
				if diff := cmp.Diff(w.whole(), got); diff != "" {
					t.Errorf("pages (-from nothing +after the fault):\n%s", diff)
				}
			})
		}
	}
}

// A process that has read old rows replaces no page that another one has made of newer ones, be the name new to both or not.
func TestASlowMakerReplacesNoNewerPage(t *testing.T) {
	for _, key := range []string{
		layout.NamePageKey(tools, "hello"), layout.NameTwinKey(tools, "hello"), layout.NamesPageKey(tools, -1, ""), layout.FrontPageKey(tools), layout.StatusKey(tools),
	} {
		for _, known := range []bool{true, false} {
			t.Run(fmt.Sprint(key, " ", known), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				if known {
					w.push(pkg{jammy, "hello", "1.0", "says hello"})
					w.publish()
					w.make(w.maker())
				}
				w.push(pkg{jammy, "hello", "2.0", "says hello"})
				w.publish()
				slow := w.take()
				var overtaken atomic.Bool
				w.bucket.Before("Swap", key, func() {
					if overtaken.CompareAndSwap(false, true) {
						w.push(pkg{jammy, "hello", "3.0", "says hello"}, pkg{jammy, "other", "1.0", "came later"})
						w.publish()
						w.pass(time.Hour) // the lease of the slow one has ended
						w.make(w.maker())
					}
				})
				if failed, _, err := w.maker().Make(t.Context(), slow); err != nil || len(failed) > 0 {
					t.Errorf("the slow one: %v, %v", err, failed)
				}
				if !overtaken.Load() {
					t.Error("it was not overtaken")
				}
				got := w.pages()
				w.want(key)
				if diff := cmp.Diff(w.whole(), got); diff != "" {
					t.Errorf("pages (-from nothing +by two):\n%s", diff)
				}
			})
		}
	}
}

// A process that is overtaken as it makes the pages of a new name, and ends late, leaves none that no one makes again: not of a name that is gone, whose
// pages the other one did not meet, and not those of older versions, which it takes for too many.
func TestALateMakerOfANewName(t *testing.T) {
	newer := map[string]func(w *world){
		"more versions": func(w *world) {
			for i := range 9 {
				w.push(pkg{jammy, "new", fmt.Sprintf("%d.0", i+2), "is new"})
			}
		},
		"no versions": func(w *world) {
			w.withdraw(pkg{jammy, "new", "1.0", ""})
			w.publish()
			if w.removeWithdrawn() == 0 {
				w.t.Error("no file was removed")
			}
		},
	}
	for what, change := range newer {
		for _, key := range []string{layout.VersionPageKey(tools, "new", "1.0"), layout.NamePageKey(tools, "new"), layout.NameTwinKey(tools, "new"),
			layout.NameFeedKey(tools, "new"), layout.NamesPageKey(tools, -1, ""), layout.FrontPageKey(tools)} {
			t.Run(what+" "+key, func(t *testing.T) {
				t.Parallel()
				w := newWorld(t)
				w.push(pkg{jammy, "hello", "1.0", "says hello"})
				w.publish()
				w.make(w.maker())
				w.push(pkg{jammy, "new", "1.0", "is new"})
				w.publish()
				late := w.take()
				var overtaken atomic.Bool
				w.bucket.Before("Swap", key, func() {
					if overtaken.CompareAndSwap(false, true) {
						change(w)
						w.publish()
						w.pass(time.Hour) // the lease of the late one has ended
						w.make(w.maker())
					}
				})
				failed, _, err := w.maker().Make(t.Context(), late)
				if err != nil || !overtaken.Load() {
					t.Fatalf("overtaken: %v; %v", overtaken.Load(), err)
				}
				if err := w.db.EndPages(t.Context(), late, failed, w.at()); !errors.Is(err, catalogdb.ErrPagesLost) {
					t.Errorf("the late one has ended: %v", err)
				}
				w.make(w.maker())
				got := w.pages()
				if diff := cmp.Diff(w.whole(), got); diff != "" {
					t.Errorf("pages (-from nothing +by two):\n%s", diff)
				}
			})
		}
	}
}

// take takes the pages that are due.
func (w *world) take() catalogdb.PageWork {
	w.t.Helper()
	if _, err := w.db.QueuePages(w.t.Context(), 100, w.at()); err != nil {
		w.t.Fatal(err)
	}
	work, taken, err := w.db.TakePages(w.t.Context(), tools, catalogdb.Lease{Owner: "slow", For: time.Minute}, 100, w.at())
	if err != nil || !taken {
		w.t.Fatalf("taken %v, %v", taken, err)
	}
	return work
}

// Two processes that make the same pages at the same time end in the pages of one.
func TestTwoMakersAtOnce(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h"} {
		w.push(pkg{jammy, name, "1.0", "x"}, pkg{el9, name, "2.0", "x"})
	}
	w.publish()
	work := w.take()
	w.bucket.Slow(3 * time.Millisecond)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if failed, _, err := w.maker().Make(t.Context(), work); err != nil || len(failed) > 0 {
				t.Errorf("%v, %v", err, failed)
			}
		})
	}
	both.Wait()
	w.bucket.Slow(1)
	if err := w.db.EndPages(t.Context(), work, nil, w.at()); err != nil {
		t.Fatal(err)
	}
	got := w.pages()
	if diff := cmp.Diff(w.whole(), got); diff != "" {
		t.Errorf("pages (-from nothing +by two):\n%s", diff)
	}
}
