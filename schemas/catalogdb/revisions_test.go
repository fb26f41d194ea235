package catalogdb_test

import (
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

func publishAll(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	early, late := store(t, db, deb(jammy, "early", "1"), "1"), store(t, db, deb(jammy, "late", "1"), "1")
	activate(t, db, early)
	activate(t, db, late)
	publish(t, db, jammy, 1, start)
	checkUpload(t, db, early.Upload, catalog.Stored)
	publish(t, db, jammy, 2, after(time.Second))
	checkUpload(t, db, early.Upload, catalog.Published)
	checkUpload(t, db, late.Upload, catalog.Stored)
	unpublished, err := db.Unpublished(t.Context())
	if diff := cmp.Diff([]catalog.Release{jammy}, unpublished); diff != "" || err != nil {
		t.Errorf("unpublished %v (-want +got):\n%s", err, diff)
	}
	of, err := db.UnpublishedOf(t.Context(), jammy.Repository)
	if diff := cmp.Diff([]catalog.Release{jammy}, of); diff != "" || err != nil {
		t.Errorf("unpublished of the repository %v (-want +got):\n%s", err, diff)
	}
	if of, err := db.UnpublishedOf(t.Context(), catalog.Repository{Owner: jammy.Repository.Owner, Name: "other"}); err != nil || len(of) != 0 {
		t.Errorf("unpublished of another repository: %v, %v; want none", of, err)
	}

	publish(t, db, jammy, 7, after(2*time.Second)) // raised beyond a pointer, as after lost history
	checkUpload(t, db, late.Upload, catalog.Published)
	publish(t, db, jammy, 7, after(time.Hour))
	for s, want := range map[catalog.Upload]time.Time{early.Upload: after(time.Second), late.Upload: after(2 * time.Second)} {
		if got := verdictOf(t, db, s).Finished; got == nil || !got.Equal(want) {
			t.Errorf("%s finished at %v, want %v", s, got, want)
		}
	}
	if unpublished, err := db.Unpublished(t.Context()); err != nil || len(unpublished) != 0 {
		t.Errorf("unpublished: %v, %v; want none", unpublished, err)
	}
}

func publishNeverFalls(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for _, revision := range []int64{1, 3, 2, 1} {
		publish(t, db, jammy, revision, start)
	}
	if got := stateOf(t, db, jammy).Published; got != 3 {
		t.Errorf("published %d, want 3", got)
	}
	checkRevision(t, db, jammy, 1)
}

func publishUnknown(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	for _, r := range []catalog.Release{noble, in(jammy, "x86_64"), el9} {
		if err := db.Publish(t.Context(), r, 1, start); !errors.Is(err, catalogdb.ErrNotFound) {
			t.Errorf("%s: got %v, want ErrNotFound", r, err)
		}
	}
}

func revisionsKnown(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	declare(t, db, noble)
	first := stateOf(t, db, jammy).Revision
	declare(t, db, jammy, "riscv64")
	second := stateOf(t, db, jammy).Revision
	for _, tt := range []struct {
		name    string
		release catalog.Release
		pair    catalog.Revision
		want    bool
	}{
		{"the present pair", jammy, second, true},
		{"an earlier pair", jammy, first, true},
		{"another release's pair", noble, first, false},
		{"another nonce", jammy, catalog.Revision{Number: first.Number, Nonce: second.Nonce}, false},
		{"a later revision", jammy, catalog.Revision{Number: second.Number + 1, Nonce: second.Nonce}, false},
		{"the pair of nothing", jammy, catalog.Revision{}, false},
		{"an unknown release", in(jammy, "x86_64"), first, false},
	} {
		if got, err := db.KnowsRevision(t.Context(), tt.release, tt.pair); err != nil || got != tt.want {
			t.Errorf("%s: got %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	if first.Nonce == second.Nonce {
		t.Errorf("two revisions have nonce %s", first.Nonce)
	}
}

func generationRaised(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := stateOf(t, db, jammy).Revision
	for i := range 2 { // the second one finds a revision issued by the first
		if _, drawn, err := db.RaiseGeneration(t.Context(), jammy, before, start); err != nil || drawn != (i == 0) {
			t.Fatal(err)
		}
		checkRevision(t, db, jammy, before.Number+1)
	}
	if got := stateOf(t, db, jammy).Revision; got.Nonce == before.Nonce {
		t.Error("the nonce is as it was")
	}
}
