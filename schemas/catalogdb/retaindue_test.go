package catalogdb_test

import (
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// dueAt returns the targets whose rules are due at a time.
func dueAt(t *testing.T, db *catalogdb.DB, at time.Time) (due []catalogdb.DueRetention) {
	t.Helper()
	due, err := db.RetentionDue(t.Context(), at)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func retentionDue(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	automatic := catalog.Retention{Newest: 3, Automatic: true}
	retained(t, db, catalog.Retention{Newest: 3})
	if due := dueAt(t, db, start); len(due) > 0 {
		t.Errorf("paused rules are due: %v", due)
	}
	retained(t, db, automatic, catalog.Retention{Distribution: noble.Distribution, Newest: 1})
	due := dueAt(t, db, start)
	if len(due) != 1 || due[0].Target.Distribution != jammy.Distribution || due[0].AllowShrink {
		t.Fatalf("%+v are due, want jammy: a rule set of noble is paused", due)
	}
	x := due[0]
	take := func(at time.Time, want bool) {
		t.Helper()
		if taken, err := db.TakeRetention(t.Context(), x, at, at.Add(time.Hour)); err != nil || taken != want {
			t.Errorf("taken: %v, %v, want %v", taken, err, want)
		}
	}
	take(start, true)
	take(after(time.Minute), false) // another worker has it
	if due := dueAt(t, db, after(59*time.Minute)); len(due) > 0 {
		t.Errorf("rules that are being applied are due: %v", due)
	}
	take(after(time.Hour), true) // that worker was ended
	if err := db.EndRetention(t.Context(), x, 0, 0, "too much", after(time.Hour), after(25*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stopped := func(want int) {
		t.Helper()
		if n, err := db.CountStoppedRetentions(t.Context()); err != nil || n != want {
			t.Errorf("%d are stopped, %v, want %d", n, err, want)
		}
	}
	stopped(1)
	runs, err := db.RetentionRuns(t.Context())
	if err != nil || len(runs) != 1 || runs[0].Stopped != "too much" || runs[0].At == nil || !runs[0].At.Equal(after(time.Hour)) {
		t.Errorf("runs are %+v, %v", runs, err)
	}
	if due := dueAt(t, db, after(24*time.Hour)); len(due) > 0 {
		t.Errorf("%v are due within a day", due)
	}
	if due := dueAt(t, db, after(25*time.Hour)); len(due) != 1 {
		t.Errorf("%v are due after a day, want jammy", due)
	}
	automatic.AllowShrink = true
	retained(t, db, automatic) // other rules are due at once, also for noble
	if due := dueAt(t, db, after(2*time.Hour)); len(due) != 2 || !due[0].AllowShrink {
		t.Errorf("%+v are due, want both", due)
	}
	stopped(1)
	if err := db.EndRetention(t.Context(), x, 5, 0, "", after(3*time.Hour), after(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	stopped(0)
	if err := db.EndRetention(t.Context(), x, 0, 0, "again", after(3*time.Hour), after(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	retained(t, db)
	dueAt(t, db, after(4*time.Hour))
	stopped(0) // of what has no rules, nothing is stopped
}
