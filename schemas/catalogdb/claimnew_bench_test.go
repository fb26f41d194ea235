package catalogdb_test

import (
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// BenchmarkClaims measures the CPU that this process needs for a claim and the look at its identity before, of eight uploads at a time: alone,
// each in a transaction of its own or in a savepoint of a group, and together.
func BenchmarkClaims(b *testing.B) {
	for database, open := range map[string]func() string{
		"SQLite": func() string { return "sqlite://" + filepath.Join(b.TempDir(), "catalog.db") },
		"MySQL":  func() string { return mysqltest.Start(b) },
	} {
		for how, claims := range map[string]func(*testing.B, *catalogdb.DB, []catalog.Package, []catalog.Upload){"alone": claimsAlone, "together": claimsTogether} {
			b.Run(database+" "+how, func(b *testing.B) {
				db, err := catalogdb.Open(open())
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				if err := db.Migrate(b.Context()); err != nil {
					b.Fatal(err)
				}
				if _, err := db.Declare(b.Context(), catalogdb.Declaration{Repository: jammy.Repository, Distro: distro(jammy)}, start); err != nil {
					b.Fatal(err)
				}
				const group = 8
				var used time.Duration
				for n := range b.N {
					var packages []catalog.Package
					var uploads []catalog.Upload
					for i := range group {
						k := deb(jammy, fmt.Sprintf("p%d-%d", n, i), "1.0")
						packages, uploads = append(packages, k), append(uploads, uploadOf(k))
					}
					if _, err := db.TakeAll(b.Context(), uploads, lease, start); err != nil {
						b.Fatal(err)
					}
					before := cpu(b)
					claims(b, db, packages, uploads)
					used += cpu(b) - before
				}
				b.ReportMetric(float64(used.Microseconds())/float64(b.N*group), "cpu-µs/claim")
			})
		}
	}
}

func claimsAlone(b *testing.B, db *catalogdb.DB, packages []catalog.Package, uploads []catalog.Upload) {
	var running sync.WaitGroup
	for i, k := range packages {
		running.Go(func() {
			if _, err := db.Find(b.Context(), k); err == nil {
				b.Error("it is there")
			}
			if _, claimed, err := db.Claim(b.Context(), k, uploads[i]); err != nil || !claimed {
				b.Error(claimed, err)
			}
		})
	}
	running.Wait()
}

func claimsTogether(b *testing.B, db *catalogdb.DB, packages []catalog.Package, uploads []catalog.Upload) {
	if found, err := db.FindAll(b.Context(), packages); err != nil || len(found) > 0 {
		b.Fatal(found, err)
	}
	all := make([]catalogdb.NewClaim, len(packages))
	for i, k := range packages {
		var err error
		if all[i], err = catalogdb.MakeClaim(k, uploads[i]); err != nil {
			b.Fatal(err)
		}
	}
	if claimed, err := db.ClaimNew(b.Context(), all); err != nil || !claimed[0] {
		b.Fatal(claimed, err)
	}
}
