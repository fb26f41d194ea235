package catalogdb_test

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

var (
	plainReindex = catalogdb.ReindexRequest{Source: catalogdb.FromRows, By: "jo"}
	worker       = catalogdb.Lease{Owner: "worker", For: time.Minute}
	otherWorker  = catalogdb.Lease{Owner: "other", For: time.Minute}
)

// askReindex asks for a reindex that must be granted, and returns its number.
func askReindex(t *testing.T, db *catalogdb.DB, r catalog.Release, want catalogdb.ReindexRequest, at time.Time) int64 {
	t.Helper()
	numbers, err := db.AskReindex(t.Context(), []catalog.Release{r}, want, catalogdb.Lease{}, at)
	if err != nil || len(numbers) != 1 {
		t.Fatalf("ask for %s: %v, %v", r, numbers, err)
	}
	return numbers[r]
}

// takeReindex takes a reindex that must be free.
func takeReindex(t *testing.T, db *catalogdb.DB, r catalog.Release, l catalogdb.Lease, at time.Time) catalogdb.Reindex {
	t.Helper()
	x, taken, err := db.TakeReindex(t.Context(), r, l, at)
	if err != nil || !taken {
		t.Fatalf("take %s: %t, %v", r, taken, err)
	}
	return x
}

// checkEnd ends a reindex, and checks whether that is recorded.
func checkEnd(t *testing.T, db *catalogdb.DB, x catalogdb.Reindex, o catalogdb.ReindexOutcome, at time.Time, want bool) {
	t.Helper()
	if recorded, err := db.EndReindex(t.Context(), x, o, []byte(`{}`), at); err != nil || recorded != want {
		t.Errorf("end of %s: recorded %t, %v; want %t", x.Release, recorded, err, want)
	}
}

// reindexOf returns the latest reindex of a release.
func reindexOf(t *testing.T, db *catalogdb.DB, r catalog.Release) catalogdb.Reindex {
	t.Helper()
	all, err := db.Reindexes(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Release == r {
			return x
		}
	}
	t.Fatalf("%s has no reindex among %+v", r, all)
	return catalogdb.Reindex{}
}

// checkBehind checks which reindexes wait for a process.
func checkBehind(t *testing.T, db *catalogdb.DB, at time.Time, want ...catalog.Release) {
	t.Helper()
	got, err := db.ReindexesBehind(t.Context(), 10, at)
	if diff := cmp.Diff(want, got); err != nil || len(want)+len(got) > 0 && diff != "" {
		t.Errorf("waiting: %v (-want +got):\n%s", err, diff)
	}
}

func reindexEnds(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	numbers, err := db.AskReindex(t.Context(), []catalog.Release{noble, jammy, in(el9, "none")}, plainReindex, catalogdb.Lease{}, start)
	if diff := cmp.Diff(map[catalog.Release]int64{jammy: 1, noble: 1}, numbers); err != nil || diff != "" {
		t.Errorf("asked: %v (-want +got):\n%s", err, diff)
	}
	checkBehind(t, db, start, jammy, noble)
	x := takeReindex(t, db, jammy, worker, start)
	checkBehind(t, db, start, noble)
	if kept, err := db.RenewReindex(t.Context(), x, worker, 7, after(time.Second)); err != nil || !kept {
		t.Errorf("kept %t, %v", kept, err)
	}
	if got := reindexOf(t, db, jammy); !got.Pending() || got.Owner != "worker" || got.Rendered != 7 || got.Until != after(time.Minute+time.Second) {
		t.Errorf("at work: %+v", got)
	}
	if recorded, err := db.EndReindex(t.Context(), x, catalogdb.OutcomePublished, []byte(`{"packages":7}`), after(2*time.Second)); err != nil || !recorded {
		t.Errorf("recorded %t, %v", recorded, err)
	}
	finished := after(2 * time.Second)
	want := catalogdb.Reindex{
		Release: jammy, Number: 1, Done: 1, Request: plainReindex, Renderer: layout.Renderer, Asked: start, Until: after(time.Minute + time.Second), Rendered: 7,
		Outcome: catalogdb.OutcomePublished, Result: []byte(`{"packages":7}`), Finished: &finished,
	}
	if diff := cmp.Diff(want, reindexOf(t, db, jammy)); diff != "" {
		t.Errorf("ended (-want +got):\n%s", diff)
	}
	if _, taken, err := db.TakeReindex(t.Context(), jammy, worker, after(time.Hour)); err != nil || taken {
		t.Errorf("taken after its end: %t, %v", taken, err)
	}
	if n := askReindex(t, db, jammy, plainReindex, after(time.Hour)); n != 2 {
		t.Errorf("the next has number %d, want 2", n)
	}
}

