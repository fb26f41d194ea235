package clients_test

import (
	"maps"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// compare says how the set of what a client has differs from what it must have.
func compare(t *testing.T, what string, want, got map[string]bool) {
	t.Helper()
	missing, extra := 0, 0
	for _, k := range slices.Sorted(maps.Keys(want)) {
		if !got[k] {
			if missing++; missing <= 3 {
				t.Errorf("%s: missing\n%s", what, k)
			}
		}
	}
	for _, k := range slices.Sorted(maps.Keys(got)) {
		if !want[k] {
			if extra++; extra <= 3 {
				t.Errorf("%s: not published\n%s", what, k)
			}
		}
	}
	if missing+extra > 0 {
		t.Errorf("%s: %d of %d are missing, and %d are not published", what, missing, len(want), extra)
	}
}

// set returns the elements of a list that must have none twice.
func set(t *testing.T, what string, list []string) map[string]bool {
	t.Helper()
	all := make(map[string]bool, len(list))
	for _, k := range list {
		if all[k] {
			t.Errorf("%s: twice\n%s", what, k)
		}
		all[k] = true
	}
	return all
}

// wantDownloads compares digests of downloaded files with those of the packages.
func wantDownloads(t *testing.T, pattern string, files ...realPackage) {
	t.Helper()
	var want []string
	for _, f := range files {
		want = append(want, f.sha256)
	}
	got := digests(t, pattern)
	slices.Sort(want)
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("downloaded (-want +got):\n%s", diff)
	}
}

// realNames returns the names of packages.
func realNames(files []realPackage) (all []string) {
	for _, f := range files {
		all = append(all, f.name)
	}
	return all
}
