package catalogdb_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const snapshotID = "20260801T120000Z"

func askSnapshot(t *testing.T, db *catalogdb.DB, name string, now time.Time) catalog.Snapshot {
	t.Helper()
	s, err := db.AskSnapshot(t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, Name: name}, now)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// made makes a snapshot what a worker makes it.
func made(t *testing.T, db *catalogdb.DB, s catalog.Snapshot, id string, releases ...catalog.SnapshotRelease) {
	t.Helper()
	if named, err := db.NameSnapshot(t.Context(), s.Number, id); err != nil || !named {
		t.Fatalf("named %v, %v", named, err)
	}
	if err := db.SnapshotMade(t.Context(), s.Number, releases, "K1", start); err != nil {
		t.Fatal(err)
	}
}

func takeSnapshots(t *testing.T, db *catalogdb.DB, now time.Time) (taken []string) {
	t.Helper()
	all, err := db.TakeSnapshots(t.Context(), now)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range all {
		taken = append(taken, string(s.State)+" "+s.String())
	}
	return taken
}

func snapshotsAsked(t *testing.T, db *catalogdb.DB) {
	_, err := db.AskSnapshot(t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}}, start)
	if !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("without a repository the error is %v", err)
	}
	declare(t, db, jammy)
	first := askSnapshot(t, db, "r1", start)
	again, err := db.AskSnapshot(t.Context(), catalog.Snapshot{Target: first.Target, Name: "r1"}, start)
	if !errors.Is(err, catalogdb.ErrExists) || again.Number != first.Number {
		t.Errorf("the same name: %+v, %v", again, err)
	}
	for range 2 { // as many as one likes without a name
		askSnapshot(t, db, "", start)
	}
	if diff := cmp.Diff([]string{"asked r1", "asked ", "asked "}, takeSnapshots(t, db, start)); diff != "" {
		t.Errorf("taken (-want +got):\n%s", diff)
	}
	if got := takeSnapshots(t, db, start); len(got) > 0 {
		t.Errorf("another worker takes %v", got)
	}
	if got := takeSnapshots(t, db, after(3*time.Minute)); len(got) != 3 {
		t.Errorf("after a crash, another worker takes %v", got)
	}
	made(t, db, first, snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: 1})
	if named, err := db.NameSnapshot(t.Context(), first.Number+1, snapshotID); err != nil || named {
		t.Errorf("two have one identifier: %v, %v", named, err)
	}
	for _, name := range []string{"r1", snapshotID} {
		s, err := db.FindSnapshot(t.Context(), tools, name)
		if err != nil || s.State != catalog.SnapshotKept || s.SignedBy != "K1" || len(s.Releases) != 1 || s.Releases[0].Release != jammy {
			t.Errorf("%s: %+v, %v", name, s, err)
		}
	}
	if _, err := db.FindSnapshot(t.Context(), tools, ""); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("the empty name finds one: %v", err)
	}
}

func snapshotsFail(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	s := askSnapshot(t, db, "r1", start)
	takeSnapshots(t, db, start)
	if err := db.SnapshotFailed(t.Context(), s.Number, "no room", after(time.Second), start, false); err != nil {
		t.Fatal(err)
	}
	if got := takeSnapshots(t, db, after(time.Second)); len(got) != 1 {
		t.Errorf("it is not tried again: %v", got)
	}
	if err := db.SnapshotFailed(t.Context(), s.Number, "nothing there", after(time.Second), start, true); err != nil {
		t.Fatal(err)
	}
	if got, err := db.SnapshotByNumber(t.Context(), s.Number); err != nil || got.State != catalog.SnapshotFailed || got.Fault != "nothing there" {
		t.Errorf("got %+v, %v", got, err)
	}
	askSnapshot(t, db, "r1", start) // its name is free
	if got := takeSnapshots(t, db, after(25*time.Hour)); len(got) != 2 || got[0] != "deleting r1" {
		t.Errorf("after a day, a worker takes %v", got)
	}
	if err := db.SnapshotGone(t.Context(), s.Number); err != nil {
		t.Fatal(err)
	}
	if _, err := db.SnapshotByNumber(t.Context(), s.Number); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("it is there still: %v", err)
	}
}

