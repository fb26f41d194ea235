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
	if _, _, err := db.Delete(t.Context(), toolsTarget, grace, start); !errors.Is(err, catalogdb.ErrTrainHolds) {
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

// deleteHolds: what is done to a deleted repository does not change what its return brings back.
func deleteHolds(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy, "riscv64")
	seen, early := deb(jammy, "seen", "1"), deb(jammy, "early", "1")
	pushAll(t, db, seen)
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	waiting := store(t, db, early, "1")
	activate(t, db, waiting) // and is not published
	deleteTools(t, db, start)
	checkUpload(t, db, waiting.Upload, catalog.Rejected)
	_, yanked := db.Yank(t.Context(), selectorOf(seen), catalog.Yank{Reason: "CVE"}, start)
	_, removed := db.RemoveArch(t.Context(), tools, distro(jammy), "riscv64", start)
	_, selected := db.YankSelected(t.Context(), catalogdb.Selection{
		Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "seen"}}, States: []catalog.PackageState{catalog.Active, catalog.Yanked},
	}, catalogdb.Withdrawal{Yank: catalog.Yank{Reason: "CVE"}}, start, func(s catalogdb.Selected) ([]catalogdb.SelectedPackage, error) { return s.Packages, nil })
	for what, err := range map[string]error{"yank": yanked, "yank of a selection": selected, "an architecture": removed} {
		if !errors.Is(err, catalogdb.ErrDeleted) {
			t.Errorf("%s: got %v", what, err)
		}
	}
	if _, _, err := db.Undelete(t.Context(), toolsTarget, after(time.Hour)); err != nil {
		t.Fatal(err)
	}
	checkPackage(t, db, seen, catalog.Active)
	checkPackage(t, db, early, catalog.Yanked) // it was rejected
}

// movesElsewhere: the reason of a move into a private repository does not name it, since pages show it.
func movesElsewhere(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, stable)
	_, err := db.ChangeSettings(t.Context(), stable.Repository, start, func(s *catalog.Settings) error { s.Visibility = catalog.Private; return nil })
	if err != nil {
		t.Fatal(err)
	}
	k := deb(jammy, "hello", "1")
	pushAll(t, db, k)
	publish(t, db, jammy, revisionOf(t, db, jammy), start)
	uploads := promote(t, db, moving(k))
	copied(t, db, uploads[0], k)
	publish(t, db, stable, revisionOf(t, db, stable), after(time.Second))
	finishMoves(t, db, 1)
	found, err := db.Find(t.Context(), k)
	if err != nil || found.State != catalog.Yanked || found.Yank.Reason != catalogdb.MovedElsewhere {
		t.Errorf("got %s, %+v, %v", found.State, found.Yank, err)
	}
}