// Requests of one kind are one reindex until a process works on it. Then the rows may have been read already.
func reindexJoined(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	if a, b := askReindex(t, db, jammy, plainReindex, start), askReindex(t, db, jammy, plainReindex, start); a != 1 || b != 1 {
		t.Errorf("asked twice, they have numbers %d and %d", a, b)
	}
	x := takeReindex(t, db, jammy, worker, start)
	if n := askReindex(t, db, jammy, plainReindex, start); n != 2 {
		t.Errorf("asked while one is at work, it has number %d, want 2", n)
	}
	checkEnd(t, db, x, catalogdb.OutcomeIdentical, start, true)
	if got := reindexOf(t, db, jammy); got.Done != 1 || !got.Pending() {
		t.Errorf("after the end of the first: %+v", got)
	}
	checkBehind(t, db, start, jammy)
	checkEnd(t, db, takeReindex(t, db, jammy, otherWorker, start), catalogdb.OutcomeIdentical, start, true)
	checkBehind(t, db, start)

	askReindex(t, db, jammy, plainReindex, start)
	for _, want := range []catalogdb.ReindexRequest{{Source: catalogdb.FromPublished}, {Source: catalogdb.FromRows, Repair: true}} {
		_, err := db.AskReindex(t.Context(), []catalog.Release{jammy}, want, catalogdb.Lease{}, start)
		const says = `: reindex of acme/tools/ubuntu/jammy, asked for by "jo" at 2026-08-01T12:00:00Z; wait for it, or end it with repomill reindex cancel acme/tools/ubuntu/jammy`
		if !errors.Is(err, catalogdb.ErrReindexing) || !strings.HasSuffix(err.Error(), says) {
			t.Errorf("%s beside another: %v", want, err)
		}
	}
}

func reindexContinued(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	askReindex(t, db, jammy, plainReindex, start)
	x := takeReindex(t, db, jammy, worker, start)
	if _, taken, err := db.TakeReindex(t.Context(), jammy, otherWorker, after(59*time.Second)); err != nil || taken {
		t.Errorf("taken from a process at work: %t, %v", taken, err)
	}
	checkBehind(t, db, after(time.Minute), jammy) // its process is silent
	y := takeReindex(t, db, jammy, otherWorker, after(time.Minute))
	if kept, err := db.RenewReindex(t.Context(), x, worker, 1, after(time.Minute)); err != nil || kept {
		t.Errorf("kept by the first: %t, %v", kept, err)
	}
	checkEnd(t, db, x, catalogdb.OutcomeFailed, after(time.Minute), false)
	for range 2 { // in good order, which does not count
		if err := db.ReturnReindex(t.Context(), y); err != nil {
			t.Error(err)
		}
	}
	checkBehind(t, db, after(time.Minute), jammy)
	if z := takeReindex(t, db, jammy, worker, after(time.Minute)); z.Attempts != 2 {
		t.Errorf("it is attempt %d, want 2: one that was killed, and this one", z.Attempts)
	}
}

func reindexPoison(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	askReindex(t, db, jammy, plainReindex, start)
	at := start
	for range catalogdb.MaxAttempts {
		takeReindex(t, db, jammy, worker, at)
		at = at.Add(time.Hour)
	}
	if _, taken, err := db.TakeReindex(t.Context(), jammy, worker, at); err != nil || taken {
		t.Errorf("taken once more: %t, %v", taken, err)
	}
	if got := reindexOf(t, db, jammy); got.Pending() || got.Outcome != catalogdb.OutcomeFailed || !strings.Contains(string(got.Result), "5 processes ended") {
		t.Errorf("after all attempts: %+v", got)
	}
	checkFailedReindexes(t, db, 1)
	askReindex(t, db, jammy, plainReindex, at) // another attempt, which has not failed
	checkFailedReindexes(t, db, 0)
	checkEnd(t, db, takeReindex(t, db, jammy, worker, at), catalogdb.OutcomeFailed, at, true)
	checkFailedReindexes(t, db, 1)
	askReindex(t, db, jammy, plainReindex, at)
	checkEnd(t, db, takeReindex(t, db, jammy, worker, at), catalogdb.OutcomePublished, at, true)
	checkFailedReindexes(t, db, 0)
}

// checkFailedReindexes checks of how many releases the latest reindex failed.
func checkFailedReindexes(t *testing.T, db *catalogdb.DB, want int) {
	t.Helper()
	if n, err := db.CountFailedReindexes(t.Context()); err != nil || n != want {
		t.Errorf("%d reindexes failed, %v; want %d", n, err, want)
	}
}

