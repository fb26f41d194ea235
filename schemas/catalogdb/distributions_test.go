package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A step is one declaration and what is true after it.
type step struct {
	fact      string
	component string
	arch      string
	created   []string
	revisions map[string]int64 // architecture of the release -> revision
}

func declareSteps(t *testing.T, db *catalogdb.DB, r catalog.Release, steps []step) {
	revisions := map[catalog.Revision]bool{}
	for _, s := range steps {
		before := releases(t, db)
		created, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(r), Component: s.component, Arch: s.arch}, start)
		if err != nil {
			t.Fatalf("%s: %v", s.fact, err)
		}
		if diff := cmp.Diff(s.created, created); diff != "" {
			t.Errorf("%s: created (-want +got):\n%s", s.fact, diff)
		}
		got := map[string]int64{}
		for _, state := range releases(t, db) {
			got[state.Release.Arch] = state.Revision.Number
			revisions[state.Revision] = true
			if !noncePattern.MatchString(state.Revision.Nonce) || state.Published != 0 {
				t.Errorf("%s: %+v", s.fact, state)
			}
		}
		if diff := cmp.Diff(s.revisions, got); diff != "" {
			t.Errorf("%s: revisions (-want +got):\n%s", s.fact, diff)
		}
		if s.created == nil {
			if diff := cmp.Diff(before, releases(t, db)); diff != "" {
				t.Errorf("%s: releases changed:\n%s", s.fact, diff)
			}
		}
	}
}

func declareDEB(t *testing.T, db *catalogdb.DB) {
	declareSteps(t, db, jammy, []step{
		{"a fresh one has main and the base architectures", "main", "", []string{"repository acme/tools", "distribution ubuntu/jammy",
			"component main", "architecture amd64", "architecture arm64"}, map[string]int64{"": 1}},
		{"again", "main", "", nil, map[string]int64{"": 1}},
		{"no component is main", "", "", nil, map[string]int64{"": 1}},
		{"an architecture that is there", "main", "arm64", nil, map[string]int64{"": 1}},
		{"all is no architecture of its own", "main", "all", nil, map[string]int64{"": 1}},
		{"a new component is a new revision", "contrib", "", []string{"component contrib"}, map[string]int64{"": 2}},
		{"a new architecture is a new revision", "main", "riscv64", []string{"architecture riscv64"}, map[string]int64{"": 3}},
		{"both are one revision", "non-free", "armhf", []string{"component non-free", "architecture armhf"}, map[string]int64{"": 4}},
	})
	want := []catalog.DistributionSettings{{Distribution: jammy.Distribution, Format: catalog.DEB,
		Components: []string{"contrib", "main", "non-free"}, Architectures: []string{"amd64", "arm64", "armhf", "riscv64"}}}
	s, err := db.Settings(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, s.Distributions); diff != "" {
		t.Errorf("distributions (-want +got):\n%s", diff)
	}
}

func declareRPM(t *testing.T, db *catalogdb.DB) {
	base := map[string]int64{"SRPMS": 1, "aarch64": 1, "x86_64": 1}
	declareSteps(t, db, el9, []step{
		{"a fresh one has the base directories", "", "", []string{"repository acme/tools", "distribution el/9",
			"architecture SRPMS", "architecture aarch64", "architecture x86_64"}, base},
		{"again", "", "", nil, base},
		{"noarch is no directory", "", "noarch", nil, base},
		{"there are no components", "main", "x86_64", nil, base},
		{"a new directory is a release of its own", "", "i386", []string{"architecture i386"},
			map[string]int64{"SRPMS": 1, "aarch64": 1, "i386": 1, "x86_64": 1}},
	})
	s, err := db.Settings(t.Context(), tools)
	if err != nil {
		t.Fatal(err)
	}
	if ds, ok := s.Find(el9.Distribution); !ok || len(ds.Components) != 0 {
		t.Errorf("got %+v, want no components", ds)
	}
}

func declareNeverShrinks(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy, "riscv64")
	declare(t, db, noble)
	before := releases(t, db)
	small := distro(jammy)
	small.Architectures = []string{"amd64"} // as after another --distributions FILE
	if created, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: small}, start); err != nil || created != nil {
		t.Errorf("created %q, %v", created, err)
	}
	if diff := cmp.Diff(before, releases(t, db)); diff != "" {
		t.Errorf("releases (-before +after):\n%s", diff)
	}
	declare(t, db, noble, "riscv64")
	checkRevision(t, db, jammy, 1)
	checkRevision(t, db, noble, 2)
}

// removeArch takes an architecture out of the distribution of a release.
func removeArch(t *testing.T, db *catalogdb.DB, r catalog.Release, arch string, want bool) {
	t.Helper()
	if removed, err := db.RemoveArch(t.Context(), r.Repository, distro(r), arch, start); err != nil || removed != want {
		t.Errorf("remove %s: %v, %v; want %v", arch, removed, err, want)
	}
}

func checkInUse(t *testing.T, db *catalogdb.DB, fact string, r catalog.Release, arch string) {
	t.Helper()
	before := settingsOf(t, db, r.Repository)
	if removed, err := db.RemoveArch(t.Context(), r.Repository, distro(r), arch, start); !errors.Is(err, catalogdb.ErrInUse) || removed {
		t.Errorf("%s: %v, %v; want ErrInUse", fact, removed, err)
	}
	if diff := cmp.Diff(before, settingsOf(t, db, r.Repository)); diff != "" {
		t.Errorf("%s: settings (-before +after):\n%s", fact, diff)
	}
}

