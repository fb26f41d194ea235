package catalogdb_test

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// BenchmarkPackagesAt lists what a release with 100,000 packages shows, as diff does of each side, and finds one version of one name.
func BenchmarkPackagesAt(b *testing.B) {
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			e := database()
			db := migrated(b, e.url)
			defer db.Close()
			emptyRelease(b, db)
			fillPages(b, e, 100_000)
			benchmarkPackagesAt(b, db)
		})
	}
}

func benchmarkPackagesAt(b *testing.B, db *catalogdb.DB) {
	var list, find time.Duration
	for b.Loop() {
		begin := time.Now()
		states, err := db.StatesAt(b.Context(), catalog.PackageTarget{Repository: tools}, catalogdb.Point{})
		if err != nil {
			b.Fatal(err)
		}
		for i := range states {
			states[i].Revision = 1 << 40 // what is filled in was not published
		}
		n := 0
		name := ""
		for k, err := range db.PackagesAt(b.Context(), states, "") {
			if err != nil {
				b.Fatal(err)
			}
			n, name = n+1, k.Name
		}
		list += time.Since(begin)
		begin = time.Now()
		l, err := db.Locate(b.Context(), tools, catalog.Pattern{Name: name, Version: "1.0"})
		find += time.Since(begin)
		if err != nil || n != 100_000 || len(l.Placements) == 0 {
			b.Fatal(n, len(l.Placements), err)
		}
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	b.ReportMetric(list.Seconds()/float64(b.N), "s/list")
	b.ReportMetric(find.Seconds()/float64(b.N), "s/find")
	b.ReportMetric(float64(m.HeapSys>>20), "MiB")
}
