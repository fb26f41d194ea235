package catalogdb_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// entries returns "name version arch" of the entries in a range.
func entries(t *testing.T, s *catalogdb.Snapshot, in catalogdb.Range) (all []string) {
	t.Helper()
	for e, err := range s.Entries(t.Context(), in) {
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, e.String())
	}
	return all
}

// Rows of two directories come as one row, in order, however many there are.
func entriesMerge(t *testing.T, db *catalogdb.DB) {
	catalogdb.SetPartSize(t, 3)
	declare(t, db, el9)
	var want []string
	for i := range 30 {
		arch := []string{"x86_64", "noarch", "aarch64"}[i%3]
		k := rpm(el9, fmt.Sprintf("p%02d", i), "1", arch)
		activate(t, db, store(t, db, k, "1", "aarch64", "x86_64"))
		if arch != "aarch64" {
			want = append(want, k.Name+" 1 "+arch)
		}
	}
	s := snapshot(t, db, el9)
	defer s.Close()
	if diff := cmp.Diff(want, entries(t, s, catalogdb.Range{})); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	all := rpm(el9, "p06", "1", "x86_64").SortKey
	if diff := cmp.Diff(want[4:], entries(t, s, catalogdb.Range{From: all})); diff != "" {
		t.Errorf("entries from p06 on (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(want[:4], entries(t, s, catalogdb.Range{To: all})); diff != "" {
		t.Errorf("entries before p06 (-want +got):\n%s", diff)
	}
}

func entriesOfShelf(t *testing.T, db *catalogdb.DB) {
	declareComponent(t, db, jammy, "contrib")
	for i, arch := range []string{"amd64", "arm64", "all"} {
		for _, component := range []string{"main", "contrib"} {
			k := deb(jammy, fmt.Sprintf("p%d-%s", i, component), "1")
			k.Arch, k.Component = arch, component
			k.SortKey = append(k.SortKey, arch...)
			activate(t, db, store(t, db, k, "1"))
		}
	}
	s := snapshot(t, db, jammy)
	defer s.Close()
	want := []string{"p0-main 1 amd64", "p2-main 1 all"}
	if diff := cmp.Diff(want, entries(t, s, catalogdb.Range{Component: "main", Arches: []string{"amd64", "all"}})); diff != "" {
		t.Errorf("entries of main on amd64 (-want +got):\n%s", diff)
	}
}

// A large text is kept as the member that will be published.
func entriesLarge(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	k := rpm(el9, "large", "1", "x86_64")
	k.Filelists = bytes.Repeat([]byte("<file>/usr/share/something</file>\n"), gzipmember.Oversized/30)
	activate(t, db, store(t, db, k, "1", "x86_64"))
	s := snapshot(t, db, el9)
	defer s.Close()
	for e, err := range s.Entries(t.Context(), catalogdb.Range{}) {
		if err != nil {
			t.Fatal(err)
		}
		if f := e.Fragments[1]; !bytes.Equal(f.Text, k.Filelists) || !bytes.Equal(f.Member, gzipmember.Append(nil, k.Filelists)) {
			t.Errorf("the list of files came back as %d bytes and a member of %d", len(f.Text), len(f.Member))
		}
		if f := e.Fragments[0]; !bytes.Equal(f.Text, k.Primary) || f.Member != nil {
			t.Errorf("primary came back as %q and a member of %d bytes", f.Text, len(f.Member))
		}
	}
}

// Only what is asked for is read: the list of files of a neighbour may be large.
func entriesFragments(t *testing.T, db *catalogdb.DB) {
	declare(t, db, el9)
	k := rpm(el9, "some", "1", "x86_64")
	activate(t, db, store(t, db, k, "1", "x86_64"))
	s := snapshot(t, db, el9)
	defer s.Close()
	for e, err := range s.Entries(t.Context(), catalogdb.Range{Fragments: []int{0, 2}}) {
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(e.Fragments[0].Text, k.Primary) || len(e.Fragments[1].Text) > 0 || !bytes.Equal(e.Fragments[2].Text, k.Other) {
			t.Errorf("got %q", e.Fragments)
		}
	}
}

// changes returns the names of the rows that changed since a revision.
func changes(t *testing.T, db *catalogdb.DB, r catalog.Release, since catalog.Revision) string {
	t.Helper()
	s := snapshot(t, db, r)
	defer s.Close()
	found, known, err := s.Changes(t.Context(), since, 10)
	if err != nil {
		t.Fatal(err)
	}
	if !known {
		return "unknown"
	}
	var names []string
	for _, c := range found {
		name, _, _ := strings.Cut(string(c.SortKey), "\x00")
		names = append(names, name)
	}
	slices.Sort(names)
	return strings.Join(names, " ")
}

func changesSince(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	at := func() catalog.Revision { return stateOf(t, db, jammy).Revision }
	zero := at()
	activate(t, db, store(t, db, deb(jammy, "a", "1"), "1"), store(t, db, deb(jammy, "b", "1"), "1"))
	one := at()
	activate(t, db, store(t, db, deb(jammy, "c", "1"), "1"))
	two := at()
	withdrawAll(t, db, "a") // before any client saw it
	three := at()
	for _, tt := range []struct {
		since catalog.Revision
		want  string
	}{
		{zero, "a b c"}, {one, "a c"}, {two, "a"}, {three, ""},
		{catalog.Revision{Number: one.Number, Nonce: three.Nonce}, "unknown"},
		{catalog.Revision{Number: 99, Nonce: one.Nonce}, "unknown"},
	} {
		if got := changes(t, db, jammy, tt.since); got != tt.want {
			t.Errorf("since %s: got %q, want %q", tt.since, got, tt.want)
		}
	}
}

func changesTooMany(t *testing.T, db *catalogdb.DB) {
	declare(t, db, jammy)
	before := stateOf(t, db, jammy).Revision
	var all []catalogdb.Stored
	for i := range 11 {
		all = append(all, store(t, db, deb(jammy, fmt.Sprint("p", i), "1"), "1"))
	}
	activate(t, db, all...)
	if got := changes(t, db, jammy, before); got != "unknown" {
		t.Errorf("11 changes within a limit of 10: got %q", got)
	}
}

func withdrawAll(t *testing.T, db *catalogdb.DB, name string) {
	t.Helper()
	w := catalogdb.PackageSelector{Repository: tools, Distribution: jammy.Distribution, Name: name, Version: "1"}
	if _, err := db.Yank(t.Context(), w, catalog.Yank{Reason: "test"}, start); err != nil {
		t.Fatal(err)
	}
}
