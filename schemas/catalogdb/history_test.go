package catalogdb_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// finish publishes what is pushed of a release of one file, and says that nothing of it is in staging.
func finish(t *testing.T, db *catalogdb.DB, k catalog.Package, revision int64, now time.Time) catalog.Upload {
	t.Helper()
	s := store(t, db, k, "1")
	activate(t, db, s)
	publish(t, db, jammy, revision, now)
	unstage(t, db, s.Upload)
	return s.Upload
}

func unstage(t *testing.T, db *catalogdb.DB, u catalog.Upload) {
	t.Helper()
	_, err := db.VerdictsWritten(t.Context(), u)
	if err := errors.Join(err, db.Unstaged(t.Context(), u)); err != nil {
		t.Fatal(err)
	}
}

// forget removes the history before a time, twice, and returns what the first time has removed.
func forget(t *testing.T, db *catalogdb.DB, before time.Time) catalogdb.Forgotten {
	t.Helper()
	f, err := db.ForgetHistory(t.Context(), before)
	if err != nil {
		t.Fatal(err)
	}
	if again, err := db.ForgetHistory(t.Context(), before); err != nil || again != (catalogdb.Forgotten{}) {
		t.Errorf("a repeat removes %+v, %v", again, err)
	}
	return f
}

// Ten days, with a publish in each; the first five are forgotten.
func historyForgotten(t *testing.T, db *catalogdb.DB) {
	catalogdb.SetHistoryPage(t, 2)
	declare(t, db, jammy)
	publish(t, db, jammy, 1, start)
	var uploads []catalog.Upload
	for n := range 10 {
		uploads = append(uploads, finish(t, db, deb(jammy, "hello", fmt.Sprint(n)), int64(n)+2, after(time.Duration(n)*day)))
	}
	made(t, db, askSnapshot(t, db, "r3", after(9*day)), "20260803T120000Z", catalog.SnapshotRelease{Release: jammy, Revision: 3})
	if f, want := forget(t, db, after(5*day)), (catalogdb.Forgotten{Uploads: 5, Publications: 3}); f.Uploads != want.Uploads || f.Publications != want.Publications {
		t.Errorf("removed %+v, want %+v", f, want)
	}
	for n, u := range uploads {
		checkPackage(t, db, deb(jammy, "hello", fmt.Sprint(n)), catalog.Active)
		if _, err := db.State(t.Context(), u); errors.Is(err, catalogdb.ErrNotFound) != (n < 5) {
			t.Errorf("the upload of day %d: %v", n, err)
		}
	}
	target := catalog.PackageTarget{Repository: tools}
	for _, tt := range []struct {
		at   time.Duration
		want int64
	}{{5*day - time.Hour, 6}, {5 * day, 7}, {6*day + time.Hour, 8}, {20 * day, 11}, {2*day + time.Hour, 3}} {
		then, err := db.StatesAt(t.Context(), target, catalogdb.Point{At: after(tt.at)})
		if err != nil || len(then) != 1 || then[0].Revision != tt.want {
			t.Errorf("after %s it was %+v, %v; want revision %d", tt.at, then, err, tt.want)
		}
	}
	if then, err := db.StatesAt(t.Context(), target, catalogdb.Point{Snapshot: "r3"}); err != nil || then[0].Revision != 3 {
		t.Errorf("the snapshot has %+v, %v", then, err)
	}
	checkRevision(t, db, jammy, 11)
}

// What a process still has to end stays, however old it is.
func historyNeeded(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	publish(t, db, jammy, 1, start)
	staged := store(t, db, deb(jammy, "staged", "1"), "1")
	activate(t, db, staged)
	publish(t, db, jammy, 2, start)
	if _, err := db.VerdictsWritten(t.Context(), staged.Upload); err != nil {
		t.Fatal(err)
	}
	reading := store(t, db, deb(jammy, "reading", "1"), "1")
	onTrain := held(t, db, deb(noble, "train", "1"))[0]
	untold := store(t, db, deb(jammy, "untold", "1"), "1")
	if err := errors.Join(db.Reject(t.Context(), untold.Upload, untold.Token, catalog.Rejection{Reason: catalog.Empty}, start), db.Unstaged(t.Context(), untold.Upload)); err != nil {
		t.Fatal(err)
	}
	behind := store(t, db, deb(jammy, "behind", "1"), "1")
	activate(t, db, behind)
	if f := forget(t, db, after(1000*day)); f.Uploads != 0 || f.Trains != 0 {
		t.Errorf("removed %+v", f)
	}
	for _, s := range []catalogdb.Stored{staged, reading, onTrain, untold, behind} {
		if _, err := db.State(t.Context(), s.Upload); err != nil {
			t.Errorf("%s: %v", s.Upload, err)
		}
	}

	// They go once they have ended.
	publish(t, db, jammy, 3, after(time.Hour))
	unstage(t, db, behind.Upload)
	unstage(t, db, staged.Upload)
	if f := forget(t, db, after(1000*day)); f.Uploads != 2 {
		t.Errorf("afterwards, %+v are removed, want 2 uploads", f)
	}
}

func historyOfTrains(t *testing.T, db *catalogdb.DB) {
	s := held(t, db, deb(noble, "train", "1"))[0]
	db.SetClock(after(day))
	if _, err := db.DropTrain(t.Context(), acme1, catalogdb.TrainDrop{All: true}); err != nil {
		t.Fatal(err)
	}
	unstage(t, db, s.Upload)
	if f := forget(t, db, after(day)); f.Trains != 0 || f.Uploads != 0 {
		t.Errorf("a train that ended at that time: removed %+v", f)
	}
	if f := forget(t, db, after(2*day)); f.Trains != 1 || f.Uploads != 1 {
		t.Errorf("a train that ended before: removed %+v", f)
	}
}

func historyOfChanges(t *testing.T, db *catalogdb.DB) {
	catalogdb.SetHistoryPage(t, 2)
	if err := db.CreateRepository(t.Context(), catalog.Settings{Repository: tools, Visibility: catalog.Public}, start); err != nil {
		t.Fatal(err)
	}
	for n := range 6 {
		_, err := db.ChangeSettings(t.Context(), tools, after(time.Duration(n+1)*day), func(s *catalog.Settings) error {
			s.Description = fmt.Sprint(n)
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.SaveKeyList(t.Context(), 1, []byte(`{"keys":[{"fingerprint":"AA","role":"signing"}]}`)); err != nil {
		t.Fatal(err)
	}
	whole := logOf(t, db, "all", time.Time{})
	f := forget(t, db, after(3*day))
	if f.Audit != 3 || f.Pairs != 0 {
		t.Errorf("removed %+v, want 3 entries, and no pair: the bucket has none of them", f)
	}
	if diff := cmp.Diff(whole[3:], logOf(t, db, "all", time.Time{})); diff != "" {
		t.Errorf("the log (-want +got):\n%s", diff)
	}
	s, err := db.Settings(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.PublishSettings(t.Context(), tools, s.Revision.Number); err != nil {
		t.Fatal(err)
	}
	if f := forget(t, db, after(100*day)); f.Pairs != 6 || f.Audit != 4 {
		t.Errorf("removed %+v, want all pairs but the published one, and all entries but that of a key", f)
	}
}
