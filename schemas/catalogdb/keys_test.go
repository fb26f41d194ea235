package catalogdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// checkUnsigned fails unless these releases, and so many repositories, are not as they should be.
func checkUnsigned(t *testing.T, db *catalogdb.DB, fact string, want catalogdb.KeyState, repositories int, releases ...catalog.Release) {
	t.Helper()
	got, err := db.Unsigned(t.Context(), want, 10)
	if diff := cmp.Diff(append([]catalog.Release{}, releases...), got); diff != "" || err != nil {
		t.Errorf("%s: to be signed again, %v (-want +got):\n%s", fact, err, diff)
	}
	given, err := db.Ungiven(t.Context(), want, 10)
	if len(given) != repositories || err != nil {
		t.Errorf("%s: to be given keys are %v, %v; want %d", fact, given, err, repositories)
	}
	n, m, err := db.CountUnsigned(t.Context(), want, false)
	if n != len(releases) || m != repositories || err != nil {
		t.Errorf("%s: counted %d and %d, %v", fact, n, m, err)
	}
}

func signed(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	want := catalogdb.KeyState{DEB: "A", RPM: "A hint", Given: "A"}
	checkUnsigned(t, db, "nothing is published", want, 0)
	pushAll(t, db, deb(jammy, "hello", "1"), rpm(el9, "hello", "1-1", "x86_64"))
	for _, r := range []catalog.Release{jammy, el9} {
		publish(t, db, r, stateOf(t, db, r).Revision.Number, start)
	}
	if err := db.PublishSettings(t.Context(), tools, settingsOf(t, db, tools).Revision.Number); err != nil {
		t.Fatal(err)
	}
	checkUnsigned(t, db, "published, and by whom is not known", want, 1, el9, jammy)
	if some, err := db.Unsigned(t.Context(), want, 1); err != nil || len(some) != 1 {
		t.Errorf("one of them: got %v, %v", some, err)
	}
	for range 2 {
		if err := errors.Join(db.Signed(t.Context(), jammy, "A"), db.Signed(t.Context(), el9, "A hint"), db.Gave(t.Context(), tools, "A")); err != nil {
			t.Fatal(err)
		}
	}
	checkUnsigned(t, db, "all is as it should be", want, 0)
	checkUnsigned(t, db, "of another hint RPM alone depends", catalogdb.KeyState{DEB: "A", RPM: "A other", Given: "A"}, 0, el9)
	checkUnsigned(t, db, "another key", catalogdb.KeyState{DEB: "A+B", RPM: "A+B hint", Given: "A+B"}, 1, el9, jammy)
	snap, err := db.Snapshot(t.Context(), el9)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if snap.SignedBy != "A hint" {
		t.Errorf("a snapshot says %q", snap.SignedBy)
	}
	all, err := db.Signatures(t.Context())
	if diff := cmp.Diff([]catalogdb.Signature{{By: "A", Releases: 1}, {RPM: true, By: "A hint", Releases: 1}}, all); diff != "" || err != nil {
		t.Errorf("signatures, %v (-want +got):\n%s", err, diff)
	}
	if err := db.Signed(t.Context(), noble, "A"); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("a release that is not declared: got %v", err)
	}
}

func heldKeys(t *testing.T, db *catalogdb.DB) {
	see := func(name string, ended bool, now time.Time, keys ...string) {
		t.Helper()
		if err := db.SeeWorker(t.Context(), catalogdb.Worker{Name: name, Keys: keys}, ended, now); err != nil {
			t.Fatal(err)
		}
	}
	check := func(fact string, since time.Time, want ...string) {
		t.Helper()
		all := map[string]bool{}
		for _, k := range want {
			all[k] = true
		}
		got, err := db.HeldKeys(t.Context(), since)
		if diff := cmp.Diff(all, got); diff != "" || err != nil {
			t.Errorf("%s, %v (-want +got):\n%s", fact, err, diff)
		}
	}
	check("no worker", start)
	see("a", false, start, "A", "B")
	see("b", false, after(time.Minute))
	see("c", true, after(time.Minute), "C") // it may be about to start again
	check("all", start, "A", "B", "C")
	check("the last minute", after(time.Minute), "C")
	see("a", false, after(2*time.Minute), "B")
	check("a key that is gone from its file", start, "B", "C")
}
