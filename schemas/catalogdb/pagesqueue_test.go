package catalogdb_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// queuePages calls QueuePages until nothing is left, limit rows at a time, and returns how often it did.
func queuePages(t *testing.T, db *catalogdb.DB, limit int, now time.Time) (calls int) {
	t.Helper()
	for calls < 100 {
		calls++
		n, err := db.QueuePages(t.Context(), limit, now)
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			return calls
		}
	}
	t.Fatal("QueuePages finds no end")
	return 0
}

// takePages takes all pages of tools, which must be free and due.
func takePages(t *testing.T, db *catalogdb.DB, now time.Time) catalogdb.PageWork {
	t.Helper()
	w, taken, err := db.TakePages(t.Context(), tools, lease, 100, now)
	if err != nil || !taken {
		t.Fatalf("taken: %t, %v", taken, err)
	}
	return w
}

// requested returns "name version", and how many seconds after the start each change was seen; whole requests are marked by nothing.
func requested(w catalogdb.PageWork) (all []string) {
	for _, r := range w.Requests {
		all = append(all, strings.TrimSpace(r.Name+" "+r.Version)+fmt.Sprintf(" +%ds", int(r.At.Sub(start).Seconds())))
	}
	return all
}

// checkRequested queues what there is, fails unless these are the requests, and ends them.
func checkRequested(t *testing.T, db *catalogdb.DB, fact string, now time.Time, want ...string) catalogdb.PageWork {
	t.Helper()
	queuePages(t, db, 100, now)
	w, taken, err := db.TakePages(t.Context(), tools, lease, 100, now)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, requested(w)); diff != "" {
		t.Errorf("%s: requests (-want +got):\n%s", fact, diff)
	}
	if taken {
		endPages(t, db, w, nil, now)
	}
	return w
}

func endPages(t *testing.T, db *catalogdb.DB, w catalogdb.PageWork, failed map[int64]string, now time.Time) {
	t.Helper()
	if err := db.EndPages(t.Context(), w, failed, now); err != nil {
		t.Fatal(err)
	}
}

// publishLatest publishes the latest revision of releases.
func publishLatest(t *testing.T, db *catalogdb.DB, now time.Time, releases ...catalog.Release) {
	t.Helper()
	for _, r := range releases {
		publish(t, db, r, stateOf(t, db, r).Revision.Number, now)
	}
}

func seconds(n int) time.Time { return after(time.Duration(n) * time.Second) }

func pagesOfPublished(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "bye", "1"), deb(jammy, "hello", "1"))
	checkRequested(t, db, "before anything is published", seconds(1))
	publish(t, db, jammy, 3, seconds(2))
	checkRequested(t, db, "the first publication", seconds(9), "bye +2s", "hello +2s")
	checkRequested(t, db, "nothing since", seconds(9))

	pushAll(t, db, deb(jammy, "hello", "2"))
	checkRequested(t, db, "before it is published", seconds(10))
	publish(t, db, jammy, 4, seconds(11))
	arm := deb(jammy, "hello", "3")
	arm.Arch = "arm64"
	pushAll(t, db, deb(jammy, "hello", "3"), arm)
	checkRequested(t, db, "a version came", seconds(12), "hello 2 +11s")
	publish(t, db, jammy, 5, seconds(13))
	publish(t, db, jammy, 6, seconds(14))
	checkRequested(t, db, "the packages of a version are one request, as old as the first", seconds(15), "hello 3 +13s")

	yankAll(t, db, selectorOf(deb(jammy, "bye", "1")))
	checkRequested(t, db, "a withdrawal that clients do not see", seconds(16))
	publish(t, db, jammy, 7, seconds(17))
	checkRequested(t, db, "a withdrawal", seconds(18), "bye 1 +17s")
	if n := queuePages(t, db, 1, seconds(19)); n != 1 {
		t.Errorf("with nothing to do, it took %d calls", n)
	}
}

