package catalogdb_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
)

// spansOf returns the spans of all packages: "release name came-went [seen since] [gone since]", with the seconds after start.
func spansOf(t *testing.T, e database) (all []string) {
	t.Helper()
	e.do(t, func(db *sql.DB) {
		rows, err := db.Query(`SELECT d.os, d.version, r.arch, k.name, v.came, v.went, v.came_at, v.went_at FROM visibility v JOIN packages k ON k.id = v.package_id
			JOIN releases r ON r.id = v.release_id JOIN distributions d ON d.id = r.distribution_id ORDER BY d.os, d.version, r.arch, k.name, v.came`)
		if err != nil {
			t.Fatal(err)
		}
		defer rows.Close()
		for rows.Next() {
			var os, version, arch, name string
			var came int64
			var went, cameAt, wentAt sql.NullInt64
			if err := rows.Scan(&os, &version, &arch, &name, &came, &went, &cameAt, &wentAt); err != nil {
				t.Fatal(err)
			}
			line := fmt.Sprintf("%s/%s/%s %s %d-", os, version, arch, name, came)
			if went.Valid {
				line += fmt.Sprint(went.Int64)
			}
			for _, at := range []sql.NullInt64{cameAt, wentAt} {
				if at.Valid && at.Int64 == 0 {
					line += " +?"
				} else if at.Valid {
					line += fmt.Sprintf(" +%d", (at.Int64-start.UnixMilli())/1000)
				}
			}
			all = append(all, line)
		}
		if err := rows.Err(); err != nil {
			t.Fatal(err)
		}
	})
	return all
}

func checkSpans(t *testing.T, e database, fact string, want ...string) {
	t.Helper()
	if diff := cmp.Diff(want, spansOf(t, e)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", fact, diff)
	}
}

// The history of a package is kept: each time that it came and went, and when clients saw that.
func TestVisibility(t *testing.T) { onBoth(t, visibility) }

func visibility(t *testing.T, e database) {
	db := open(t, e.url)
	declare(t, db, jammy)
	back := func(k catalog.Package) {
		t.Helper()
		if _, err := db.Unyank(t.Context(), selectorOf(k), start); err != nil {
			t.Fatal(err)
		}
	}
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	checkSpans(t, e, "in no index yet", "ubuntu/jammy/ hello 2-")
	publish(t, db, jammy, 2, seconds(1))
	checkSpans(t, e, "published", "ubuntu/jammy/ hello 2- +1")
	yankAll(t, db, selectorOf(hello))
	yankAll(t, db, selectorOf(hello))
	checkSpans(t, e, "withdrawn, and still in the index", "ubuntu/jammy/ hello 2-3 +1")
	publish(t, db, jammy, 3, seconds(2))
	back(hello)
	publish(t, db, jammy, 4, seconds(3))
	publish(t, db, jammy, 4, seconds(9)) // a repeat
	checkSpans(t, e, "back", "ubuntu/jammy/ hello 2-3 +1 +2", "ubuntu/jammy/ hello 4- +3")

	late := deb(jammy, "late", "1")
	pushAll(t, db, late)
	yankAll(t, db, selectorOf(late))
	back(late)
	publish(t, db, jammy, 7, seconds(4))
	checkSpans(t, e, "never seen, and seen later", "ubuntu/jammy/ hello 2-3 +1 +2", "ubuntu/jammy/ hello 4- +3", "ubuntu/jammy/ late 5-6", "ubuntu/jammy/ late 7- +4")
}

// An architecture that is new, or is there again, shows what belongs to all of them from its own revision on.
func TestVisibilityOfArchitectures(t *testing.T) { onBoth(t, visibilityOfArchitectures) }

func visibilityOfArchitectures(t *testing.T, e database) {
	db := open(t, e.url)
	declare(t, db, el9)
	pushAll(t, db, rpm(el9, "any", "1-1", "noarch"))
	i386 := in(el9, "i386")
	declare(t, db, el9, "i386")
	publishLatest(t, db, seconds(1), i386)
	removeArch(t, db, el9, "i386", true)
	pushAll(t, db, rpm(el9, "more", "1-1", "noarch"))
	declare(t, db, el9, "i386")
	publishLatest(t, db, seconds(2), i386)
	var got []string
	for _, line := range spansOf(t, e) {
		if len(line) > 9 && line[:9] == "el/9/i386" {
			got = append(got, line)
		}
	}
	want := []string{"el/9/i386 any 1-2 +1 +0", "el/9/i386 any 2- +2", "el/9/i386 more 2- +2"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("spans (-want +got):\n%s", diff)
	}
}

// Of what a lost catalog takes over, clients see it, or do not any more, and it is not known since when.
func TestVisibilityRecovered(t *testing.T) { onBoth(t, visibilityRecovered) }

func visibilityRecovered(t *testing.T, e database) {
	db := open(t, e.url)
	declare(t, db, jammy)
	there, gone := deb(jammy, "there", "1"), deb(jammy, "gone", "1")
	there.State = catalog.Active
	gone.State, gone.Yank = catalog.Yanked, &catalog.Yank{Reason: "r", At: start}
	rows := func(yield func(catalog.Package, error) bool) { _ = yield(there, nil) && yield(gone, nil) }
	if _, err := db.Recover(t.Context(), jammy, rows, catalog.Revision{Number: 40, Nonce: "0123456789abcdef"}, start); err != nil {
		t.Fatal(err)
	}
	publishLatest(t, db, after(time.Second), jammy)
	checkSpans(t, e, "taken over", "ubuntu/jammy/ gone 0-0 +? +?", "ubuntu/jammy/ there 0- +?")
}

// A package that is shown has one span that is open, also if it went and came since the publish and another catalog replaced it then.
func TestVisibilityReplaced(t *testing.T) { onBoth(t, visibilityReplaced) }

func visibilityReplaced(t *testing.T, e database) {
	db := open(t, e.url)
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	publish(t, db, jammy, 2, seconds(1))
	yankAll(t, db, selectorOf(hello))
	if _, err := db.Unyank(t.Context(), selectorOf(hello), start); err != nil {
		t.Fatal(err)
	}
	theirs := hello
	theirs.State, theirs.File = catalog.Active, file("theirs")
	rows := func(yield func(catalog.Package, error) bool) { yield(theirs, nil) }
	if _, err := db.Recover(t.Context(), jammy, rows, catalog.Revision{Number: 40, Nonce: "0123456789abcdef"}, start); err != nil {
		t.Fatal(err)
	}
	checkSpans(t, e, "replaced", "ubuntu/jammy/ hello 2-3 +1", "ubuntu/jammy/ hello 4- +?")
}