func reindexCancelled(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	askReindex(t, db, jammy, plainReindex, start)
	x := takeReindex(t, db, jammy, worker, start)
	cancelled, err := db.CancelReindexes(t.Context(), []catalog.Release{jammy, noble}, after(time.Second))
	if diff := cmp.Diff([]catalog.Release{jammy}, cancelled); err != nil || diff != "" {
		t.Errorf("cancelled: %v (-want +got):\n%s", err, diff)
	}
	if kept, err := db.RenewReindex(t.Context(), x, worker, 1, after(time.Second)); err != nil || kept {
		t.Errorf("kept: %t, %v", kept, err)
	}
	askReindex(t, db, jammy, plainReindex, after(time.Second)) // it begins from the start
	takeReindex(t, db, jammy, worker, after(time.Second))
	checkEnd(t, db, x, catalogdb.OutcomeIdentical, after(time.Second), false)
	if got := reindexOf(t, db, jammy); got.Outcome != catalogdb.OutcomeCancelled || !got.Pending() {
		t.Errorf("cancelled, and asked for again: %+v", got)
	}
}

// The caller of a request may work on it: others leave it alone for a while.
func reindexReserved(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	ask := func() map[catalog.Release]int64 {
		numbers, err := db.AskReindex(t.Context(), []catalog.Release{jammy, noble}, plainReindex, worker, start)
		if err != nil {
			t.Fatal(err)
		}
		return numbers
	}
	if diff := cmp.Diff(ask(), ask()); diff != "" {
		t.Errorf("asked twice, as after a commit that went through unreported:\n%s", diff)
	}
	checkBehind(t, db, after(time.Second))
	if kept, err := db.RenewReindexes(t.Context(), worker, after(50*time.Second)); err != nil || kept != 2 {
		t.Errorf("%d are kept, %v; want 2", kept, err)
	}
	checkBehind(t, db, after(100*time.Second))
	checkEnd(t, db, takeReindex(t, db, jammy, worker, after(100*time.Second)), catalogdb.OutcomeIdentical, after(100*time.Second), true)
	if kept, err := db.RenewReindexes(t.Context(), worker, after(100*time.Second)); err != nil || kept != 1 {
		t.Errorf("%d are kept, %v; want 1", kept, err)
	}
	checkBehind(t, db, after(time.Hour), noble)
}

// One of those that take it at the same time has it.
func reindexConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	var wg sync.WaitGroup
	taken, errs := make([]bool, 8), make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			owner := catalogdb.Lease{Owner: string(rune('a' + i)), For: time.Minute}
			_, errs[i] = db.AskReindex(t.Context(), []catalog.Release{jammy}, plainReindex, catalogdb.Lease{}, start)
			if errs[i] == nil {
				_, taken[i], errs[i] = db.TakeReindex(t.Context(), jammy, owner, start)
			}
		})
	}
	wg.Wait()
	n := 0
	for i, err := range errs {
		if err != nil {
			t.Error(err)
		}
		if taken[i] {
			n++
		}
	}
	if n != 1 {
		t.Errorf("%d processes have it, want 1", n)
	}
}

// alter changes rows as another version of the program may.
func alter(t *testing.T, db *catalogdb.DB, statement string) {
	t.Helper()
	if err := db.Exec(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}

// rendered asks for reindexes of what an earlier version rendered, and checks how many those are.
func rendered(t *testing.T, db *catalogdb.DB, at time.Time, want int) {
	t.Helper()
	if n, err := db.AskReindexOfRendered(t.Context(), 10, at); err != nil || n != want {
		t.Errorf("%d releases are to be rendered again, %v; want %d", n, err, want)
	}
}

func reindexOfRendered(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	publish(t, db, jammy, 1, start)
	rendered(t, db, start, 0)
	alter(t, db, `UPDATE releases SET renderer = 0`) // noble is not published yet
	rendered(t, db, start, 1)
	rendered(t, db, start, 0) // it is asked for
	checkEnd(t, db, takeReindex(t, db, jammy, worker, start), catalogdb.OutcomeFailed, start, true)
	rendered(t, db, after(time.Minute), 0)
	rendered(t, db, after(2*time.Hour), 1)
	checkEnd(t, db, takeReindex(t, db, jammy, worker, after(2*time.Hour)), catalogdb.OutcomeIdentical, after(2*time.Hour), true)
	rendered(t, db, after(9*time.Hour), 0)
}

func reindexByLaterVersion(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	askReindex(t, db, jammy, plainReindex, start)
	alter(t, db, `UPDATE reindexes SET renderer = 99`)
	checkBehind(t, db, start)
	if _, taken, err := db.TakeReindex(t.Context(), jammy, worker, start); err != nil || taken {
		t.Errorf("taken: %t, %v", taken, err)
	}
	if got := reindexOf(t, db, jammy).State(start); got != "waiting for a worker of a later version" {
		t.Errorf("it is %q", got)
	}
}
