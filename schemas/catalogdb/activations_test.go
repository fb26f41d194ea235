package catalogdb_test

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func activateOnce(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	declare(t, db, el9)
	hello, bye := deb(jammy, "hello", "1"), deb(jammy, "bye", "1")
	batch := []catalogdb.Stored{
		store(t, db, hello, "1"), store(t, db, bye, "1"), store(t, db, deb(noble, "hello", "1"), "1"),
		store(t, db, hello, "2"), // the same package once more in the same call
		store(t, db, rpm(el9, "hello", "1-1", "x86_64"), "1", "x86_64"),
	}
	activate(t, db, batch...)
	for r, want := range map[catalog.Release]int64{jammy: 2, noble: 2, el9: 2, in(el9, "aarch64"): 1, in(el9, "SRPMS"): 1} {
		checkRevision(t, db, r, want)
	}
	if diff := cmp.Diff([]string{"bye 1 amd64", "hello 1 amd64"}, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	for _, s := range batch {
		checkUpload(t, db, s.Upload, catalog.Stored)
		checkPackage(t, db, s.Package, catalog.Active)
	}
	activate(t, db, batch...) // as after an unknown result
	checkRevision(t, db, jammy, 2)

	publish(t, db, jammy, 2, start)
	checkUpload(t, db, batch[0].Upload, catalog.Published)
	checkUpload(t, db, batch[1].Upload, catalog.Published)
	checkUpload(t, db, batch[3].Upload, catalog.Duplicate)
	checkUpload(t, db, batch[2].Upload, catalog.Stored)
	checkUpload(t, db, batch[4].Upload, catalog.Stored)
}

func activateVisible(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	activate(t, db, store(t, db, k, "1"))
	publish(t, db, jammy, 2, start)
	before := stateOf(t, db, jammy)

	again := store(t, db, k, "2")
	activate(t, db, again)
	checkUpload(t, db, again.Upload, catalog.Duplicate)
	if diff := cmp.Diff(before, stateOf(t, db, jammy)); diff != "" {
		t.Errorf("a duplicate changes the release:\n%s", diff)
	}
	want := []catalog.VerdictRelease{{Release: jammy.String(), Revision: 2}}
	if diff := cmp.Diff(want, verdictOf(t, db, again.Upload).Releases); diff != "" {
		t.Errorf("releases of the verdict (-want +got):\n%s", diff)
	}
}

func activateWaiting(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	first := store(t, db, k, "1")
	activate(t, db, first)
	second := store(t, db, k, "2")
	activate(t, db, second)
	checkRevision(t, db, jammy, 2)
	checkUpload(t, db, second.Upload, catalog.Stored)

	// A duplicate beside a change waits for that change: the present revision is the only one known to have the package.
	third := store(t, db, k, "3")
	activate(t, db, third, store(t, db, deb(jammy, "bye", "1"), "1"))
	checkRevision(t, db, jammy, 3)
	publish(t, db, jammy, 2, start)
	checkUpload(t, db, first.Upload, catalog.Published)
	checkUpload(t, db, second.Upload, catalog.Duplicate)
	publish(t, db, jammy, 3, start)
	checkUpload(t, db, third.Upload, catalog.Duplicate)
}

func activateLost(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	lost, kept := store(t, db, deb(jammy, "lost", "1"), "1"), store(t, db, deb(jammy, "kept", "1"), "1")
	token := take(t, db, lost.Upload, after(lease.For)) // another worker, when the lease has ended
	unknown := kept
	unknown.Upload.Generation = "none"
	activate(t, db, lost, unknown)
	checkRevision(t, db, jammy, 1)
	activate(t, db, lost, kept)
	checkRevision(t, db, jammy, 2)
	checkPackage(t, db, lost.Package, catalog.Claimed)
	checkUpload(t, db, lost.Upload, catalog.Received)
	checkUpload(t, db, kept.Upload, catalog.Stored)

	lost.Token = token
	activate(t, db, lost)
	checkUpload(t, db, lost.Upload, catalog.Stored)
	checkRevision(t, db, jammy, 3)
}

func activateNoarch(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	s := store(t, db, rpm(el9, "hello", "1-1", "noarch"), "1", "aarch64", "x86_64")
	activate(t, db, s)
	for arch, want := range map[string]int64{"x86_64": 2, "aarch64": 2, "SRPMS": 1} {
		checkRevision(t, db, in(el9, arch), want)
	}
	want := []catalog.VerdictRelease{{Release: "acme/tools/el/9/aarch64", Revision: 2}, {Release: "acme/tools/el/9/x86_64", Revision: 2}}
	if diff := cmp.Diff(want, verdictOf(t, db, s.Upload).Releases); diff != "" {
		t.Errorf("waits for (-want +got):\n%s", diff)
	}
	publish(t, db, in(el9, "SRPMS"), 2, start)
	publish(t, db, el9, 2, start)
	checkUpload(t, db, s.Upload, catalog.Stored)
	publish(t, db, in(el9, "aarch64"), 2, start)
	checkUpload(t, db, s.Upload, catalog.Published)
}

func activateGrown(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, el9)
	other := store(t, db, deb(jammy, "hello", "1"), "1")
	s := store(t, db, rpm(el9, "hello", "1-1", "noarch"), "1", "aarch64", "x86_64")
	declare(t, db, el9, "i386")
	before := releases(t, db)
	if err := db.Activate(t.Context(), []catalogdb.Stored{other, s}, start); !errors.Is(err, catalogdb.ErrDirectoryAdded) {
		t.Fatalf("got %v, want ErrDirectoryAdded", err)
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("releases (-before +after):\n%s", diff)
	}
	for _, s := range []catalogdb.Stored{other, s} {
		checkUpload(t, db, s.Upload, catalog.Received)
		checkPackage(t, db, s.Package, catalog.Claimed)
	}
	s.Dirs = append(s.Dirs, "i386")
	activate(t, db, other, s)
	for arch, want := range map[string]int64{"x86_64": 2, "aarch64": 2, "i386": 2, "SRPMS": 1} {
		checkRevision(t, db, in(el9, arch), want)
	}
}

func activateUnclaimed(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	k := deb(jammy, "hello", "1")
	s := catalogdb.Stored{Upload: uploadOf(k), Token: take(t, db, uploadOf(k), start), Package: k}
	if err := db.Activate(t.Context(), []catalogdb.Stored{s}, start); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("got %v, want ErrNotFound", err)
	}
	checkUpload(t, db, s.Upload, catalog.Received)
	if err := db.Activate(t.Context(), nil, start); err != nil {
		t.Errorf("nothing to do: %v", err)
	}
}
