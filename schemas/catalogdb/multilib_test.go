package catalogdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// bothX86 returns a package of the directories i386 and x86_64.
func bothX86(name string) catalog.Package {
	k := rpm(el9, name, "1-1", "i686")
	k.Multilib = true
	k.Key = layout.RPMKey(k, "x86_64")
	return k
}

func multilibShows(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	k := bothX86("hello")
	if err := push(t, db, k, "x86_64"); err != nil {
		t.Fatal(err)
	}
	if found, err := db.Find(t.Context(), k); err != nil || !found.Multilib {
		t.Errorf("found %+v, %v", found, err)
	}
	for r, want := range map[catalog.Release]int{el9: 1, in(el9, "aarch64"): 0, in(el9, "SRPMS"): 0} {
		if got := names(t, db, r); len(got) != want {
			t.Errorf("%s shows %q, want %d", r, got, want)
		}
		checkRevision(t, db, r, int64(1+want))
	}
	declare(t, db, el9, "i386")
	if got := names(t, db, in(el9, "i386")); len(got) != 1 {
		t.Errorf("a new directory i386 shows %q", got)
	}
	bye := bothX86("bye")
	if err := push(t, db, bye, "x86_64"); !errors.Is(err, catalogdb.ErrDirectoryAdded) {
		t.Errorf("without its copy in i386: got %v, want ErrDirectoryAdded", err)
	}
	alone := rpm(el9, "alone", "1-1", "i686")
	if err := push(t, db, alone, "i386"); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"hello 1-1 i686"}, names(t, db, el9)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", el9, diff)
	}
	publish(t, db, el9, 2, start)
	publish(t, db, in(el9, "i386"), 2, start)
	yankAll(t, db, selectorOf(k))
	checkRevision(t, db, el9, 3)
	checkRevision(t, db, in(el9, "i386"), 3)
	due := func(want int) {
		t.Helper()
		if due, err := db.DueForRemoval(t.Context(), record.At.Add(time.Second), 9); err != nil || len(due) != want {
			t.Errorf("%d are due for removal, %v; want %d", len(due), err, want)
		}
	}
	publish(t, db, el9, 3, start)
	due(0) // i386's index has it still
	publish(t, db, in(el9, "i386"), 3, start)
	due(1)
	if l, err := db.Locate(t.Context(), tools, catalog.Pattern{Name: "hello"}); err != nil || len(l.Placements) != 2 {
		t.Errorf("placed %+v, %v", l.Placements, err)
	}
}

func multilibRecovers(t *testing.T, db *catalogdb.DB) {
	foreign := catalog.Revision{Number: 9, Nonce: "ffffffffffffffff"}
	for i, order := range [][]string{{"x86_64", "i386"}, {"i386", "x86_64"}} {
		declare(t, db, el9, "i386")
		k := bothX86(fmt.Sprint("p", i))
		for _, dir := range order {
			row := k
			row.Multilib, row.Key = dir == "x86_64", layout.RPMKey(k, dir) // as the release shows it
			if _, err := db.Recover(t.Context(), in(el9, dir), published(row), foreign, start); err != nil {
				t.Fatal(err)
			}
			foreign.Number++
		}
		if found, err := db.Find(t.Context(), k); err != nil || !found.Multilib || found.State != catalog.Active {
			t.Errorf("%v: found %+v, %v", order, found, err)
		}
	}
	for _, dir := range []string{"i386", "x86_64"} {
		if got := names(t, db, in(el9, dir)); len(got) != 2 {
			t.Errorf("%s shows %q", dir, got)
		}
	}
}
