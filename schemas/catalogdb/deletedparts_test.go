package catalogdb_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

var (
	jammyTarget = catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution}
	extraTarget = catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution, Component: "extra"}
	el9Target   = catalog.PackageTarget{Repository: tools, Distribution: el9.Distribution}
)

// inPart returns a package in another component.
func inPart(k catalog.Package, component string) catalog.Package {
	k.Component = component
	k.Key = strings.Replace(k.Key, "/main/", "/"+component+"/", 1)
	return k
}

func declareIn(t *testing.T, db *catalogdb.DB, component string) error {
	t.Helper()
	_, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: component}, start)
	return err
}

func deleteTarget(t *testing.T, db *catalogdb.DB, target catalog.PackageTarget, now time.Time) {
	t.Helper()
	s, _, err := db.Delete(t.Context(), target, grace, now)
	if err != nil || s.DeletedPart(target) == nil {
		t.Fatalf("got %+v, %v", s, err)
	}
}

func undeleteTarget(t *testing.T, db *catalogdb.DB, target catalog.PackageTarget) {
	t.Helper()
	if s, _, err := db.Undelete(t.Context(), target, after(time.Hour)); err != nil || s.DeletedPart(target) != nil {
		t.Fatalf("got %+v, %v", s, err)
	}
}

// publishAllAt publishes the latest revision of every release.
func publishAllAt(t *testing.T, db *catalogdb.DB, now time.Time) {
	t.Helper()
	for _, r := range releases(t, db) {
		publish(t, db, r.Release, r.Revision.Number, now)
	}
}

// A component, and a distribution around it, are deleted and come back each by itself; what others have stays.
func deletePartAndBack(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	if err := declareIn(t, db, "extra"); err != nil {
		t.Fatal(err)
	}
	hello, tool := deb(jammy, "hello", "1"), rpm(el9, "tool", "1", "noarch")
	more, other := inPart(deb(jammy, "more", "1"), "extra"), inPart(deb(jammy, "other", "1"), "extra")
	pushAll(t, db, hello, more, other, tool)
	publishAllAt(t, db, start)
	deleteTarget(t, db, extraTarget, start)
	deleteTarget(t, db, extraTarget, after(time.Minute)) // a repeat
	checkPackage(t, db, hello, catalog.Active)
	checkPackage(t, db, more, catalog.Yanked)
	checkPackage(t, db, tool, catalog.Active)
	if n, err := db.Count(t.Context(), jammy); n != 1 || err != nil {
		t.Errorf("clients would see %d packages, %v", n, err)
	}
	want := "component acme/tools/ubuntu/jammy/extra takes no packages: it was deleted on 2026-08-01 12:00 UTC; until 2026-08-31 12:00 UTC, repomill repo undelete brings it back"
	if err := push(t, db, inPart(deb(jammy, "new", "1"), "extra")); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("a push gets %v", err)
	}
	_, unyanked := db.Unyank(t.Context(), selectorOf(more), start)
	_, _, last := db.Delete(t.Context(), catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution, Component: "main"}, grace, start)
	_, _, unknown := db.Delete(t.Context(), catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution, Component: "none"}, grace, start)
	for what, got := range map[string][2]error{"declare": {declareIn(t, db, "extra"), catalogdb.ErrDeleted}, "unyank": {unyanked, catalogdb.ErrDeleted},
		"the last component": {last, catalogdb.ErrOnlyComponent}, "an unknown component": {unknown, catalogdb.ErrNotFound}, "another component": {declareIn(t, db, "third"), nil}} {
		if !errors.Is(got[0], got[1]) {
			t.Errorf("%s: got %v, want %v", what, got[0], got[1])
		}
	}
	pushAll(t, db, deb(jammy, "mine", "1"))
	publishAllAt(t, db, start)
	deleteTarget(t, db, jammyTarget, start)
	checkPackage(t, db, hello, catalog.Yanked)
	checkPackage(t, db, tool, catalog.Active)
	_, _, inside := db.Undelete(t.Context(), extraTarget, start)
	_, asked := db.AskSnapshot(t.Context(), catalog.Snapshot{Target: jammyTarget}, start)
	for what, err := range map[string]error{"undelete of a component": inside, "snapshot": asked, "declare": declareIn(t, db, "")} {
		if !errors.Is(err, catalogdb.ErrDeleted) || !strings.Contains(err.Error(), "distribution acme/tools/ubuntu/jammy: it was deleted") {
			t.Errorf("%s in a deleted distribution: got %v", what, err)
		}
	}
	undeleteTarget(t, db, jammyTarget)
	checkPackage(t, db, hello, catalog.Active)
	checkPackage(t, db, more, catalog.Yanked)
	undeleteTarget(t, db, extraTarget)
	checkPackage(t, db, more, catalog.Active)
	checkPackage(t, db, other, catalog.Active)
	if n, err := db.Count(t.Context(), jammy); n != 4 || err != nil {
		t.Errorf("clients would see %d packages, %v", n, err)
	}
	lines := logOf(t, db, "acme/tools", start)
	for _, want := range []string{"|repo.delete|acme/tools/ubuntu/jammy/extra|2 packages withdrawn; can be undone until 2026-08-31T12:00:00Z||", "|repo.undelete|acme/tools/ubuntu/jammy|2 packages are back||"} {
		if !slices.Contains(lines, want) {
			t.Errorf("the log has no %q: %q", want, lines)
		}
	}
}

