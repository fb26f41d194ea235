package catalogdb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

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

func rememberedKeys(t *testing.T, db *catalogdb.DB) {
	check := func(fact string, revision int64, want string) {
		t.Helper()
		got, list, err := db.RememberedKeys(t.Context())
		if err != nil || got != revision || string(list) != want {
			t.Errorf("%s: got %d %q, %v", fact, got, list, err)
		}
	}
	remember := func(revision int64, list string) {
		t.Helper()
		if err := db.RememberKeys(t.Context(), revision, []byte(list)); err != nil {
			t.Fatal(err)
		}
	}
	check("nothing", 0, "")
	remember(2, "two")
	check("the first", 2, "two")
	remember(1, "one") // of a bucket that was set back
	check("an earlier one", 2, "two")
	remember(3, "three")
	check("a later one", 3, "three")
}
