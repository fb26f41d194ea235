package catalogdb_test

import (
	"database/sql"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/testdata/mysqltest"
)

// BenchmarkPages queues, takes and ends the requests of 100,000 packages that were published.
func BenchmarkPages(b *testing.B) {
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				b.StopTimer()
				e := database()
				db := migrated(b, e.url)
				emptyRelease(b, db)
				fillPages(b, e, 100_000)
				b.StartTimer()
				benchmarkPages(b, db, 100_000, 1000)
				if err := db.Close(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func benchmarkPages(b *testing.B, db *catalogdb.DB, packages, limit int) {
	b.Helper()
	at, total := time.Now(), 0
	for n := 1; n > 0; {
		var err error
		if n, err = db.QueuePages(b.Context(), limit, start); err != nil {
			b.Fatal(err)
		}
		total += n
	}
	b.ReportMetric(time.Since(at).Seconds(), "queue-s")
	if total != packages {
		b.Fatalf("queued %d, want %d", total, packages)
	}
	b.ReportMetric(longestCall(b, db, limit).Seconds(), "longest-take-s")
}

// longestCall takes and ends all requests, and returns how long the slowest call took.
func longestCall(b *testing.B, db *catalogdb.DB, limit int) (longest time.Duration) {
	b.Helper()
	for {
		at := time.Now()
		w, taken, err := db.TakePages(b.Context(), tools, lease, limit, start)
		if err == nil && taken {
			longest = max(longest, time.Since(at))
			at = time.Now()
			err = db.EndPages(b.Context(), w, nil, start)
			longest = max(longest, time.Since(at))
		}
		if err != nil {
			b.Fatal(err)
		}
		if !taken {
			return longest
		}
	}
}

func migrated(b *testing.B, url string) *catalogdb.DB {
	b.Helper()
	db, err := catalogdb.Open(url)
	if err == nil {
		err = db.Migrate(b.Context())
	}
	if err != nil {
		b.Fatal(err)
	}
	return db
}

// BenchmarkPagesIdle looks for pages to be made in 2,000 repositories of 10,000 releases, which have none.
func BenchmarkPagesIdle(b *testing.B) {
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			e := database()
			db := migrated(b, e.url)
			defer db.Close()
			idlePages(b, e)
			for b.Loop() {
				n, err := db.QueuePages(b.Context(), 1000, start)
				if err != nil || n != 0 {
					b.Fatal(n, err)
				}
				if behind, err := db.PagesBehind(b.Context(), 9, start); err != nil || len(behind) != 0 {
					b.Fatal(behind, err)
				}
			}
		})
	}
}

// idlePages makes repositories all of whose pages are made.
func idlePages(b *testing.B, e database) {
	b.Helper()
	const repositories, each = 2000, 5
	db, err := sql.Open(e.driver, e.dsn)
	if err != nil {
		b.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		b.Fatal(err)
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	exec := func(query string, args ...any) {
		b.Helper()
		if _, err := tx.Exec(query, args...); err != nil {
			b.Fatal(err)
		}
	}
	for i := range repositories {
		exec(`INSERT INTO repositories (id, owner, name, visibility, origin, label, settings_revision, settings_nonce, published_settings_revision, package_keys, tokens, created_at)
			VALUES (?, 'acme', ?, 'public', '', '', 1, '', 1, '[]', '[]', 0)`, i+1, fmt.Sprint("r", i))
		exec(`INSERT INTO page_states (repository_id, visibility, settings_revision, given_keys, key_list, renderer) VALUES (?, 'public', 1, '', 0, ?)`, i+1, layout.PagesRenderer)
		exec(`INSERT INTO distributions (id, repository_id, os, version, format, components, architectures, created_at) VALUES (?, ?, 'el', '9', 'rpm', '[]', '[]', 0)`, i+1, i+1)
		for j := range each {
			exec(`INSERT INTO releases (id, distribution_id, arch, revision, nonce, published_revision, fault) VALUES (?, ?, ?, 7, '', 7, '')`, i*each+j+1, i+1, fmt.Sprint(j))
			exec(`INSERT INTO page_cursors (release_id, generation, retired, revision) VALUES (?, 0, 0, 7)`, i*each+j+1)
		}
	}
	if err := tx.Commit(); err != nil {
		b.Fatal(err)
	}
}

// BenchmarkPutPageName puts new names into the list of a repository, and what is in it already.
func BenchmarkPutPageName(b *testing.B) {
	for name, database := range map[string]func() database{
		"SQLite": func() database { return onSQLite(filepath.Join(b.TempDir(), "catalog.db")) },
		"MySQL":  func() database { return onMySQL(mysqltest.Start(b)) },
	} {
		b.Run(name, func(b *testing.B) {
			db := migrated(b, database().url)
			defer db.Close()
			emptyRelease(b, db)
			n := 0
			for b.Loop() {
				for range 2 { // the second one is right already
					if _, err := db.PutPageName(b.Context(), tools, catalogdb.PageName{Name: fmt.Sprint("p", n), Summary: "does it", Version: "1", At: start, Packages: 1}); err != nil {
						b.Fatal(err)
					}
				}
				n++
			}
		})
	}
}