func snapshotsEnd(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	until := after(time.Hour)
	s, err := db.AskSnapshot(t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, Until: &until}, start)
	if err != nil {
		t.Fatal(err)
	}
	made(t, db, s, snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: 1})
	if got := takeSnapshots(t, db, after(time.Hour-time.Second)); len(got) > 0 {
		t.Errorf("before its end a worker takes %v", got)
	}
	if got := takeSnapshots(t, db, until); len(got) != 1 {
		t.Errorf("at its end a worker takes %v", got)
	}
	if err := db.SnapshotMade(t.Context(), s.Number, nil, "", start); err != nil { // a worker that is late
		t.Fatal(err)
	}
	if err := db.SnapshotGone(t.Context(), s.Number); err != nil {
		t.Fatal(err)
	}
	if err := db.AskSnapshotDeletion(t.Context(), s.Number, until); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("got %v", err)
	}
}

// snapshotsHold: what a snapshot has stays until it is deleted, and nothing else.
func snapshotsHold(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	before, in1, after1 := rpm(el9, "before", "1-1", "x86_64"), rpm(el9, "in", "1-1", "noarch"), rpm(el9, "after", "1-1", "x86_64")
	pushAll(t, db, before, in1) // revisions 2 and 3 of x86_64
	yankAll(t, db, selectorOf(before))
	publishLatest := func() {
		for _, r := range []catalog.Release{el9, in(el9, "aarch64"), in(el9, "SRPMS")} {
			publish(t, db, r, stateOf(t, db, r).Revision.Number, start)
		}
	}
	publishLatest()
	then := stateOf(t, db, el9).Revision.Number
	s := askSnapshot(t, db, "", start)
	pushAll(t, db, after1)
	yankAll(t, db, selectorOf(after1))
	yankAll(t, db, selectorOf(in1))
	publishLatest()
	due := func() (names []string) {
		t.Helper()
		all, err := db.DueForRemoval(t.Context(), record.At.Add(time.Second), 9)
		if err != nil {
			t.Fatal(err)
		}
		for _, k := range all {
			names = append(names, k.Name)
		}
		return names
	}
	if got := due(); len(got) > 0 {
		t.Errorf("while a snapshot is made, due are %v", got)
	}
	made(t, db, s, snapshotID, catalog.SnapshotRelease{Release: el9, Revision: then})
	if diff := cmp.Diff([]string{"before", "after"}, due()); diff != "" {
		t.Errorf("with a snapshot, due are (-want +got):\n%s", diff)
	}
	if err := db.Removing(t.Context(), in1); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("what is held may be removed: %v", err)
	}
	if err := db.Removing(t.Context(), before); err != nil {
		t.Error(err)
	}
	with, err := db.SnapshotsWith(t.Context(), []catalog.Package{in1, before, after1})
	if err != nil || len(with) != 1 || with[0].Number != s.Number {
		t.Errorf("snapshots with the packages: %+v, %v", with, err)
	}
	if err := db.AskSnapshotDeletion(t.Context(), s.Number, start); err != nil {
		t.Fatal(err)
	}
	if got := due(); len(got) != 2 {
		t.Errorf("while it is being deleted, due are %v", got)
	}
	if err := db.SnapshotGone(t.Context(), s.Number); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"after", "before", "in"}, slices.Sorted(slices.Values(due()))); diff != "" {
		t.Errorf("without it, due are (-want +got):\n%s", diff)
	}
}

// snapshotsImported: a catalog that lost its rows holds all that a snapshot of the bucket may have.
func snapshotsImported(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	old := deb(jammy, "old", "1")
	pushAll(t, db, old)
	publish(t, db, jammy, 2, start)
	yankAll(t, db, selectorOf(old)) // in revision 3; the lost history may have shown it for longer
	publish(t, db, jammy, 3, start)
	s := catalog.Snapshot{
		Target: catalog.PackageTarget{Repository: tools}, ID: snapshotID, Name: "r1", Asked: start, SignedBy: "K1",
		Releases: []catalog.SnapshotRelease{{Release: jammy, Revision: 7}},
	}
	for range 2 {
		if err := db.ImportSnapshots(t.Context(), jammy, []catalog.Snapshot{s}, catalog.Revision{Number: 9, Nonce: "0123456789abcdef"}, start); err != nil {
			t.Fatal(err)
		}
	}
	all, err := db.SnapshotsOf(t.Context(), tools)
	if err != nil || len(all) != 1 || all[0].State != catalog.SnapshotKept || all[0].Name != "r1" {
		t.Fatalf("got %+v, %v", all, err)
	}
	if due, err := db.DueForRemoval(t.Context(), record.At.Add(time.Second), 9); err != nil || len(due) > 0 {
		t.Errorf("due are %v, %v", due, err)
	}
	_, err = db.ReadRollback(t.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Snapshot: "r1"})
	if !errors.Is(err, catalogdb.ErrInexact) {
		t.Errorf("a rollback to it: %v", err)
	}
}

