package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// startReindex starts a run that must start, and returns the names of the releases that are left in it.
func startReindex(t *testing.T, db *catalogdb.DB, at time.Time, selection []string, releases ...catalog.Release) (catalogdb.ReindexRun, []catalog.Release) {
	t.Helper()
	run, left, err := db.StartReindex(t.Context(), selection, "rows", "release-bot", releases, at)
	if err != nil {
		t.Fatal(err)
	}
	return run, left
}

// endReindex ends a run, and checks what it is then.
func endReindex(t *testing.T, db *catalogdb.DB, run catalogdb.ReindexRun, state catalogdb.ReindexState, at time.Time, want catalogdb.ReindexState) {
	t.Helper()
	if is, err := db.FinishReindex(t.Context(), run, state, at); err != nil || is.State != want {
		t.Errorf("ended as %q, run %d is %q, %v, want %q", state, run.ID, is.State, err, want)
	}
}

func outcome(t *testing.T, db *catalogdb.DB, run catalogdb.ReindexRun, r catalog.Release, o catalogdb.ReindexOutcome) {
	t.Helper()
	if err := db.RecordReindexed(t.Context(), run.ID, r, o, "detail of "+r.String(), start); err != nil {
		t.Fatal(err)
	}
}

// reindexRun returns a run as it is listed.
func reindexRun(t *testing.T, db *catalogdb.DB, id int64, now time.Time) catalogdb.ReindexRun {
	t.Helper()
	runs, err := db.ReindexRuns(t.Context(), 100, now)
	if err != nil {
		t.Fatal(err)
	}
	for _, run := range runs {
		if run.ID == id {
			return run
		}
	}
	t.Fatalf("run %d is not among %+v", id, runs)
	return catalogdb.ReindexRun{}
}

func checkReindexState(t *testing.T, db *catalogdb.DB, run catalogdb.ReindexRun, now time.Time, want catalogdb.ReindexState) {
	t.Helper()
	if got := reindexRun(t, db, run.ID, now).State; got != want {
		t.Errorf("run %d is %q, want %q", run.ID, got, want)
	}
}

func reindexEnds(t *testing.T, db *catalogdb.DB) {
	run, left := startReindex(t, db, start, []string{"acme/tools/ubuntu/noble", "acme/tools/ubuntu/jammy"}, noble, jammy)
	if diff := cmp.Diff([]catalog.Release{jammy, noble}, left); diff != "" {
		t.Errorf("left (-want +got):\n%s", diff)
	}
	outcome(t, db, run, jammy, catalogdb.OutcomeIdentical)
	outcome(t, db, run, noble, catalogdb.OutcomeFailed)
	endReindex(t, db, run, catalogdb.ReindexFailed, after(time.Second), catalogdb.ReindexFailed)
	endReindex(t, db, run, catalogdb.ReindexFailed, after(time.Minute), catalogdb.ReindexFailed)
	finished := after(time.Second)
	want := catalogdb.ReindexRun{
		ID: run.ID, Selection: []string{"acme/tools/ubuntu/jammy", "acme/tools/ubuntu/noble"}, Source: "rows", State: catalogdb.ReindexFailed, By: "release-bot",
		Holder: run.Holder, Started: start, Seen: start, Finished: &finished, Counts: catalogdb.OutcomeCount{Identical: 1, Failed: 1},
	}
	if diff := cmp.Diff(want, reindexRun(t, db, run.ID, after(time.Hour))); diff != "" {
		t.Errorf("run (-want +got):\n%s", diff)
	}
	releases, err := db.ReindexReleases(t.Context(), run.ID)
	if err != nil || len(releases) != 2 || releases[1].Release != noble.String() || releases[1].Outcome != catalogdb.OutcomeFailed || releases[1].Detail != "detail of "+noble.String() {
		t.Errorf("releases %+v, %v", releases, err)
	}
	if again, left := startReindex(t, db, after(time.Minute), run.Selection, jammy, noble); again.ID == run.ID || len(left) != 2 {
		t.Errorf("after its end it is run %d again, with %v left", again.ID, left)
	}
}

