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

// keep takes a snapshot of what releases have published, and returns it.
func keep(t *testing.T, db *catalogdb.DB, name string, now time.Time, releases ...catalog.Release) catalog.Snapshot {
	t.Helper()
	s := askSnapshot(t, db, name, now)
	var kept []catalog.SnapshotRelease
	for _, r := range releases {
		n, err := db.Count(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		kept = append(kept, catalog.SnapshotRelease{Release: r, Revision: revisionOf(t, db, r), Packages: n})
	}
	made(t, db, s, layout.SnapshotID(now), kept...)
	return s
}

// paged returns snapshots as pages have them, one line for each.
func paged(t *testing.T, db *catalogdb.DB, offset, limit int) (lines []string, total int) {
	t.Helper()
	some, total, err := db.PageSnapshots(t.Context(), tools, offset, limit)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range some {
		line := s.String() + ":"
		for i, one := range s.Releases {
			line += fmt.Sprintf(" %s@%d %d", one.Release.Distribution.Version, one.Revision, one.Packages)
			if c := s.Changes[i]; c.Known {
				line += fmt.Sprintf(" +%d-%d", c.Came, c.Went)
			}
		}
		lines = append(lines, line)
	}
	return lines, total
}

// snapshotDay returns a time of a day in which a snapshot is taken, and its identifier.
func snapshotDay(n int) (time.Time, string) {
	at := start.AddDate(0, 0, n)
	return at, layout.SnapshotID(at)
}

func snapshotsOnPages(t *testing.T, db *catalogdb.DB) {
	withPages(t, db) // hello 1
	declare(t, db, noble)
	publishLatest(t, db, start, noble)
	queuePages(t, db, 100, start)
	for _, taken := takeSome(t, db, start); taken; _, taken = takeSome(t, db, start) {
	}
	at1, id1 := snapshotDay(1)
	at2, id2 := snapshotDay(2)
	at3, id3 := snapshotDay(3)
	at4, id4 := snapshotDay(4)
	first := keep(t, db, "r1", at1, jammy, noble)
	pushAll(t, db, deb(jammy, "hello", "2"), deb(jammy, "other", "1"), deb(jammy, "brief", "1"), deb(noble, "hello", "1"))
	publishLatest(t, db, at1, jammy)
	publishLatest(t, db, at1, noble)
	yankAll(t, db, selectorOf(deb(jammy, "hello", "1")))
	yankAll(t, db, selectorOf(deb(jammy, "brief", "1")))
	publishLatest(t, db, at1, jammy)
	second := keep(t, db, "", at2, jammy)
	keep(t, db, "", at3, jammy, noble)
	if _, err := db.Unyank(t.Context(), selectorOf(deb(jammy, "hello", "1")), at3); err != nil {
		t.Fatal(err)
	}
	publishLatest(t, db, at3, jammy)
	yankAll(t, db, selectorOf(deb(jammy, "other", "1")))
	publishLatest(t, db, at3, jammy)
	fourth := keep(t, db, "r4", at4, jammy)
	askSnapshot(t, db, "not made yet", at4)

	rev := func(s catalog.Snapshot, i int) int64 {
		s, err := db.SnapshotByNumber(t.Context(), s.Number)
		if err != nil {
			t.Fatal(err)
		}
		return s.Releases[i].Revision
	}
	want := []string{
		fmt.Sprintf("%s (r1): jammy@%d 1 noble@%d 0", id1, rev(first, 0), rev(first, 1)),
		fmt.Sprintf("%s: jammy@%d 2 +2-1", id2, rev(second, 0)), // brief came and went between
		fmt.Sprintf("%s: jammy@%d 2 +0-0 noble@%d 1 +1-0", id3, rev(second, 0), revisionOf(t, db, noble)),
		fmt.Sprintf("%s (r4): jammy@%d 2 +1-1", id4, rev(fourth, 0)),
	}
	for offset := range 5 {
		got, total := paged(t, db, offset, 2)
		if diff := cmp.Diff(want[min(offset, 4):min(offset+2, 4)], got); diff != "" && len(got) > 0 || total != 4 || len(got) == 0 && offset < 4 {
			t.Errorf("from %d of %d (-want +got):\n%s", offset, total, diff)
		}
	}
	if _, _, err := db.PageSnapshots(t.Context(), catalog.Repository{Owner: "no", Name: "body"}, 0, 2); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("of an unknown repository: %v", err)
	}
	if err := db.AskSnapshotDeletion(t.Context(), second.Number, at4); err != nil {
		t.Fatal(err)
	}
	got, total := paged(t, db, 1, 1)
	if want := fmt.Sprintf("%s: jammy@%d 2 +2-1 noble@%d 1 +1-0", id3, rev(second, 0), revisionOf(t, db, noble)); len(got) != 1 || got[0] != want || total != 3 {
		t.Errorf("without the one before: %v of %d, want %s", got, total, want)
	}
}

