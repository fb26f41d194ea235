package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/serve/api/history"
)

// A group counts all packages, and lists the first of them.
func TestGroupsOfDifferencesAreBounded(t *testing.T) {
	var g history.Group
	for n := range int64(5) {
		i := diffItem{Change: diffChanged, Distribution: "ubuntu/jammy", Component: "main", Name: "hello", Arch: "all", From: &diffVersion{"1", 10, "aa"}, To: &diffVersion{"2", 10 + n, "bb"}}
		addDifference(&g, i, 2)
	}
	of := func(size int64) history.Difference {
		return history.Difference{Distribution: "ubuntu/jammy", Component: "main", Name: "hello", Arch: "all", From: &history.Version{Version: "1", Size: 10, SHA256: "aa"}, To: &history.Version{Version: "2", Size: size, SHA256: "bb"}}
	}
	if diff := cmp.Diff(history.Group{Packages: 5, Bytes: 10, First: []history.Difference{of(10), of(11)}}, g); diff != "" {
		t.Errorf("group (-want +got):\n%s", diff)
	}
}