func reindexRefused(t *testing.T, db *catalogdb.DB) {
	run, _ := startReindex(t, db, start, nil, jammy)
	_, _, err := db.StartReindex(t.Context(), nil, "rows", "other", []catalog.Release{jammy}, after(50*time.Second))
	want := fmt.Sprintf("the same reindex is going on already: run %d, started by release-bot at 2026-08-01T12:00:00Z; wait for it, or end it with repomill reindex cancel %[1]d; "+
		"if its process was killed, the same command continues it after 2026-08-01T12:01:00Z", run.ID)
	if !errors.Is(err, catalogdb.ErrReindexing) || err.Error() != want {
		t.Errorf("the second is told %v, want %s", err, want)
	}
	if _, _, err := db.StartReindex(t.Context(), nil, "published", "other", []catalog.Release{jammy}, start); err != nil {
		t.Errorf("another source: %v", err)
	}
	if _, _, err := db.StartReindex(t.Context(), []string{"acme/tools"}, "rows", "other", []catalog.Release{jammy}, start); err != nil {
		t.Errorf("another selection: %v", err)
	}
	if run, err = db.TouchReindex(t.Context(), run, after(50*time.Second)); err != nil || run.State != catalogdb.ReindexRunning {
		t.Fatalf("touched: %+v, %v", run, err)
	}
	if _, _, err := db.StartReindex(t.Context(), nil, "rows", "other", []catalog.Release{jammy}, after(100*time.Second)); !errors.Is(err, catalogdb.ErrReindexing) {
		t.Errorf("after a sign of life: %v", err)
	}
}

// A run is taken up again whether its process said that it was interrupted, or was killed.
func reindexContinued(t *testing.T, db *catalogdb.DB) {
	for _, said := range []bool{true, false} {
		all := []string{map[bool]string{true: "acme/said", false: "acme/killed"}[said]}
		run, _ := startReindex(t, db, start, all, jammy, noble, el9)
		outcome(t, db, run, jammy, catalogdb.OutcomePublished)
		outcome(t, db, run, noble, catalogdb.OutcomeFailed)
		later := after(2 * time.Minute)
		if said {
			endReindex(t, db, run, catalogdb.ReindexInterrupted, start, catalogdb.ReindexInterrupted)
			later = after(time.Second)
		}
		checkReindexState(t, db, run, later, catalogdb.ReindexInterrupted)
		source := in(el9, "SRPMS")
		again, left := startReindex(t, db, later, all, jammy, noble, el9, source)
		if diff := cmp.Diff([]catalog.Release{source, el9, noble}, left); diff != "" || again.ID != run.ID || again.Counts.Published != 1 {
			t.Errorf("said %t: run %d goes on as %+v; left (-want +got):\n%s", said, run.ID, again, diff)
		}
		checkReindexState(t, db, run, later, catalogdb.ReindexRunning)

		// The process that was silent wakes up: the run is not its own any more.
		if is, err := db.TouchReindex(t.Context(), run, later.Add(time.Second)); err != nil || is.State != catalogdb.ReindexInterrupted {
			t.Errorf("said %t: the old process may go on: %+v, %v", said, is, err)
		}
		endReindex(t, db, run, catalogdb.ReindexFailed, later, catalogdb.ReindexRunning)
		checkReindexState(t, db, run, later, catalogdb.ReindexRunning)
		endReindex(t, db, again, catalogdb.ReindexDone, later, catalogdb.ReindexDone)
		checkReindexState(t, db, run, later, catalogdb.ReindexDone)
	}
}

func reindexTooOld(t *testing.T, db *catalogdb.DB) {
	old, _ := startReindex(t, db, start, nil, jammy, noble)
	outcome(t, db, old, jammy, catalogdb.OutcomePublished)
	run, left := startReindex(t, db, after(25*time.Hour), nil, jammy, noble)
	if run.ID == old.ID || len(left) != 2 {
		t.Errorf("run %d of yesterday goes on as %d, with %v left", old.ID, run.ID, left)
	}
}