// takeSome takes pages that are due, and ends that.
func takeSome(t *testing.T, db *catalogdb.DB, now time.Time) (w catalogdb.PageWork, taken bool) {
	t.Helper()
	w, taken, err := db.TakePages(t.Context(), tools, lease, 100, now)
	if err != nil {
		t.Fatal(err)
	}
	if taken {
		endPages(t, db, w, nil, now)
	}
	return w, taken
}

// Each snapshot that comes or goes asks for the front page, and the first one ever for all pages, once.
func snapshotsAskForPages(t *testing.T, db *catalogdb.DB) {
	withPages(t, db)
	checkFront(t, db, "nothing has changed", seconds(1), false)
	front := func() catalogdb.PageSnapshotCount {
		t.Helper()
		f, err := db.PageFront(t.Context(), tools, 0)
		if err != nil {
			t.Fatal(err)
		}
		return f.Snapshots
	}
	s := askSnapshot(t, db, "r1", seconds(2))
	checkFront(t, db, "a snapshot that is not made", seconds(2), false)
	if got := front(); got != (catalogdb.PageSnapshotCount{}) {
		t.Errorf("got %+v", got)
	}
	made(t, db, s, snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: 2})
	queuePages(t, db, 100, seconds(3))
	if w, taken := takeSome(t, db, seconds(3)); !taken || !w.Front || len(w.Requests) != 1 || w.Requests[0].Name != "hello" || w.Requests[0].Version != "" {
		t.Errorf("the first one: taken %t, %+v", taken, w)
	}
	if got := front(); got != (catalogdb.PageSnapshotCount{Ever: true, Kept: 1, Newest: snapshotID}) {
		t.Errorf("got %+v", got)
	}
	_, id := snapshotDay(1)
	made(t, db, askSnapshot(t, db, "r2", seconds(4)), id, catalog.SnapshotRelease{Release: jammy, Revision: 2})
	checkFront(t, db, "another one", seconds(5), true)
	for range 2 {
		if err := db.AskSnapshotDeletion(t.Context(), s.Number, seconds(6)); err != nil {
			t.Fatal(err)
		}
	}
	checkFront(t, db, "one that goes", seconds(7), true)
	if err := db.SnapshotGone(t.Context(), s.Number); err != nil {
		t.Fatal(err)
	}
	checkFront(t, db, "it is gone", seconds(8), false)
	if got := front(); got != (catalogdb.PageSnapshotCount{Ever: true, Kept: 1, Newest: id}) {
		t.Errorf("got %+v", got)
	}
}

// A catalog that was lost has the numbers of packages that the bucket has, and says no changes.
func snapshotsOnPagesAfterALoss(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	kept := func(id string, revision int64, packages int) catalog.Snapshot {
		return catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}, ID: id, Asked: start, State: catalog.SnapshotKept,
			Releases: []catalog.SnapshotRelease{{Release: jammy, Revision: revision, Packages: packages}}}
	}
	_, id1 := snapshotDay(1)
	_, id2 := snapshotDay(2)
	foreign := catalog.Revision{Number: 7, Nonce: "x"}
	if err := db.ImportSnapshots(t.Context(), jammy, []catalog.Snapshot{kept(id1, 3, 12), kept(id2, 7, -1)}, foreign, start); err != nil {
		t.Fatal(err)
	}
	got, total := paged(t, db, 0, 9)
	if diff := cmp.Diff([]string{id1 + ": jammy@3 12", id2 + ": jammy@7 -1"}, got); diff != "" || total != 2 {
		t.Errorf("%d (-want +got):\n%s", total, diff)
	}
	queuePages(t, db, 100, start)
	if w, taken := takeSome(t, db, start); !taken || !w.Front {
		t.Errorf("no pages are due: %+v", w)
	}
}