// removalOf fails unless the next step of the removal of a target ends so.
func removalOf(t *testing.T, db *catalogdb.DB, target catalog.PackageTarget, now time.Time, ready bool) {
	t.Helper()
	if got, err := db.BeginRemoval(t.Context(), target, time.Minute, now); got != ready || err != nil {
		t.Errorf("the objects of %s can be removed: %v, %v; want %v", target, got, err, ready)
	}
}

// removeDue does what workers do with files that are due at once.
func removeDue(t *testing.T, db *catalogdb.DB, want int) {
	t.Helper()
	due, err := db.DueNow(t.Context(), 100)
	if err != nil || len(due) != want {
		t.Fatalf("%d files are due, %v; want %d", len(due), err, want)
	}
	for _, k := range due {
		if err := errors.Join(db.Removing(t.Context(), k), db.Removed(t.Context(), k)); err != nil {
			t.Fatal(err)
		}
	}
}

// When its time is over, a distribution waits for the snapshots that name it, and goes, with its statistics. It can be declared again,
// with later revisions, and its identities stay taken.
func deleteDistributionForGood(t *testing.T, db *catalogdb.DB) {
	defer catalogdb.SetClearBatch(2)()
	declare(t, db, jammy)
	declare(t, db, el9)
	hello, tool := deb(jammy, "hello", "1"), rpm(el9, "tool", "1", "noarch")
	pushAll(t, db, hello, tool, rpm(el9, "tool", "2", "noarch"), rpm(el9, "tool", "3", "noarch"), rpm(el9, "tool", "4", "noarch"), rpm(el9, "tool", "5", "noarch"))
	publishAllAt(t, db, start)
	countLogs(t, db, catalog.LogBatch{Name: "run/0", Downloads: []catalog.DownloadCount{downloaded(hello, start, "apt", 1), downloaded(tool, start, "dnf", 3)}}, start)
	s := askSnapshot(t, db, "r1", start)
	made(t, db, s, snapshotID, catalog.SnapshotRelease{Release: el9, Revision: revisionOf(t, db, el9)})
	deleteTarget(t, db, el9Target, start)
	if p, err := db.PreviewDeletion(t.Context(), el9Target); err != nil || p.Files != 5 || p.Snapshots != 1 {
		t.Errorf("preview: %+v, %v", p, err)
	}
	publishAllAt(t, db, start)
	end := after(grace)
	if due, err := db.DueRemovals(t.Context(), end.Add(-time.Second)); err != nil || len(due) > 0 {
		t.Errorf("before its time: %v, %v", due, err)
	}
	if due, err := db.DueRemovals(t.Context(), end); err != nil || !slices.Equal(due, []catalog.PackageTarget{el9Target}) {
		t.Errorf("at its time: %v, %v", due, err)
	}
	removalOf(t, db, el9Target, end, false) // the snapshot names it
	removeDue(t, db, 0)
	if err := errors.Join(db.AskSnapshotDeletion(t.Context(), s.Number, end), db.SnapshotGone(t.Context(), s.Number)); err != nil {
		t.Fatal(err)
	}
	removalOf(t, db, el9Target, end, false) // the files are there
	if _, _, err := db.Undelete(t.Context(), el9Target, end); !errors.Is(err, catalogdb.ErrDeleted) {
		t.Errorf("it comes back: %v", err)
	}
	removeDue(t, db, 5)
	removalOf(t, db, el9Target, end, true)
	if s, err := db.Settings(t.Context(), tools); err != nil || len(s.Distributions) != 1 {
		t.Errorf("left is %+v, %v", s, err)
	}
	if got := sums(t, db, catalog.StatisticsQuery{Owner: "acme", Name: "tools", By: []catalog.StatisticsField{catalog.ByPackage}}); got["hello"] != 1 || len(got) != 1 {
		t.Errorf("downloads that are left are %v, want those of another distribution", got)
	}
	checkPackage(t, db, hello, catalog.Active)
	for _, at := range []time.Time{end.Add(time.Minute), end.Add(2 * catalogdb.RemovalAgain)} {
		if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(el9)}, at); !errors.Is(err, catalogdb.ErrDeleted) {
			t.Errorf("while objects are removed it is declared: %v", err)
		}
		if err := db.EndRemoval(t.Context(), el9Target, at); err != nil {
			t.Fatal(err)
		}
	}
	if s, err := db.Settings(t.Context(), tools); err != nil || len(s.DeletedParts) > 0 {
		t.Errorf("left is %+v, %v", s, err)
	}
	checkDeclaredAgain(t, db, tool)
}