// A process that ended between its last release and the end of the run leaves nothing to be continued: the
// run is over, before another begins and after.
func reindexNothingLeft(t *testing.T, db *catalogdb.DB) {
	for last, want := range map[catalogdb.ReindexOutcome]catalogdb.ReindexState{
		catalogdb.OutcomeIdentical: catalogdb.ReindexDone, catalogdb.OutcomeFailed: catalogdb.ReindexFailed,
	} {
		selection := []string{"acme/" + string(last)}
		old, _ := startReindex(t, db, start, selection, jammy)
		outcome(t, db, old, jammy, last)
		later := after(2 * time.Minute)
		checkReindexState(t, db, old, after(time.Second), catalogdb.ReindexRunning)
		checkReindexState(t, db, old, later, want)
		run, left := startReindex(t, db, later, selection, jammy)
		if run.ID == old.ID || len(left) != 1 {
			t.Errorf("%s: run %d, of which nothing is left, goes on as %d with %v", last, old.ID, run.ID, left)
		}
		if got := reindexRun(t, db, old.ID, start); got.State != want || got.Finished == nil || !got.Finished.Equal(start) {
			t.Errorf("%s: the old run is %+v, want it %s since %s", last, got, want, start)
		}
		if was, err := db.CancelReindex(t.Context(), old.ID, later); err != nil || was.State != want {
			t.Errorf("%s: cancelled, it was %+v, %v", last, was, err)
		}
	}
}

// The answer to a sign of life does not come: the process knows of an older one than the catalog.
func reindexTouchedUnheard(t *testing.T, db *catalogdb.DB) {
	run, _ := startReindex(t, db, start, nil, jammy)
	for _, at := range []time.Duration{2 * time.Second, 14 * time.Second, time.Hour} {
		if is, err := db.TouchReindex(t.Context(), run, after(at)); err != nil || is.State != catalogdb.ReindexRunning || !is.Seen.Equal(after(at)) {
			t.Errorf("after %s, with nobody else: %+v, %v", at, is, err)
		}
	}
	endReindex(t, db, run, catalogdb.ReindexDone, after(time.Hour), catalogdb.ReindexDone)
}

func reindexCancelled(t *testing.T, db *catalogdb.DB) {
	run, _ := startReindex(t, db, start, nil, jammy)
	was, err := db.CancelReindex(t.Context(), run.ID, start)
	if err != nil || was.State != catalogdb.ReindexRunning {
		t.Errorf("cancelled %+v, %v", was, err)
	}
	if is, err := db.TouchReindex(t.Context(), run, after(time.Second)); err != nil || is.State != catalogdb.ReindexCancelled {
		t.Errorf("its process sees %+v, %v", is, err)
	}
	endReindex(t, db, run, catalogdb.ReindexDone, after(time.Second), catalogdb.ReindexCancelled)
	checkReindexState(t, db, run, after(time.Second), catalogdb.ReindexCancelled)
	if was, err := db.CancelReindex(t.Context(), run.ID, after(time.Hour)); err != nil || was.State != catalogdb.ReindexCancelled {
		t.Errorf("cancelled again: %+v, %v", was, err)
	}
	again, _ := startReindex(t, db, after(time.Second), nil, jammy)
	if again.ID == run.ID {
		t.Error("a cancelled run goes on")
	}
	if _, err := db.CancelReindex(t.Context(), 4711, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("an unknown run: %v", err)
	}
	if _, err := db.ReindexReleases(t.Context(), 4711); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("releases of an unknown run: %v", err)
	}
}

// More releases than fit into one statement.
func reindexMany(t *testing.T, db *catalogdb.DB) {
	var all []catalog.Release
	for i := range 450 {
		r := el9
		r.Repository.Name = strings.Repeat("x", i%50+1)
		r.Arch = "a" + strings.Repeat("b", i/50)
		all = append(all, r)
	}
	run, left := startReindex(t, db, start, nil, append(all, all[0])...)
	if len(left) != len(all) || reindexRun(t, db, run.ID, start).Counts.Waiting != len(all) {
		t.Errorf("%d are left, want %d", len(left), len(all))
	}
	if err := db.RecordReindexed(t.Context(), run.ID, all[0], catalogdb.OutcomeFailed, strings.Repeat("ä", 1<<20), start); err != nil {
		t.Error(err)
	}
}

func reindexConcurrently(t *testing.T, db *catalogdb.DB) {
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			_, _, errs[i] = db.StartReindex(t.Context(), nil, "rows", "somebody", []catalog.Release{jammy}, start)
		})
	}
	wg.Wait()
	started := 0
	for _, err := range errs {
		switch {
		case err == nil:
			started++
		case !errors.Is(err, catalogdb.ErrReindexing):
			t.Error(err)
		}
	}
	if started != 1 {
		t.Errorf("%d of %d started", started, len(errs))
	}
}
