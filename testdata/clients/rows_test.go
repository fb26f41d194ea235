package clients_test

import (
	"testing"

	"repomill/schemas/catalogdb"
)

// A row is what the catalog has of a package.
type row struct {
	name, version, arch string
	stanza              string // DEB
}

// rows returns the active rows of the release, in order. They are what clients must see.
func (s *site) rows(t *testing.T) (all []row) {
	t.Helper()
	db, err := catalogdb.Open("sqlite://" + s.data + "/catalog.db")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	snap, err := db.Snapshot(t.Context(), s.release)
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	for e, err := range snap.Entries(t.Context(), catalogdb.Range{Bare: s.release.Arch != ""}) {
		if err != nil {
			t.Fatal(err)
		}
		r := row{name: string(e.Name), version: string(e.Version), arch: string(e.Arch)}
		if s.release.Arch == "" {
			r.stanza = string(e.Fragments[0].Text)
		}
		all = append(all, r)
	}
	return all
}
