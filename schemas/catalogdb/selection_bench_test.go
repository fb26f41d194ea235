package catalogdb_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// BenchmarkYankSelected finds 10,000 of 100,000 packages of a release by a glob, and withdraws them in one transaction and brings
// them back in another one.
func BenchmarkYankSelected(b *testing.B) {
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
			raw, err := sql.Open(e.driver, e.dsn)
			if err == nil {
				_, err = raw.Exec(`UPDATE packages SET stanza = 'an entry'`) // a row without one cannot come back
			}
			if err != nil {
				b.Fatal(err)
			}
			defer raw.Close()
			benchmarkYank(b, db, catalogdb.Selection{Target: catalog.PackageTarget{Repository: tools}, Patterns: []catalog.Pattern{{Name: "pkg-*", Version: "1.0"}},
				States: []catalog.PackageState{catalog.Active, catalog.Yanked}})
		})
	}
}

func benchmarkYank(b *testing.B, db *catalogdb.DB, s catalogdb.Selection) {
	var yank, back time.Duration
	for b.Loop() {
		begin := time.Now()
		done, err := db.YankSelected(b.Context(), s, catalogdb.Withdrawal{Yank: record}, start, everything)
		yank += time.Since(begin)
		begin = time.Now()
		if err == nil {
			_, err = db.UnyankSelected(b.Context(), s, start.Add(time.Hour), everything)
		}
		back += time.Since(begin)
		if err != nil || len(done.Packages) != 10_000 {
			b.Fatal(len(done.Packages), err)
		}
	}
	b.ReportMetric(yank.Seconds()/float64(b.N), "s/yank")
	b.ReportMetric(back.Seconds()/float64(b.N), "s/unyank")
}