func checkDeclaredAgain(t *testing.T, db *catalogdb.DB, was catalog.Package) {
	t.Helper()
	declare(t, db, el9)
	if now := revisionOf(t, db, el9); now < 8 {
		t.Errorf("revision %d follows those of before", now)
	}
	was.File = file("other bytes")
	if holder, claimed, err := db.Claim(t.Context(), was, catalog.Upload{}); err != nil || claimed || holder.State != catalog.Yanked {
		t.Errorf("other bytes get the identity: %+v, %v, %v", holder, claimed, err)
	}
	pushAll(t, db, rpm(el9, "tool", "6", "noarch"))
	if n, err := db.Count(t.Context(), el9); n != 1 || err != nil {
		t.Errorf("clients would see %d packages, %v", n, err)
	}
}

// A component leaves the Release file before its objects are removed. The default one is not declared again with others.
func deleteComponentForGood(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	if err := declareIn(t, db, "extra"); err != nil {
		t.Fatal(err)
	}
	hello := deb(jammy, "hello", "1")
	more := inPart(deb(jammy, "more", "1"), "extra")
	pushAll(t, db, hello, more)
	publishAllAt(t, db, start)
	mainTarget := extraTarget
	mainTarget.Component = "main"
	deleteTarget(t, db, mainTarget, start)
	publishAllAt(t, db, start)
	end := after(grace)
	removalOf(t, db, mainTarget, end, false)
	removeDue(t, db, 1)
	removalOf(t, db, mainTarget, end, false) // clients see a Release that lists it
	if s, err := db.Settings(t.Context(), tools); err != nil || !slices.Equal(s.Distributions[0].Components, []string{"extra"}) {
		t.Errorf("left is %+v, %v", s, err)
	}
	publishAllAt(t, db, end)
	removalOf(t, db, mainTarget, end, true)
	for _, at := range []time.Time{end, end.Add(2 * catalogdb.RemovalAgain)} {
		if err := db.EndRemoval(t.Context(), mainTarget, at); err != nil {
			t.Fatal(err)
		}
	}
	declare(t, db, jammy, "riscv64")
	if s, err := db.Settings(t.Context(), tools); err != nil || !slices.Equal(s.Distributions[0].Components, []string{"extra"}) || len(s.DeletedParts) > 0 {
		t.Errorf("left is %+v, %v", s, err)
	}
	checkPackage(t, db, more, catalog.Active)
	if err := declareIn(t, db, "main"); err != nil {
		t.Error(err)
	}
}

// What is withdrawn, or was moved, while a distribution is deleted does not come back with it.
func deletedPartHolds(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	bad, moved, good := deb(jammy, "bad", "1"), deb(jammy, "hello", "1"), deb(jammy, "good", "1")
	pushAll(t, db, bad, moved, good)
	publishAllAt(t, db, start)
	uploads := promote(t, db, moving(moved))
	copied(t, db, uploads[0], moved)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	deleteTarget(t, db, jammyTarget, start)
	finishMoves(t, db, 1)
	checkMove(t, db, uploads[0], catalog.MoveDone, "")
	done, err := db.YankSelected(t.Context(), catalogdb.Selection{
		Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "bad"}}, States: []catalog.PackageState{catalog.Active, catalog.Yanked},
	}, catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "CVE"}}, after(time.Minute), func(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil })
	if err != nil || len(done.Packages) != 1 {
		t.Fatalf("got %+v, %v", done, err)
	}
	undeleteTarget(t, db, jammyTarget)
	checkPackage(t, db, good, catalog.Active)
	for k, reason := range map[string]string{"bad": "CVE", "hello": catalogdb.MovedTo + place(stable).String()} {
		if found, err := db.Find(t.Context(), deb(jammy, k, "1")); err != nil || found.State != catalog.Yanked || found.Yank.Reason != reason {
			t.Errorf("%s: got %s, %+v, %v", k, found.State, found.Yank, err)
		}
	}
}

// The catalog is lost in the time of grace: the bucket has what is deleted, and what was deleted here only stays so.
func deletedPartsImported(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	pushAll(t, db, deb(jammy, "hello", "1"), rpm(el9, "tool", "1", "noarch"))
	deleteTarget(t, db, el9Target, start)
	from, err := db.Settings(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	from.Revision = catalog.Revision{Number: 100, Nonce: "00000000000000aa"}
	from.DeletedParts = []catalog.DeletedPart{{Distribution: jammy.Distribution, Deletion: catalog.Deletion{At: start, Until: after(grace), Packages: 1}}}
	if err := db.ImportSettings(t.Context(), from, start); err != nil {
		t.Fatal(err)
	}
	s, err := db.Settings(t.Context(), tools)
	if err != nil || s.DeletedPart(jammyTarget) == nil || s.DeletedPart(el9Target) == nil {
		t.Errorf("got %+v, %v", s.DeletedParts, err)
	}
	if err := push(t, db, deb(jammy, "new", "1")); err == nil || !strings.Contains(err.Error(), "distribution acme/tools/ubuntu/jammy takes no packages") {
		t.Errorf("a push gets %v", err)
	}
}
