package catalogdb_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
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
	pairs := map[catalog.Revision]bool{}
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
			pairs[state.Revision] = true
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
	want := []catalog.DistributionSettings{{Distribution: jammy.Distribution,
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

func drew(t *testing.T, db *catalogdb.DB) {
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
		if got, err := db.Drew(t.Context(), tt.release, tt.pair); err != nil || got != tt.want {
			t.Errorf("%s: got %v, %v; want %v", tt.name, got, err, tt.want)
		}
	}
	if first.Nonce == second.Nonce {
		t.Errorf("two revisions have nonce %s", first.Nonce)
	}
}
