package catalogdb_test

import (
	"database/sql"
	"path/filepath"
	"testing"
	"time"

	"repomill/testdata/mysqltest"
)

// BenchmarkList lists 200,000 packages of a release, and reports how long the first page of 10,000 took, and the last.
func BenchmarkList(b *testing.B) {
	const packages, page = 200_000, 10_000
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			e := database()
			db := migrated(b, e.url)
			defer db.Close()
			emptyRelease(b, db)
			fillPages(b, e, packages)
			raw, err := sql.Open(e.driver, e.dsn)
			statement := `UPDATE packages SET sort_key = CAST(sort_key AS BLOB)`
			if e.driver == "mysql" {
				statement = `ANALYZE TABLE packages`
			}
			if err == nil {
				_, err = raw.Exec(statement)
			}
			if err == nil {
				err = raw.Close()
			}
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				n, begin := 0, time.Now()
				for _, err := range db.List(b.Context(), jammy, "") {
					if n++; err != nil {
						b.Fatal(err)
					}
					switch n {
					case 1:
						b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/first")
					case packages - page:
						begin = time.Now()
					case packages - page + 1:
						b.ReportMetric(float64(time.Since(begin).Milliseconds()), "ms/last")
					}
				}
				if n != packages {
					b.Fatalf("%d packages are listed", n)
				}
			}
		})
	}
}
