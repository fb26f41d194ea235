package catalogdb_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
)

// appearancesOf returns "release arch state [published]" of each appearance.
func appearancesOf(t *testing.T, db *catalogdb.DB, w catalogdb.Which) string {
	t.Helper()
	all, err := db.Appearances(t.Context(), w)
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, a := range all {
		line := fmt.Sprintf("%s %s %s", strings.TrimPrefix(a.Release.String(), "acme/tools/"), a.Package.Arch, a.Package.State)
		if a.Published {
			line += " published"
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, ", ")
}

func appearances(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	check := func(want string) {
		t.Helper()
		if got := appearancesOf(t, db, whichOf(k)); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if _, err := db.Appearances(t.Context(), whichOf(k)); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of nothing: got %v, want ErrNotFound", err)
	}
	pushAll(t, db, k)
	publish(t, db, jammy, 1, start)
	check("ubuntu/jammy amd64 active")
	publish(t, db, jammy, 2, start)
	check("ubuntu/jammy amd64 active published")
	yankAll(t, db, whichOf(k))
	check("ubuntu/jammy amd64 yanked")
	publish(t, db, jammy, 3, start)
	check("ubuntu/jammy amd64 yanked published")

	late := deb(jammy, "late", "1")
	pushAll(t, db, late)
	yankAll(t, db, whichOf(late)) // before it is published; the publish of revision 4 may be on its way
	if got := appearancesOf(t, db, whichOf(late)); got != "ubuntu/jammy amd64 yanked" {
		t.Errorf("withdrawn on its way: %s", got)
	}

	declare(t, db, el9)
	noarch := rpm(el9, "hello", "1-1", "noarch")
	pushAll(t, db, noarch)
	publish(t, db, in(el9, "aarch64"), 2, start)
	if got, want := appearancesOf(t, db, whichOf(noarch)), "el/9/aarch64 noarch active published, el/9/x86_64 noarch active"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

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