func pagesInParts(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	publish(t, db, jammy, 1, start)
	checkRequested(t, db, "an empty release", start)
	var stored []catalogdb.Stored
	var want []string
	for i := range 7 { // with one revision
		k := deb(jammy, fmt.Sprint("p", i), "1")
		stored = append(stored, store(t, db, k, "1"))
		want = append(want, k.Name+" 1 +1s")
	}
	activate(t, db, stored...)
	pushAll(t, db, deb(jammy, "q", "1"), deb(jammy, "r", "1"))
	yankAll(t, db, selectorOf(deb(jammy, "q", "1"))) // before it was seen
	publishLatest(t, db, seconds(1), jammy)
	total := 0
	for _, n := range []int{3, 3, 2, 0} { // each call is one transaction, and the next may be that of another process
		got, err := db.QueuePages(t.Context(), 3, seconds(2))
		if err != nil || got != n {
			t.Errorf("after %d, queued %d, %v; want %d", total, got, err, n)
		}
		total += got
		states, err := db.PageStates(t.Context())
		if err != nil || len(states) != 1 || states[0].Requests != total {
			t.Errorf("after %d: %+v, %v", total, states, err)
		}
	}
	checkRequested(t, db, "in the order of revisions", seconds(2), append(want, "r 1 +1s")...)
}

func pagesOfNames(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for i := range 5 {
		pushAll(t, db, deb(jammy, fmt.Sprint("p", i), "1"), deb(jammy, fmt.Sprint("p", i), "2"))
	}
	claim(t, db, deb(jammy, "p9", "1")) // no client sees it
	publishLatest(t, db, seconds(1), jammy)
	for i, n := range []int{3, 2, 2, 0} { // the first call also asks for the front page; one name is not seen
		got, err := db.QueuePages(t.Context(), 2, seconds(2))
		if err != nil || got != n {
			t.Errorf("call %d: queued %d, %v; want %d", i, got, err, n)
		}
		if i == 0 { // while its names are queued
			pushAll(t, db, deb(jammy, "p0", "3"))
		}
	}
	publishLatest(t, db, seconds(3), jammy)
	checkRequested(t, db, "names, and what came since", seconds(4), "p0 +1s", "p1 +1s", "p2 +1s", "p3 +1s", "p4 +1s", "p0 3 +3s")
}

func pagesOfRPM(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	arm, sources := in(el9, "aarch64"), in(el9, "SRPMS")
	publishLatest(t, db, start, el9, arm, sources)
	checkRequested(t, db, "empty releases", start)
	pushAll(t, db, rpm(el9, "any", "1-1", "noarch"))
	if err := push(t, db, bothX86("both"), "x86_64"); err != nil {
		t.Fatal(err)
	}
	publishLatest(t, db, seconds(1), el9)
	checkRequested(t, db, "one of the directories", seconds(2), "any 1-1 +1s", "both 1-1 +1s")
	publishLatest(t, db, seconds(3), arm, sources)
	checkRequested(t, db, "another one", seconds(4), "any 1-1 +3s")

	declare(t, db, el9, "i386") // its rows have no revision
	checkRequested(t, db, "a directory that is not published", seconds(5))
	publishLatest(t, db, seconds(6), in(el9, "i386"))
	checkRequested(t, db, "a new directory shows what was there", seconds(7), "any +6s", "both +6s")

	pushAll(t, db, rpm(el9, "src", "1-1", "src"))
	publishLatest(t, db, seconds(8), sources)
	checkRequested(t, db, "a source package", seconds(9), "src 1-1 +8s")
	removeArch(t, db, el9, "i386", true)
	checkRequested(t, db, "a directory that went", seconds(10), "any +10s", "both +10s")
	checkRequested(t, db, "it went once", seconds(11))
	declare(t, db, el9, "i386")
	checkRequested(t, db, "it comes again, and is not published", seconds(12))
	publishLatest(t, db, seconds(13), in(el9, "i386"))
	checkRequested(t, db, "it is there again", seconds(14), "any +14s", "both +14s")
}

