package pipelines_test

import (
	"strings"
	"testing"
	"time"

	"repomill/pipelines/worker"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
	"repomill/testdata/debtest"
)

func (s *site) askSnapshot(name string) catalog.Snapshot {
	s.t.Helper()
	asked, err := s.Catalog.AskSnapshot(s.t.Context(), catalog.Snapshot{Target: catalog.PackageTarget{Repository: jammy.Repository}, Name: name}, time.Now())
	if err != nil {
		s.t.Fatal(err)
	}
	return asked
}

// work does what a worker does for a snapshot, and returns what became of it.
func (s *site) work(asked catalog.Snapshot) (catalog.Snapshot, error) {
	s.t.Helper()
	fault := s.WorkOnSnapshot(s.t.Context(), asked)
	done, err := s.Catalog.SnapshotByNumber(s.t.Context(), asked.Number)
	if err != nil {
		s.t.Fatal(err)
	}
	return done, fault
}

// snapshotKeys returns the keys of a snapshot's objects.
func (s *site) snapshotKeys(id string) (keys []string) {
	s.t.Helper()
	s.must(s.Bucket.List(s.t.Context(), layout.SnapshotDir(jammy.Repository, id), func(key string, _ layout.Meta) error {
		keys = append(keys, key)
		return nil
	}))
	return keys
}

// What a worker left more than an hour ago is removed, and the snapshot is of the present.
func TestSnapshotOfThen(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.push(jammy, debtest.Spec{})
	asked := s.askSnapshot("r1")
	old := layout.SnapshotID(time.Now().Add(-2 * time.Hour))
	named, err := s.Catalog.NameSnapshot(t.Context(), asked.Number, old)
	if err != nil || !named {
		t.Fatal(named, err)
	}
	s.plant(layout.SnapshotPair(jammy, old)[0], string(s.object(layout.PointerKey(jammy))))
	asked.ID = old
	done, err := s.work(asked)
	if err != nil || done.State != catalog.SnapshotKept || done.ID <= old || len(done.Releases) != 1 || done.SignedBy == "" {
		t.Fatalf("got %+v, %v", done, err)
	}
	if keys := s.snapshotKeys(old); len(keys) > 0 {
		t.Errorf("of the old one there are %q", keys)
	}
	s.must(s.Catalog.AskSnapshotDeletion(t.Context(), done.Number, time.Now()))
	done.State = catalog.SnapshotDeleting
	s.must(s.WorkOnSnapshot(t.Context(), done))
	if all, err := s.Catalog.SnapshotsOf(t.Context(), jammy.Repository); err != nil || len(all) > 0 || len(s.snapshotKeys(done.ID)) > 0 {
		t.Errorf("after its deletion there are %+v, %v, and %q", all, err, s.snapshotKeys(done.ID))
	}
}

// A snapshot that was deleted while it was made leaves nothing.
func TestSnapshotDeletedInTheMaking(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.push(jammy, debtest.Spec{})
	asked := s.askSnapshot("r1")
	asked.ID = layout.SnapshotID(time.Now())
	if named, err := s.Catalog.NameSnapshot(t.Context(), asked.Number, asked.ID); err != nil || !named {
		t.Fatal(named, err)
	}
	s.must(s.Catalog.AskSnapshotDeletion(t.Context(), asked.Number, time.Now()))
	deleting := asked
	deleting.State = catalog.SnapshotDeleting
	s.must(s.WorkOnSnapshot(t.Context(), deleting)) // by another worker, and faster
	s.must(s.WorkOnSnapshot(t.Context(), asked))
	left, err := s.Resources.Snapshots.List(t.Context(), jammy.Repository)
	if err != nil || len(left) > 0 || len(s.snapshotKeys(asked.ID)) > 0 {
		t.Errorf("left are %+v, %v, and %q", left, err, s.snapshotKeys(asked.ID))
	}
}

// A snapshot of nothing, or with the name that another one has in the bucket, is given up, and leaves nothing.
func TestSnapshotOfNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.declare(jammy)
	done, err := s.work(s.askSnapshot("r1"))
	if err == nil || done.State != catalog.SnapshotFailed || !strings.Contains(done.Fault, "nothing of it was ever published") {
		t.Fatalf("got %+v, %v", done, err)
	}
	if keys := s.snapshotKeys(""); len(keys) > 0 {
		t.Errorf("there are %q", keys)
	}
	s.push(jammy, debtest.Spec{})
	if done, err := s.work(s.askSnapshot("r1")); err != nil || done.State != catalog.SnapshotKept {
		t.Errorf("once something is published: %+v, %v", done, err)
	}
}

