package catalogdb_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"repomill/schemas/catalogdb"
	"repomill/testdata/mysqltest"
)

// A database is one that tests also ask without a catalog.
type database struct{ url, driver, dsn string }

func onSQLite(path string) database { return database{"sqlite://" + path, "sqlite", path} }

// onMySQL returns the database that a URL of mysqltest names.
func onMySQL(rawURL string) database {
	u, err := url.Parse(rawURL)
	if err != nil {
		panic(err) // mysqltest made it
	}
	return database{rawURL, "mysql", "root@unix(" + u.Query().Get("socket") + ")" + u.Path}
}

// onBoth runs a test on a new, empty database of each kind.
func onBoth(t *testing.T, test func(*testing.T, database)) {
	t.Run("SQLite", func(t *testing.T) { test(t, onSQLite(filepath.Join(t.TempDir(), "catalog.db"))) })
	t.Run("MySQL", func(t *testing.T) { test(t, onMySQL(mysqltest.Start(t))) })
}

// do calls f with a connection pool of the database.
func (e database) do(t *testing.T, f func(*sql.DB)) {
	t.Helper()
	db, err := sql.Open(e.driver, e.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	f(db)
}

// exec runs a statement without a catalog.
func (e database) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	e.do(t, func(db *sql.DB) {
		if _, err := db.Exec(query, args...); err != nil {
			t.Fatalf("%s: %v", query, err)
		}
	})
}

// tables are those of a catalog, those before that refer to them.
var tables = []string{"package_contents", "page_names", "page_requests", "page_cursors", "page_states", "log_requests", "downloads", "log_files", "log_batches", "train_uploads", "trains", "promotions", "job_tokens", "trust_uses", "trusts", "audit", "api_tokens", "key_list", "secrets", "workers", "retentions", "exact_needs", "unyanks", "phases", "snapshot_releases", "snapshots", "reindexes", "release_holds", "visibility", "upload_releases", "uploads", "packages", "recoveries", "foreign_pairs", "publications", "releases", "distributions", "settings_pairs", "repositories"}

// cleared opens the catalog, migrated and without any row, which is quicker than a new one.
func (e database) cleared(t *testing.T) *catalogdb.DB {
	t.Helper()
	d := open(t, e.url)
	e.do(t, func(db *sql.DB) {
		for _, table := range tables {
			if _, err := db.Exec("DELETE FROM " + table); err != nil {
				t.Fatal(err)
			}
		}
	})
	return d
}

func TestProcessesMigrateTogether(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		const processes = 4
		errs := make(chan error, processes)
		for range processes {
			go func() {
				db, err := catalogdb.Open(e.url)
				if err == nil {
					err = errors.Join(db.Migrate(t.Context()), db.Ready(t.Context()), db.Close())
				}
				errs <- err
			}()
		}
		for range processes {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
		declare(t, open(t, e.url), jammy)
	})
}

func TestReadySaysWhatToRun(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		db, err := catalogdb.Open(e.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		checkSentence(t, db.Ready(t.Context()), "run repomill migrate")
		if err := errors.Join(db.Migrate(t.Context()), db.Ready(t.Context())); err != nil {
			t.Error(err)
		}
		// As a later release of the program leaves it.
		e.exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)`)
		if err := errors.Join(db.Ready(t.Context()), db.Migrate(t.Context()), db.Ready(t.Context())); err != nil {
			t.Errorf("a newer schema: %v", err)
		}
	})
}

// A crash after a statement and before its record leaves a migration that is done and not known to be.
func TestMySQLMigrationsRepeat(t *testing.T) {
	all, err := fs.Glob(os.DirFS("migrations/mysql"), "*.sql")
	if err != nil || len(all) == 0 {
		t.Fatal(all, err)
	}
	e := onMySQL(mysqltest.Start(t))
	declare(t, open(t, e.url), jammy)
	for _, name := range slices.Backward(all) {
		n, _, _ := strings.Cut(name, "_")
		e.exec(t, `DELETE FROM goose_db_version WHERE version_id >= ?`, n)
		checkRevision(t, open(t, e.url), jammy, 1)
	}
}

// A catalog of a version before the baseline is left as it is, and its owner is referred to the bucket.
func TestCatalogBeforeTheBaselineIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, e database) {
		declare(t, open(t, e.url), jammy)
		e.exec(t, `UPDATE goose_db_version SET version_id = 13 WHERE version_id > 0`)
		db, err := catalogdb.Open(e.url)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		for _, err := range []error{db.Migrate(t.Context()), db.Ready(t.Context())} {
			checkSentence(t, err, "before v0.1.0")
		}
		checkRevision(t, db, jammy, 1)
	})
}

// A new file that another connection uses cannot be switched to WAL, and SQLite does not wait for that connection.
func TestMigrateWaitsForOthers(t *testing.T) {
	for _, begin := range []string{"BEGIN", "BEGIN IMMEDIATE", "BEGIN EXCLUSIVE"} {
		t.Run(begin, func(t *testing.T) {
			t.Parallel()
			e := onSQLite(filepath.Join(t.TempDir(), "catalog.db"))
			e.exec(t, `CREATE TABLE other (n INTEGER)`)
			e.do(t, func(other *sql.DB) {
				other.SetMaxOpenConns(1)
				for _, query := range []string{begin, `SELECT COUNT(*) FROM other`} {
					if _, err := other.Exec(query); err != nil {
						t.Fatal(err)
					}
				}
				var ended sync.WaitGroup
				ended.Go(func() {
					time.Sleep(300 * time.Millisecond)
					if _, err := other.Exec("COMMIT"); err != nil {
						t.Error(err)
					}
				})
				defer ended.Wait()
				db, err := catalogdb.Open(e.url)
				if err != nil {
					t.Fatal(err)
				}
				defer db.Close()
				if err := errors.Join(db.Migrate(t.Context()), db.Ready(t.Context())); err != nil {
					t.Error(err)
				}
			})
		})
	}
}
