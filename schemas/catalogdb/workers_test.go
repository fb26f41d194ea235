package catalogdb_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"repomill/schemas/catalogdb"
)

func workers(t *testing.T, db *catalogdb.DB) {
	check := func(fact string, want catalogdb.Sighting) {
		t.Helper()
		if got, err := db.Workers(t.Context()); err != nil || got != want {
			t.Errorf("%s: got %+v, %v; want %+v", fact, got, err, want)
		}
	}
	see := func(name string, ended bool, now time.Time) {
		t.Helper()
		if err := db.SeeWorker(t.Context(), catalogdb.Worker{Name: name}, ended, now); err != nil {
			t.Error(err)
		}
	}
	check("none was seen", catalogdb.Sighting{})
	see("a", false, start)
	see("b", false, after(time.Second))
	check("two run", catalogdb.Sighting{Seen: after(time.Second), Live: after(time.Second)})
	see("b", true, after(2*time.Second))
	check("one has ended", catalogdb.Sighting{Seen: after(2 * time.Second), Live: start})
	see("a", true, after(3*time.Second))
	check("both have", catalogdb.Sighting{Seen: after(3 * time.Second)})
	month := after(31 * 24 * time.Hour)
	see("c", true, month)
	see("c", false, month.Add(time.Second))
	check("one started", catalogdb.Sighting{Seen: month.Add(time.Second), Live: month.Add(time.Second)})
}

func heldKeys(t *testing.T, db *catalogdb.DB) {
	see := func(w catalogdb.Worker) {
		t.Helper()
		if err := db.SeeWorker(t.Context(), w, w.Ended, w.Seen); err != nil {
			t.Fatal(err)
		}
	}
	check := func(fact string, since time.Time, want ...catalogdb.Worker) {
		t.Helper()
		got, err := db.WorkersSince(t.Context(), since)
		if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", fact, err, diff)
		}
	}
	fault := catalogdb.KeyFault{Key: "B", Place: "file:///b", Why: "no such file", Since: start.UTC()}
	a := catalogdb.Worker{Name: "a", Keys: []string{"A", "B"}, Seen: start}
	b := catalogdb.Worker{Name: "b", Seen: after(time.Minute), Faults: []catalogdb.KeyFault{fault}}
	c := catalogdb.Worker{Name: "c", Keys: []string{"C"}, Ended: true, Seen: after(time.Minute)} // it may be about to start again
	check("no worker", start)
	see(a)
	see(b)
	see(c)
	check("all", start, a, b, c)
	check("the last minute", after(time.Minute), b, c)
	a = catalogdb.Worker{Name: "a", Keys: []string{"B"}, Seen: after(2 * time.Minute)}
	see(a)
	check("a key that is gone from its file", start, a, b, c)
	for range 20 {
		b.Faults = append(b.Faults, catalogdb.KeyFault{Place: "file:///b", Why: strings.Repeat("é", 5000), Since: start.UTC()})
	}
	see(b)
	all, err := db.WorkersSince(t.Context(), start)
	if err != nil || len(all) != 3 || len(all[1].Faults) != 6 || all[1].Faults[0] != fault || len(all[1].Faults[1].Why) != 700 {
		t.Errorf("many long faults: %v, %.200v", err, all)
	}
}