// L3: after the loss of the catalog, a new one has the snapshots of the bucket before it has rows to remove.
func TestL3SnapshotsOutliveTheCatalog(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.push(jammy, debtest.Spec{Name: "old"})
	s.push(jammy, debtest.Spec{Name: "kept"})
	if done, err := s.work(s.askSnapshot("r1")); err != nil || done.State != catalog.SnapshotKept {
		t.Fatalf("got %+v, %v", done, err)
	}
	for _, k := range s.rows(jammy) {
		if k.Name == "old" {
			s.withdraw(k)
		}
	}
	s.publishBehind()
	cfg := s.Config
	cfg.Catalog = "sqlite://" + s.dir + "/new.db"
	migrate(t, cfg.Catalog)
	later := openSite(t, s.dir, cfg, runDirect)
	if _, err := worker.ImportSettings(t.Context(), later.Resources); err != nil {
		t.Fatal(err)
	}
	if _, err := later.Publisher.Rebuild(t.Context(), jammy); err != nil {
		t.Fatal(err)
	}
	later.publishBehind()
	all, err := later.Catalog.SnapshotsOf(t.Context(), jammy.Repository)
	if err != nil || len(all) != 1 || all[0].Name != "r1" || all[0].State != catalog.SnapshotKept {
		t.Fatalf("the new catalog has %+v, %v", all, err)
	}
	later.makePages()
	later.wantPage(layout.SnapshotsPageKey(jammy.Repository), all[0].ID, "r1")
	later.wantPage(layout.SnapshotPageKey(jammy.Repository, all[0].ID), `<td class="number">2</td>`, all[0].ID+"/ubuntu/jammy.sources")
	later.wantPage(layout.VersionPageKey(jammy.Repository, "kept", "1.0"), "those since it was published")
	due, err := later.Catalog.DueForRemoval(t.Context(), time.Now().Add(time.Hour), 9)
	if err != nil || len(due) > 0 {
		t.Errorf("due for removal are %+v, %v", due, err)
	}
	withdrawn, err := later.Catalog.Find(t.Context(), s.withdrawnRow(jammy, "old"))
	if err != nil || withdrawn.State != catalog.Yanked {
		t.Errorf("old is %+v, %v", withdrawn, err)
	}
}

// withdrawnRow returns the row of a package that is withdrawn.
func (s *site) withdrawnRow(r catalog.Release, name string) catalog.Package {
	s.t.Helper()
	due, err := s.Catalog.DueForRemoval(s.t.Context(), time.Now().Add(time.Hour), 9)
	if err != nil || len(due) > 0 { // the snapshot holds it here, too
		s.t.Errorf("due for removal are %+v, %v", due, err)
	}
	all, err := s.Catalog.PackagesNamed(s.t.Context(), r.Repository, catalog.DEB, name)
	if err != nil || len(all) != 1 {
		s.t.Fatalf("packages named %s: %+v, %v", name, all, err)
	}
	return all[0]
}

// Snapshots whose signers are not those that should be are signed again, once.
func TestSnapshotsFollowTheKeys(t *testing.T) {
	t.Parallel()
	s := newSite(t, runDirect)
	s.push(jammy, debtest.Spec{})
	done, err := s.work(s.askSnapshot("r1"))
	if err != nil {
		t.Fatal(err)
	}
	want := done.SignedBy
	s.must(s.Catalog.SnapshotsSigned(t.Context(), jammy.Repository, done.Number, "another key"))
	if n, _, err := s.Catalog.CountToSign(t.Context(), s.Publisher.Keys().State(), false); err != nil || n != 1 {
		t.Errorf("%d are to be signed again, %v", n, err)
	}
	for range 2 {
		faults, err := s.SignSnapshots(t.Context(), func(catalog.Repository) bool { return false })
		if err != nil || len(faults) > 0 {
			t.Fatal(faults, err)
		}
		if done, err = s.Catalog.SnapshotByNumber(t.Context(), done.Number); err != nil || done.SignedBy != want {
			t.Errorf("signed by %q, %v; want %q", done.SignedBy, err, want)
		}
	}
}