func retireDEB(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy, "riscv64")
	k := deb(jammy, "hello", "1")
	k.Arch = "riscv64"
	k.Key = layout.PoolKey(k)
	checkInUse(t, db, "one of the distribution's own", jammy, "amd64")
	removeArch(t, db, jammy, "armhf", false) // which it never had
	s := store(t, db, k, "1")
	checkInUse(t, db, "a package is claimed", jammy, "riscv64")
	activate(t, db, s)
	checkInUse(t, db, "a package is active", jammy, "riscv64")
	yankAll(t, db, selectorOf(k))
	before, settings := stateOf(t, db, jammy).Revision.Number, settingsOf(t, db, tools).Revision
	removeArch(t, db, jammy, "riscv64", true)
	removeArch(t, db, jammy, "riscv64", false)
	checkRevision(t, db, jammy, before+1)
	after := settingsOf(t, db, tools)
	if ds, _ := after.Find(jammy.Distribution); !slices.Equal(ds.Architectures, []string{"amd64", "arm64"}) || after.Revision == settings {
		t.Errorf("settings %+v at %s, before at %s", ds, after.Revision, settings)
	}
	other := deb(jammy, "other", "1")
	other.Arch = "riscv64"
	if _, claimed, err := db.Claim(t.Context(), other, catalog.Upload{}); !errors.Is(err, catalogdb.ErrNotFound) || claimed {
		t.Errorf("a claim without its architecture: %v, %v", claimed, err)
	}
	if _, err := db.Unyank(t.Context(), selectorOf(k), start); !errors.Is(err, catalogdb.ErrRetired) {
		t.Errorf("unyank without its architecture: %v, want ErrRetired", err)
	}
	declare(t, db, jammy, "riscv64")
	if _, err := db.Unyank(t.Context(), selectorOf(k), start); err != nil {
		t.Error(err)
	}
}

func retireRPM(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9, "i386")
	i386 := in(el9, "i386")
	alone := rpm(el9, "alone", "1-1", "i686")
	pushAll(t, db, alone, bothX86("both"))
	checkInUse(t, db, "a package is active", el9, "i386")
	checkInUse(t, db, "one of the distribution's own", el9, "SRPMS")
	yankAll(t, db, selectorOf(alone))
	noarch := rpm(el9, "noarch", "1-1", "noarch")
	s := store(t, db, noarch, "1", "aarch64", "i386", "x86_64")
	activate(t, db, s)
	publish(t, db, el9, stateOf(t, db, el9).Revision.Number, start)
	publish(t, db, in(el9, "aarch64"), stateOf(t, db, in(el9, "aarch64")).Revision.Number, start)
	publish(t, db, i386, 2, start)
	last := stateOf(t, db, i386).Revision
	if v := verdictOf(t, db, s.Upload); v.State != catalog.Stored {
		t.Errorf("before it is published in i386: %s", v.State)
	}

	removeArch(t, db, el9, "i386", true)
	if v := verdictOf(t, db, s.Upload); v.State != catalog.Published {
		t.Errorf("no one waits for a directory that is not published: %s", v.State)
	}
	if unpublished, err := db.Unpublished(t.Context()); err != nil || slices.Contains(unpublished, i386) {
		t.Errorf("to be published: %v, %v", unpublished, err)
	}
	if _, err := db.Snapshot(t.Context(), i386); !errors.Is(err, catalogdb.ErrNotFound) {
		t.Errorf("a snapshot of what is not there: %v", err)
	}
	pushAll(t, db, rpm(el9, "later", "1-1", "noarch"))
	if got := len(releases(t, db)); got != 3 {
		t.Errorf("there are %d releases, want 3", got)
	}

	declare(t, db, el9, "i386")
	if known, err := db.KnowsRevision(t.Context(), i386, last); err != nil || !known {
		t.Errorf("what it published is known: %v, %v", known, err)
	}
	if got := stateOf(t, db, i386); got.Revision.Number <= last.Number || got.Published != 0 {
		t.Errorf("again, it is at %s, published %d; it was at %s", got.Revision, got.Published, last)
	}
	if diff := cmp.Diff([]string{"both 1-1 i686", "later 1-1 noarch", "noarch 1-1 noarch"}, names(t, db, i386)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", i386, diff)
	}
}

// No package is claimed for an architecture that goes at the same time.
func retireRace(t *testing.T, db *catalogdb.DB) {
	for round := range 10 {
		declare(t, db, jammy, "riscv64")
		k := deb(jammy, fmt.Sprint("p", round), "1")
		k.Arch = "riscv64"
		var wg sync.WaitGroup
		var claimed, removed bool
		var claimErr, removeErr error
		wg.Go(func() { _, claimed, claimErr = db.Claim(t.Context(), k, catalog.Upload{}) })
		wg.Go(func() { removed, removeErr = db.RemoveArch(t.Context(), tools, distro(jammy), "riscv64", start) })
		wg.Wait()
		if claimed == removed || claimed && !errors.Is(removeErr, catalogdb.ErrInUse) || removed && !errors.Is(claimErr, catalogdb.ErrNotFound) {
			t.Fatalf("round %d: claimed %v, %v; removed %v, %v", round, claimed, claimErr, removed, removeErr)
		}
		if claimed { // and stays: the next round would find it in use
			return
		}
	}
}