// snapshotsRollBack: a rollback to a snapshot gives its packages back.
func snapshotsRollBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	publish(t, db, jammy, 2, start)
	made(t, db, askSnapshot(t, db, "r1", start), snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: 2})
	yankAll(t, db, selectorOf(hello))
	pushAll(t, db, deb(jammy, "hello", "2"))
	publish(t, db, jammy, 4, seconds(1))
	for _, name := range []string{snapshotID, "r1"} {
		r, err := db.ReadRollback(t.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Snapshot: name})
		if err != nil || len(r.Came) != 1 || len(r.Went) != 1 {
			t.Errorf("%s: %+v, %v", name, r, err)
		}
	}
	_, err := db.ReadRollback(t.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Snapshot: "none"})
	if !errors.Is(err, catalogdb.ErrNoSnapshot) {
		t.Errorf("got %v", err)
	}
	r, err := db.ReadRollback(t.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{Snapshot: "2026-08-01", At: seconds(1)})
	if err != nil || len(r.Came)+len(r.Went) > 0 {
		t.Errorf("a time that no snapshot has: %+v, %v", r, err)
	}
}

// snapshotsSigned: snapshots that other keys signed are found, repository by repository.
func snapshotsSigned(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	publish(t, db, jammy, 1, start)
	made(t, db, askSnapshot(t, db, "", start), snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: 1})
	late := askSnapshot(t, db, "", start)
	toSign := func(by string) int {
		t.Helper()
		all, err := db.SnapshotsToSign(t.Context(), by, 9)
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	if n := toSign("K1"); n != 0 {
		t.Errorf("%d are to be signed by those who did", n)
	}
	if n := toSign("K1+K2"); n != 1 {
		t.Errorf("%d repositories are to be signed", n)
	}
	if err := db.SnapshotsSigned(t.Context(), tools, late.Number, "K1+K2"); err != nil {
		t.Fatal(err)
	}
	if n := toSign("K1+K2"); n != 0 {
		t.Errorf("%d are to be signed after that", n)
	}
}

// snapshotsByRule: a period has one, also if it is deleted or fails, and the newest ones stay.
func snapshotsByRule(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	set := func(rule *catalog.SnapshotRule) {
		t.Helper()
		s, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { s.Snapshots = rule; return nil })
		if diff := cmp.Diff(rule, s.Snapshots); diff != "" || err != nil {
			t.Fatalf("%v (-want +got):\n%s", err, diff)
		}
	}
	asked := func(now time.Time, want ...string) {
		t.Helper()
		for range 2 {
			if err := db.AskRuledSnapshots(t.Context(), now); err != nil {
				t.Fatal(err)
			}
		}
		all, err := db.SnapshotsOf(t.Context(), tools)
		var got []string
		for _, s := range all {
			got = append(got, string(s.State))
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("at %s: %v (-want +got):\n%s", now, err, diff)
		}
	}
	make1 := func(now time.Time) {
		t.Helper()
		all, err := db.TakeSnapshots(t.Context(), now)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range all {
			if s.State == catalog.SnapshotDeleting {
				if err := db.SnapshotGone(t.Context(), s.Number); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if !s.Automatic || s.By.Why != "snapshots daily, the newest 2 kept" {
				t.Errorf("got %+v", s)
			}
			made(t, db, s, layout.SnapshotID(now), catalog.SnapshotRelease{Release: jammy, Revision: 1})
		}
	}
	asked(start)
	set(&catalog.SnapshotRule{Every: catalog.Daily, Keep: 2})
	asked(start, "asked")
	make1(start)
	asked(start.Add(11*time.Hour), "kept") // before midnight
	askSnapshot(t, db, "by hand", start)
	asked(start.Add(12*time.Hour), "kept", "asked", "asked")
	day := func(n int) time.Time { return start.Add(time.Duration(n) * 24 * time.Hour) }
	all, err := db.SnapshotsOf(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	made(t, db, all[1], layout.SnapshotID(day(1).Add(time.Second)), catalog.SnapshotRelease{Release: jammy, Revision: 1})
	make1(day(1))
	asked(day(2), "kept", "kept", "kept", "asked")
	make1(day(2))
	asked(day(2), "deleting", "kept", "kept", "kept")
	make1(day(2))
	asked(day(2), "kept", "kept", "kept")
	set(nil)
	asked(day(9), "kept", "kept", "kept")
	for _, rule := range []catalog.SnapshotRule{{Every: "hourly", Keep: 1}, {Every: catalog.Daily}, {Every: catalog.Weekly, Keep: 1001}} {
		if _, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error { s.Snapshots = &rule; return nil }); err == nil {
			t.Errorf("%+v is taken", rule)
		}
	}
}
