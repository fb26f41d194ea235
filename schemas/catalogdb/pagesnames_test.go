package catalogdb_test

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func putName(t *testing.T, db *catalogdb.DB, n catalogdb.PageName, want bool) {
	t.Helper()
	if changed, err := db.PutPageName(t.Context(), tools, n); err != nil || changed != want {
		t.Errorf("put %+v: changed %t, %v; want %t", n, changed, err, want)
	}
}

func checkCounts(t *testing.T, db *catalogdb.DB, fact string, names, packages int) {
	t.Helper()
	if f, err := db.PageFront(t.Context(), tools, 0); err != nil || f.Names != names || f.Packages != packages {
		t.Errorf("%s: %d names, %d packages, %v; want %d and %d", fact, f.Names, f.Packages, err, names, packages)
	}
}

func pageNames(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	checkCounts(t, db, "at first", 0, 0)
	hello := catalogdb.PageName{Name: "hello", Summary: "says é", Version: "1:2", Formats: []catalog.Format{catalog.DEB, catalog.RPM}, At: seconds(1), Packages: 3}
	putName(t, db, hello, true)
	putName(t, db, hello, false)
	checkCounts(t, db, "a repeat counts nothing", 1, 3)
	putName(t, db, catalogdb.PageName{Name: "bye", At: start, Packages: 2, Summary: strings.Repeat("é", 999)}, true)
	checkCounts(t, db, "two", 2, 5)
	for i, change := range []func(*catalogdb.PageName){
		func(n *catalogdb.PageName) { n.Summary = "x" }, func(n *catalogdb.PageName) { n.Version = "3" }, func(n *catalogdb.PageName) { n.Formats = nil },
		func(n *catalogdb.PageName) { n.At = seconds(2) }, func(n *catalogdb.PageName) { n.Level = 1 }, func(n *catalogdb.PageName) { n.Packages = 1 },
	} {
		change(&hello)
		putName(t, db, hello, true)
		if got, err := db.PageNames(t.Context(), tools, 0, "hello", "", 9); err != nil || !cmp.Equal([]catalogdb.PageName{hello}, got, nothingIsNil) {
			t.Errorf("change %d: got %+v, %v", i, got, err)
		}
	}
	checkCounts(t, db, "packages went", 2, 3)
	if got, err := db.PageNames(t.Context(), tools, 0, "", "c", 9); err != nil || len(got) != 1 || got[0].Summary != strings.Repeat("é", 500) {
		t.Errorf("a long summary: %+v, %v", got, err)
	}
	for _, want := range []bool{true, false} {
		if gone, err := db.DeletePageName(t.Context(), tools, "hello"); err != nil || gone != want {
			t.Errorf("gone: %t, %v", gone, err)
		}
		checkCounts(t, db, "one went", 1, 2)
	}
	other := catalog.Repository{Owner: "acme", Name: "other"}
	if _, err := db.PutPageName(t.Context(), other, hello); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of an unknown repository: %v", err)
	}
	if got, err := db.PageNames(t.Context(), other, 0, "", "", 9); err != nil || len(got) > 0 {
		t.Errorf("of an unknown repository: %v, %v", got, err)
	}
}

// Names 00 to 63, whose level is that of their trailing zero bits.
func pageBorders(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	level := func(i int) int { return bits.TrailingZeros(uint(i|1<<5)) / 2 }
	var names []string
	for i := range 64 {
		names = append(names, fmt.Sprintf("%02d", i))
		putName(t, db, catalogdb.PageName{Name: names[i], At: start, Level: level(i)}, true)
	}
	read := func(level int, from, to string, limit int) (got []string) {
		t.Helper()
		all, err := db.PageNames(t.Context(), tools, level, from, to, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range all {
			got = append(got, n.Name)
		}
		return got
	}
	for l := range 4 {
		var want []string
		for i, name := range names {
			if level(i) >= l && name >= "03" && name < "48" {
				want = append(want, name)
			}
		}
		if diff := cmp.Diff(want, read(l, "03", "48", 99)); diff != "" {
			t.Errorf("level %d (-want +got):\n%s", l, diff)
		}
		if diff := cmp.Diff(want[:min(len(want), 2)], read(l, "03", "48", 2), nothingIsNil); diff != "" {
			t.Errorf("two of level %d (-want +got):\n%s", l, diff)
		}
		if got := read(l, "", "", 99); len(got) == 0 && l < 3 {
			t.Errorf("level %d has %q", l, got)
		}
		checkBorders(t, db, names, l, level)
	}
}

// checkBorders compares what is said of each part of a level with what a walk through all names finds.
func checkBorders(t *testing.T, db *catalogdb.DB, names []string, l int, level func(int) int) {
	t.Helper()
	borders := []string{""}
	for i, name := range names {
		if level(i) > l {
			borders = append(borders, name)
		}
		got, err := db.PageBorder(t.Context(), tools, l, name)
		if want := borders[len(borders)-1]; err != nil || got != want {
			t.Errorf("%s is in the part %q of level %d, %v; want %q", name, got, l, err, want)
		}
	}
	for i, from := range borders {
		previous, next, err := db.PageBordersAround(t.Context(), tools, l, from)
		var wantPrevious *string
		wantNext := ""
		if i > 0 {
			wantPrevious = &borders[i-1]
		}
		if i+1 < len(borders) {
			wantNext = borders[i+1]
		}
		if diff := cmp.Diff(wantPrevious, previous); diff != "" || next != wantNext || err != nil {
			t.Errorf("beside %q of level %d: %q, %v; want %q (-want +got):\n%s", from, l, next, err, wantNext, diff)
		}
	}
}

func pageNamesConcurrently(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	const names, writers = 10, 4
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for i := range writers {
		wg.Go(func() {
			for n := range names {
				_, err := db.PutPageName(t.Context(), tools, catalogdb.PageName{Name: fmt.Sprint("p", n), At: start, Packages: 1 + i})
				if n%2 == 1 {
					_, gone := db.DeletePageName(t.Context(), tools, fmt.Sprint("p", n))
					err = errors.Join(err, gone)
				}
				errs[i] = errors.Join(errs[i], err)
			}
		})
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		t.Fatal(err)
	}
	all, err := db.PageNames(t.Context(), tools, 0, "", "", 99)
	if err != nil || len(all) != names/2 {
		t.Errorf("%d names, %v; want %d", len(all), err, names/2)
	}
	packages := 0
	for _, n := range all {
		packages += n.Packages
	}
	if !slices.IsSortedFunc(all, func(a, b catalogdb.PageName) int { return strings.Compare(a.Name, b.Name) }) {
		t.Errorf("names in the order %v", all)
	}
	checkCounts(t, db, "counters", names/2, packages)
}