func pagesOfImported(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	pushAll(t, db, deb(jammy, "here", "1"))
	publishLatest(t, db, seconds(1), jammy)
	checkRequested(t, db, "before", seconds(1), "here +1s")
	declare(t, db, noble)
	pushAll(t, db, deb(noble, "a", "1"), deb(noble, "b", "1"))
	publishLatest(t, db, seconds(2), noble)
	if n, err := db.QueuePages(t.Context(), 1, seconds(2)); err != nil || n == 0 {
		t.Fatal(n, err)
	}
	raise(t, db, noble)
	recoverAll(t, db, noble, deb(noble, "c", "1")) // while its names are queued
	checkRequested(t, db, "names that were there", seconds(2), "a +2s", "b +2s", "c +2s")
	publishLatest(t, db, seconds(2), noble)
	checkRequested(t, db, "all of them", seconds(2), "a +2s", "b +2s", "c +2s")

	recoverAll(t, db, jammy, deb(jammy, "lost", "1"), withdrawn(deb(jammy, "gone", "1")))
	checkRequested(t, db, "before a revision of this catalog is published", seconds(2))
	publishLatest(t, db, seconds(3), jammy)
	checkRequested(t, db, "all that it shows", seconds(4), "gone +4s", "here +4s", "lost +4s")
	raise(t, db, jammy)
	publishLatest(t, db, seconds(5), jammy)
	if w := checkRequested(t, db, "another revision of the same rows", seconds(6)); !w.Front {
		t.Error("the front page does not get the revision")
	}
}

// A package that clients see, which is withdrawn, brought back and withdrawn again before a publish, counts as gone before it
// was seen. Its page has it still.
func pagesOfUnseen(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	publishLatest(t, db, seconds(1), jammy)
	checkRequested(t, db, "it came", seconds(1), "hello +1s")
	yankAll(t, db, selectorOf(hello))
	if _, err := db.Unyank(t.Context(), selectorOf(hello), seconds(2)); err != nil {
		t.Fatal(err)
	}
	yankAll(t, db, selectorOf(hello))
	publishLatest(t, db, seconds(3), jammy)
	checkRequested(t, db, "it went", seconds(4), "hello 1 +3s")
}

func pagesOfDeleted(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	yankAll(t, db, selectorOf(hello))
	publishLatest(t, db, seconds(1), jammy)
	checkRequested(t, db, "it went", seconds(1), "hello +1s")
	if err := db.Removing(t.Context(), hello); err != nil {
		t.Fatal(err)
	}
	checkRequested(t, db, "its file is about to be deleted", seconds(2))
	before, err := db.Clock(t.Context())
	if err == nil {
		err = db.Removed(t.Context(), hello)
	}
	if err != nil {
		t.Fatal(err)
	}
	w := takePages(t, db, before.Add(time.Minute)) // nothing is queued: it was asked for in that transaction
	if len(w.Requests) != 1 || w.Requests[0].Name != "hello" || w.Requests[0].Version != "1" || w.Requests[0].At.Before(before.Truncate(time.Millisecond)) {
		t.Errorf("took %+v, want hello 1 of %v", w, before)
	}
}

func pagesOfEvicted(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	contrib := deb(jammy, "hello", "1")
	contrib.Component = "contrib"
	if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: "contrib"}, start); err != nil {
		t.Fatal(err)
	}
	pushAll(t, db, contrib)
	publishLatest(t, db, seconds(1), jammy)
	checkRequested(t, db, "it came", seconds(1), "hello +1s")
	recoverAll(t, db, jammy, other(deb(jammy, "hello", "1")))
	checkRequested(t, db, "its bytes were never published", seconds(2), "hello 1 +3600s")
}
