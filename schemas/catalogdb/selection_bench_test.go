package catalogdb_test

import (
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// BenchmarkYankSelected withdraws 10,000 of 100,000 packages of a release by a glob, in one transaction, and finds them before.
func BenchmarkYankSelected(b *testing.B) {
	path := filepath.Join(b.TempDir(), "catalog.db")
	db, err := catalogdb.Open("sqlite://" + path)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	if err := db.Migrate(b.Context()); err != nil {
		b.Fatal(err)
	}
	if _, err := db.Declare(b.Context(), catalogdb.Declaration{Repository: tools, Distro: distro(jammy)}, start); err != nil {
		b.Fatal(err)
	}
	fill(b, path)
	s := catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "pkg-00[0-9]*"}},
		States: []catalog.PackageState{catalog.Active, catalog.Yanked}}
	b.Run("select", func(b *testing.B) {
		for b.Loop() {
			if found, err := db.Select(b.Context(), s); err != nil || len(found.Packages) != 10_000 {
				b.Fatal(len(found.Packages), err)
			}
		}
	})
	s.Patterns = []catalog.Pattern{{Name: "pkg-0[0-9]*", Version: "1.0"}}
	b.Run("yank and unyank", func(b *testing.B) {
		for b.Loop() {
			done, err := db.YankSelected(b.Context(), s, catalogdb.Withdrawal{Yank: record}, start, everything)
			if err == nil {
				_, err = db.UnyankSelected(b.Context(), s, start.Add(time.Hour), everything)
			}
			if err != nil || len(done.Packages) != 10_000 {
				b.Fatal(len(done.Packages), err)
			}
		}
	})
}
