package catalogdb_test

import (
	"errors"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// deleteAmong: a deletion waits for release trains, and nothing of rules, phases and snapshots comes back with the name.
func deleteAmong(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	hello := deb(jammy, "hello", "1")
	pushAll(t, db, hello)
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	waiting := held(t, db, deb(jammy, "late", "1"))
	if _, _, err := db.DeleteRepository(t.Context(), tools, grace, start); !errors.Is(err, catalogdb.ErrTrainHolds) {
		t.Errorf("while a train holds a package: %v", err)
	}
	checkPackage(t, db, hello, catalog.Active)
	checkUpload(t, db, waiting[0].Upload, catalog.Held)
	ask(t, db, start)
	if committed, err := db.PublishTrain(t.Context(), acme1, dirsOf(waiting)); err != nil || !committed {
		t.Fatalf("the train: %v, %v", committed, err)
	}
	made(t, db, askSnapshot(t, db, "r1", start), snapshotID, catalog.SnapshotRelease{Release: jammy, Revision: revisionOf(t, db, jammy)})
	_, err := db.ChangeSettings(t.Context(), tools, start, func(s *catalog.Settings) error {
		s.Snapshots = &catalog.SnapshotRule{Every: catalog.Daily, Keep: 1}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	deleteTools(t, db, start)
	_, err = db.AskSnapshot(t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: tools}}, start)
	if !errors.Is(err, catalogdb.ErrDeleted) {
		t.Errorf("a snapshot of it: %v", err)
	}
	if err := db.AskRuledSnapshots(t.Context(), after(48*time.Hour)); err != nil {
		t.Fatal(err)
	}
	if all, err := db.SnapshotsOf(t.Context(), tools); err != nil || len(all) != 1 {
		t.Errorf("snapshots: %+v, %v", all, err)
	}
}
