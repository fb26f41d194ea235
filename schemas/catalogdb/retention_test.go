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
