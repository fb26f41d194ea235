package catalogdb_test

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// withPages makes a release with a package of which all pages are made.
func withPages(t *testing.T, db *catalogdb.DB) {
	t.Helper()
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "hello", "1"))
	publishLatest(t, db, start, jammy)
	checkRequested(t, db, "the first package", start, "hello +0s")
}

// comes pushes and publishes a version of hello, and queues its pages.
func comes(t *testing.T, db *catalogdb.DB, version string, now time.Time) {
	t.Helper()
	pushAll(t, db, deb(jammy, "hello", version))
	publishLatest(t, db, now, jammy)
	queuePages(t, db, 100, now)
}

// checkPagesBehind fails unless pages of these repositories are due.
func checkPagesBehind(t *testing.T, db *catalogdb.DB, fact string, now time.Time, want ...catalog.Repository) {
	t.Helper()
	got, err := db.PagesBehind(t.Context(), 9, now)
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%s: %v, behind (-want +got):\n%s", fact, err, diff)
	}
}

func pageState(t *testing.T, db *catalogdb.DB) catalogdb.PageState {
	t.Helper()
	states, err := db.PageStates(t.Context())
	if err != nil || len(states) == 0 {
		t.Fatal(states, err)
	}
	return states[len(states)-1]
}

func pagesAgain(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	comes(t, db, "3", seconds(2))
	w := takePages(t, db, seconds(3))
	arm := deb(jammy, "hello", "2")
	arm.Arch = "arm64"
	pushAll(t, db, arm)
	publishLatest(t, db, seconds(4), jammy)
	queuePages(t, db, 100, seconds(5))
	endPages(t, db, w, nil, seconds(6))
	checkRequested(t, db, "what came while its page was made", seconds(7), "hello 2 +4s")
	checkRequested(t, db, "it is made", seconds(8))
}

func pagesFail(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	comes(t, db, "3", seconds(1))
	now, delay := seconds(2), 10*time.Second
	for attempt := range 11 {
		w := takePages(t, db, now)
		n := 0
		failed := map[int64]string{}
		for _, r := range w.Requests {
			if r.Version == "2" && r.Attempts == attempt {
				failed[r.ID] = fmt.Sprint("fault ", attempt)
				n++
			}
		}
		if n != 1 || attempt > 0 && len(w.Requests) != 1 {
			t.Fatalf("attempt %d takes %+v", attempt, w.Requests)
		}
		endPages(t, db, w, failed, now)
		if s := pageState(t, db); s.Fault != fmt.Sprint("fault ", attempt) || s.Requests != 1 || s.Oldest == nil || !s.Oldest.Equal(seconds(1)) {
			t.Errorf("attempt %d: %+v", attempt, s)
		}
		checkPagesBehind(t, db, "before its next attempt", now.Add(delay-time.Millisecond))
		now = now.Add(delay)
		checkPagesBehind(t, db, "at its next attempt", now, tools)
		delay = min(2*delay, time.Hour)
	}
	endPages(t, db, takePages(t, db, now), map[int64]string{}, now)
	if s := pageState(t, db); s.Fault != "" || s.Requests != 0 || s.Oldest != nil {
		t.Errorf("in the end: %+v", s)
	}
}

// A request that failed is due at once if there is something else to show; it is a first attempt if it was made meantime.
func pagesFailAgain(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	fail := func(again bool, now time.Time) {
		t.Helper()
		w := takePages(t, db, now)
		if again {
			yankAll(t, db, selectorOf(deb(jammy, "hello", "2")))
			publishLatest(t, db, now, jammy)
			queuePages(t, db, 100, now)
		}
		endPages(t, db, w, map[int64]string{w.Requests[0].ID: "why"}, now)
	}
	fail(false, seconds(2))
	checkPagesBehind(t, db, "after an attempt", seconds(3))
	arm := deb(jammy, "hello", "2")
	arm.Arch = "arm64"
	pushAll(t, db, arm)
	publishLatest(t, db, seconds(4), jammy)
	queuePages(t, db, 100, seconds(4))
	checkPagesBehind(t, db, "it is asked for again", seconds(4), tools)
	fail(true, seconds(5))
	checkPagesBehind(t, db, "it was asked for in an attempt", seconds(6), tools)
	w := takePages(t, db, seconds(6))
	if diff := cmp.Diff([]string{"hello 2 +1s"}, requested(w)); diff != "" || w.Requests[0].Attempts != 2 {
		t.Errorf("took %+v", w.Requests)
	}
	endPages(t, db, w, nil, seconds(6))
	if s := pageState(t, db); s.Fault != "" {
		t.Errorf("in the end: %+v", s)
	}
}

