package catalogdb_test

import (
	"testing"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A catalog was lost that had gone back to the first bytes of a version. Workers read staging before they read the release back: the first
// upload, whose bytes clients see, is refused as older than the second one. Its file must not go, and the release is what it was.
func replaceAfterLoss(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	first, second := build(jammy, 1), build(jammy, 2)
	activate(t, db, storeAt(t, db, second, 2))
	old := storeAt(t, db, first, 1)
	activate(t, db, old)
	checkRejected(t, db, old, catalog.Replaced, "")
	checkWasReplaced(t, db, first)
	if urgent, err := db.DueNow(t.Context(), 10); err != nil || len(urgent) > 0 {
		t.Errorf("to be removed at once: %+v, %v", urgent, err)
	}
	gone := second
	gone.State, gone.Yank = catalog.Yanked, &catalog.Yank{Reason: "rollback", At: start}
	if _, err := db.Recover(t.Context(), jammy, published(first, gone), foreign, start); err != nil {
		t.Fatal(err)
	}
	checkPackage(t, db, first, catalog.Active)
	checkPackage(t, db, second, catalog.Yanked)
}

// Bytes that were replaced while their component was deleted stay withdrawn when it comes back.
func replaceInDeleted(t *testing.T, db *catalogdb.DB) {
	declareMutable(t, db, jammy)
	declareComponent(t, db, jammy, "extra")
	first, second := inComponent(build(jammy, 1), "extra"), build(jammy, 2)
	activate(t, db, storeAt(t, db, first, 1))
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	target := catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution, Component: "extra"}
	if _, _, err := db.Delete(t.Context(), target, 30*day, start); err != nil {
		t.Fatal(err)
	}
	activate(t, db, storeAt(t, db, second, 2))
	if _, _, err := db.Undelete(t.Context(), target, after(day)); err != nil {
		t.Fatal(err)
	}
	checkPackage(t, db, second, catalog.Active)
	checkWasReplaced(t, db, first)
}
