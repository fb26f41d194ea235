package catalogdb_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// packagesAt returns what a target had at a point: "os/version component name version arch", and "release@revision".
func packagesAt(t *testing.T, db *catalogdb.DB, target catalog.PackageTarget, at catalogdb.Point) (packages, states []string) {
	t.Helper()
	then, err := db.StatesAt(t.Context(), target, at)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range then {
		states = append(states, fmt.Sprintf("%s@%d", s.Release, s.Revision))
	}
	for _, some := range catalogdb.ByDistribution(then) {
		last := ""
		for k, err := range db.PackagesAt(t.Context(), some, target.Component) {
			if err != nil {
				t.Fatal(err)
			}
			if k.Name < last {
				t.Errorf("%s is behind %s", k.Name, last)
			}
			last = k.Name
			packages = append(packages, fmt.Sprintf("%s %s %s %s %s", k.Distribution, k.Component, k.Name, k.Version, k.Arch))
		}
	}
	slices.Sort(packages)
	return packages, states
}

// What clients saw is known of each revision and time, and of now, also of what came and went since.
func packagesAtPoints(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	one := catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution}
	all := catalog.PackageTarget{Repository: tools}
	old, contrib := deb(jammy, "app", "1"), deb(jammy, "zip", "1")
	contrib.Component = "contrib"
	contrib.Key = "acme/tools/ubuntu/pool/jammy/contrib/z/zip/zip_1_amd64.deb"
	if _, err := db.Declare(t.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy), Component: "contrib"}, start); err != nil {
		t.Fatal(err)
	}
	pushAll(t, db, old, deb(jammy, "kept", "1"), deb(jammy, "kept", "2"), contrib)
	publishLatest(t, db, seconds(1), jammy)
	first := stateOf(t, db, jammy).Published
	yankAll(t, db, selectorOf(old))
	pushAll(t, db, deb(jammy, "app", "2"))
	publishLatest(t, db, seconds(3), jammy)
	declare(t, db, el9)
	pushAll(t, db, rpm(el9, "any", "1-1", "noarch"), rpm(el9, "one", "1-1", "x86_64"))
	publishLatest(t, db, seconds(5), el9)
	pushAll(t, db, deb(jammy, "late", "1")) // and not published

	kept := []string{"ubuntu/jammy contrib zip 1 amd64", "ubuntu/jammy main kept 1 amd64", "ubuntu/jammy main kept 2 amd64"}
	then := slices.Sorted(slices.Values(append([]string{"ubuntu/jammy main app 1 amd64"}, kept...)))
	later := slices.Sorted(slices.Values(append([]string{"ubuntu/jammy main app 2 amd64"}, kept...)))
	noRPM := []string{"acme/tools/el/9/SRPMS@0", "acme/tools/el/9/aarch64@0", "acme/tools/el/9/x86_64@0", "acme/tools/ubuntu/jammy@"}
	now := []string{"acme/tools/el/9/SRPMS@0", "acme/tools/el/9/aarch64@0", "acme/tools/el/9/x86_64@3", fmt.Sprint("acme/tools/ubuntu/jammy@", first+2)}
	defer func(rows int) { catalogdb.SetListPage(t, rows) }(10_000)
	for _, rows := range []int{1, 2, 10_000} {
		catalogdb.SetListPage(t, rows)
		for _, tt := range []struct {
			fact   string
			target catalog.PackageTarget
			at     catalogdb.Point
			want   []string
			states []string
		}{
			{"a revision", one, catalogdb.Point{Revision: first}, then, []string{fmt.Sprint("acme/tools/ubuntu/jammy@", first)}},
			{"a time", one, catalogdb.Point{At: seconds(2)}, then, []string{fmt.Sprint("acme/tools/ubuntu/jammy@", first)}},
			{"a time before there was RPM", all, catalogdb.Point{At: seconds(3)}, later, append(noRPM[:3:3], fmt.Sprint(noRPM[3], first+2))},
			{"now", all, catalogdb.Point{}, append([]string{"el/9  any 1-1 noarch", "el/9  one 1-1 x86_64"}, later...), now},
			{"a component", catalog.PackageTarget{Repository: tools, Distribution: jammy.Distribution, Component: "contrib"}, catalogdb.Point{}, kept[:1], now[3:]},
		} {
			packages, states := packagesAt(t, db, tt.target, tt.at)
			slices.Sort(states)
			if diff := cmp.Diff(tt.want, packages); diff != "" {
				t.Errorf("%s, %d rows at a time (-want +got):\n%s", tt.fact, rows, diff)
			}
			if diff := cmp.Diff(tt.states, states); diff != "" {
				t.Errorf("%s: states (-want +got):\n%s", tt.fact, diff)
			}
		}
	}
	for _, tt := range []struct {
		fact   string
		target catalog.PackageTarget
		at     catalogdb.Point
		want   error
	}{
		{"an unknown repository", catalog.PackageTarget{Repository: lab}, catalogdb.Point{}, catalogdb.ErrNotFound},
		{"an unknown distribution", catalog.PackageTarget{Repository: tools, Distribution: noble.Distribution}, catalogdb.Point{At: seconds(9)}, catalogdb.ErrNotFound},
		{"a revision of several releases", all, catalogdb.Point{Revision: first}, catalogdb.ErrSeveralReleases},
		{"a revision that was not published", one, catalogdb.Point{Revision: first + 1}, catalogdb.ErrNotPublished},
		{"an unknown snapshot", all, catalogdb.Point{Snapshot: "none"}, catalogdb.ErrNoSnapshot},
	} {
		if _, err := db.StatesAt(t.Context(), tt.target, tt.at); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.fact, err, tt.want)
		}
	}
}

// What another catalog published is known now, and not of then.
func packagesAtRecovered(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	recoverAll(t, db, jammy, deb(jammy, "hello", "1"), withdrawn(deb(jammy, "hello", "2")))
	target := catalog.PackageTarget{Repository: tools}
	packages, _ := packagesAt(t, db, target, catalogdb.Point{})
	if diff := cmp.Diff([]string{"ubuntu/jammy main hello 1 amd64"}, packages); diff != "" {
		t.Errorf("now (-want +got):\n%s", diff)
	}
	if _, err := db.StatesAt(t.Context(), target, catalogdb.Point{At: seconds(-9)}); !errors.Is(err, catalogdb.ErrNotPublished) {
		t.Errorf("before: got %v", err)
	}
}
