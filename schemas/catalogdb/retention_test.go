package catalogdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func expired(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	done, waiting, reading := store(t, db, deb(jammy, "done", "1"), "1"), store(t, db, deb(noble, "waiting", "1"), "1"), store(t, db, deb(jammy, "reading", "1"), "1")
	bad := store(t, db, deb(jammy, "bad", "1"), "1")
	activate(t, db, done, waiting)
	publish(t, db, jammy, 2, start)
	if err := db.Reject(t.Context(), bad.Upload, bad.Token, catalog.Rejection{Reason: catalog.Empty}, after(time.Minute)); err != nil {
		t.Fatal(err)
	}
	tell := func(uploads ...catalogdb.Stored) {
		for _, s := range uploads {
			if _, err := db.Told(t.Context(), s.Upload); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(fact string, before time.Time, limit int, want ...catalogdb.Stored) {
		t.Helper()
		var uploads []catalog.Upload
		for _, s := range want {
			uploads = append(uploads, s.Upload)
		}
		got, err := db.Expired(t.Context(), "staging", before, limit)
		if diff := cmp.Diff(uploads, got); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
	}
	later := after(time.Hour)
	check("nobody was told", later, 9)
	tell(done, bad, waiting, reading)
	check("final and told, oldest first", later, 9, done, bad)
	check("no more than asked for", later, 1, done)
	check("not yet", after(time.Second), 9, done)
	activate(t, db, store(t, db, deb(jammy, "more", "1"), "1"))
	check("while the release is behind its rows, what it waited for stays", later, 9, bad)
	publish(t, db, jammy, 3, start)
	for range 2 {
		if err := db.Unstaged(t.Context(), done.Upload); err != nil {
			t.Fatal(err)
		}
	}
	check("once it is deleted", later, 9, bad)
	checkUpload(t, db, done.Upload, catalog.Published)
}

func doomed(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello, other := deb(jammy, "hello", "1"), deb(jammy, "other", "1")
	first, kept := store(t, db, hello, "1"), store(t, db, other, "1")
	activate(t, db, first, kept)
	publish(t, db, jammy, 2, start)
	again := store(t, db, hello, "2") // the same bytes once more
	activate(t, db, again)
	for _, s := range []catalogdb.Stored{first, kept, again} {
		if _, err := db.Told(t.Context(), s.Upload); err != nil {
			t.Fatal(err)
		}
	}
	check := func(fact string, before time.Time, want ...catalog.Upload) {
		t.Helper()
		got, err := db.Doomed(t.Context(), "staging", before, 9)
		if diff := cmp.Diff(want, got, nothingIsNil); diff != "" || err != nil {
			t.Errorf("%s: %v (-want +got):\n%s", fact, err, diff)
		}
		if before.Before(start) {
			return
		}
		if got, err = db.DoomedOf(t.Context(), hello); !cmp.Equal(want, got, nothingIsNil) || err != nil {
			t.Errorf("%s: of the package got %v, %v, want %v", fact, got, err, want)
		}
		if got, err = db.DoomedOf(t.Context(), other); len(got) > 0 || err != nil {
			t.Errorf("%s: of another package got %v, %v", fact, got, err)
		}
	}
	later := after(time.Hour)
	yankAll(t, db, whichOf(hello))
	publish(t, db, jammy, 3, start)
	check("the file stays for the retention period", later)
	for range 2 {
		if err := db.Removing(t.Context(), hello); err != nil {
			t.Fatal(err)
		}
		check("the file goes", later, first.Upload, again.Upload)
	}
	check("not just finished", after(-time.Hour))
	if got, err := db.Expired(t.Context(), "staging", later, 9); err != nil || !cmp.Equal(got, []catalog.Upload{kept.Upload}) {
		t.Errorf("got %v, %v, want the package that stays", got, err)
	}
	if got, err := db.Doomed(t.Context(), "another", later, 9); err != nil || len(got) > 0 {
		t.Errorf("in another bucket there is %v, %v", got, err)
	}
	if err := errors.Join(db.Unstaged(t.Context(), first.Upload), db.Removed(t.Context(), hello)); err != nil {
		t.Fatal(err)
	}
	check("one is deleted", later, again.Upload)
	if err := db.Unstaged(t.Context(), again.Upload); err != nil {
		t.Fatal(err)
	}
	check("both are", later)
}

func oldest(t *testing.T, db *catalogdb.DB) {
	check := func(want *time.Time) {
		t.Helper()
		if got, err := db.Oldest(t.Context()); err != nil || !cmp.Equal(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	check(nil)
	first, second := hello, hello
	first.Generation, second.Generation = "1", "2"
	early, late := after(-time.Hour), start
	take(t, db, second, late)
	check(&late)
	token := take(t, db, first, early)
	check(&early)
	if err := db.Reject(t.Context(), first, token, catalog.Rejection{Reason: catalog.Empty}, start); err != nil {
		t.Fatal(err)
	}
	check(&late)
	if err := errors.Join(db.Ping(t.Context()), db.Ready(t.Context())); err != nil {
		t.Error(err)
	}
}