func pagesLate(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	late := takePages(t, db, seconds(2))
	checkPagesBehind(t, db, "under a lease", seconds(3))
	if _, taken, err := db.TakePages(t.Context(), tools, lease, 9, seconds(61)); taken || err != nil {
		t.Errorf("taken under a lease: %t, %v", taken, err)
	}
	if kept, err := db.RenewPages(t.Context(), late, lease, seconds(10)); !kept || err != nil {
		t.Errorf("kept: %t, %v", kept, err)
	}
	checkPagesBehind(t, db, "under a lease that was extended", seconds(69))
	checkPagesBehind(t, db, "it has ended", seconds(70), tools)
	w := takePages(t, db, seconds(70))
	if kept, err := db.RenewPages(t.Context(), late, lease, seconds(71)); kept || err != nil {
		t.Errorf("kept what another process has: %t, %v", kept, err)
	}
	if err := db.EndPages(t.Context(), late, map[int64]string{late.Requests[0].ID: "why"}, seconds(71)); !errors.Is(err, catalogdb.ErrPagesLost) {
		t.Errorf("ended what another process has: %v", err)
	}
	if err := db.ReturnPages(t.Context(), late); err != nil {
		t.Error(err)
	}
	checkPagesBehind(t, db, "the other one has it still", seconds(72))
	if diff := cmp.Diff([]string{"hello 2 +1s"}, requested(w)); diff != "" || w.Token == late.Token {
		t.Errorf("the other one has %+v", w)
	}
	for range 2 { // a commit may go through unreported
		endPages(t, db, w, nil, seconds(73))
	}
	if kept, err := db.RenewPages(t.Context(), w, lease, seconds(74)); kept || err != nil {
		t.Errorf("kept what it has ended: %t, %v", kept, err)
	}
	if again := checkRequested(t, db, "the late one has asked for them once more", seconds(75), "hello 2 +71s"); !again.Front {
		t.Error("the front page is not asked for once more")
	}
	checkRequested(t, db, "in the end", seconds(76))
}

func pagesReturned(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	comes(t, db, "2", seconds(1))
	if err := db.ReturnPages(t.Context(), takePages(t, db, seconds(2))); err != nil {
		t.Fatal(err)
	}
	checkPagesBehind(t, db, "given back", seconds(2), tools)
	w := takePages(t, db, seconds(2))
	if diff := cmp.Diff([]string{"hello 2 +1s"}, requested(w)); diff != "" || w.Requests[0].Attempts != 0 {
		t.Errorf("took %+v", w)
	}
}

func pagesInOrder(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	inLab := jammy
	inLab.Repository = lab
	declare(t, db, inLab)
	queuePages(t, db, 9, seconds(1))
	checkPagesBehind(t, db, "a new repository has a front page", seconds(1), lab)
	w, taken, err := db.TakePages(t.Context(), lab, lease, 9, seconds(1))
	if err != nil || !taken || !w.Front || len(w.Requests) != 0 {
		t.Fatalf("took %+v, %t, %v", w, taken, err)
	}
	endPages(t, db, w, nil, seconds(1))
	if err := db.AskPages(t.Context(), []catalog.Repository{tools}, seconds(2)); err != nil {
		t.Fatal(err)
	}
	queuePages(t, db, 9, seconds(2))
	k := deb(inLab, "other", "1")
	pushAll(t, db, k)
	publishLatest(t, db, seconds(5), inLab)
	queuePages(t, db, 9, seconds(6))
	checkPagesBehind(t, db, "changes come before what was asked for as a whole", seconds(6), lab, tools)
	comes(t, db, "2", seconds(7))
	checkPagesBehind(t, db, "of changes the oldest comes first", seconds(7), lab, tools)
	w, _, err = db.TakePages(t.Context(), tools, lease, 1, seconds(8))
	if diff := cmp.Diff([]string{"hello 2 +7s"}, requested(w)); diff != "" || err != nil {
		t.Errorf("first %v (-want +got):\n%s", err, diff)
	}
	if got, err := db.PagesBehind(t.Context(), 1, seconds(8)); err != nil || len(got) != 1 || got[0] != lab {
		t.Errorf("the first one of them is %v, %v", got, err)
	}
	if _, taken, err := db.TakePages(t.Context(), catalog.Repository{Owner: "no", Name: "body"}, lease, 1, seconds(8)); taken || !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of an unknown repository: %t, %v", taken, err)
	}
}

func pagesConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	const packages = 40
	for i := range packages {
		pushAll(t, db, deb(jammy, fmt.Sprint("p", i), "1"))
	}
	publish(t, db, jammy, packages+1, start)
	var made sync.Map
	var takes atomic.Int32
	var wg sync.WaitGroup
	errs := make([]error, 3)
	for i := range errs {
		wg.Go(func() {
			for range 1000 {
				_, err := db.QueuePages(t.Context(), 7, start)
				if err != nil {
					errs[i] = err
					return
				}
				w, taken, err := db.TakePages(t.Context(), tools, lease, 5, start)
				if err == nil && taken {
					takes.Add(1)
					for _, r := range w.Requests {
						if _, twice := made.LoadOrStore(r.Name, i); twice {
							err = errors.Join(err, fmt.Errorf("%s was made twice", r.Name))
						}
					}
					err = errors.Join(err, db.EndPages(t.Context(), w, nil, start))
				}
				n := 0
				made.Range(func(any, any) bool { n++; return true })
				if errs[i] = err; err != nil || n == packages {
					return
				}
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	for i := range packages {
		if _, ok := made.Load(fmt.Sprint("p", i)); !ok {
			t.Errorf("p%d was not made", i)
		}
	}
}
