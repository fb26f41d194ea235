package catalogdb_test

import (
	"database/sql"
	"errors"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"

	"repomill/schemas/catalog"
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
var tables = []string{"job_tokens", "trust_uses", "trusts", "audit", "api_tokens", "key_list", "workers", "unyanks", "reindexes", "release_holds", "appearances", "upload_releases", "uploads", "packages", "foreign_pairs", "publications", "releases", "distributions", "settings_pairs", "repositories"}

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
		e.exec(t, `INSERT INTO goose_db_version (version_id, is_applied) VALUES (99, 1)`)
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
	for n := len(all); n > 0; n-- {
		e.exec(t, `DELETE FROM goose_db_version WHERE version_id >= ?`, n)
		checkRevision(t, open(t, e.url), jammy, 1)
	}
}

// A database of the first release of the program has what it had, and the first release can go on
// writing to it.
func TestTheFirstReleaseGoesOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "catalog.db")
	e := onSQLite(path)
	old, err := sql.Open(e.driver, e.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer old.Close()
	p, err := goose.NewProvider(goose.DialectSQLite3, old, os.DirFS("migrations/sqlite"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	pushOld(t, e, 1, "hello")
	db := openSQLite(t, path)
	pushOld(t, e, 2, "bye")
	if diff := cmp.Diff([]string{"bye 1 amd64", "hello 1 amd64"}, names(t, db, jammy)); diff != "" {
		t.Errorf("%s shows (-want +got):\n%s", jammy, diff)
	}
	e.do(t, func(db *sql.DB) {
		if err := db.QueryRow(`PRAGMA foreign_key_check`).Scan(new(any), new(any), new(any), new(any)); !errors.Is(err, sql.ErrNoRows) {
			t.Errorf("rows refer to none: %v", err)
		}
	})
	checkPlaced(t, db, "what the first release published", "", "ubuntu/jammy: 1 amd64 active since 12:00:00")
	for range 2 {
		checkUnpublishedSettings(t, db, tools)
		if s := settingsOf(t, db, tools); s.Revision.Number != 1 || !noncePattern.MatchString(s.Revision.Nonce) || s.Tokens != nil {
			t.Errorf("got settings %+v, want the first pair", s)
		}
	}
	yankAll(t, db, selectorOf(deb(jammy, "hello", "1")))
	checkPackage(t, db, deb(jammy, "bye", "1"), catalog.Active)
	if uploads, err := db.Expired(t.Context(), "staging", after(time.Second), 9); err != nil || len(uploads) != 0 { // the yank is not published
		t.Errorf("expired: %v, %v", uploads, err)
	}
	publish(t, db, jammy, 2, start)
	if uploads, err := db.Expired(t.Context(), "staging", after(time.Second), 9); err != nil || len(uploads) != 2 {
		t.Errorf("expired: %v, %v; want both", uploads, err)
	}
	declareComponent(t, db, jammy, "testing")
	if holder, claimed, err := db.Claim(t.Context(), inComponent(deb(jammy, "bye", "1"), "testing"), catalog.Upload{}); err != nil || !claimed {
		t.Errorf("a package of another component: %+v, %v", holder, err)
	}
}

// pushOld writes what the first release of the program wrote for a published package.
func pushOld(t *testing.T, e database, id int, name string) {
	t.Helper()
	k := deb(jammy, name, "1")
	if id == 1 {
		e.exec(t, `INSERT INTO repositories (owner, name, visibility, origin, label, created_at) VALUES ('acme', 'tools', 'public', 'acme/tools', 'tools', 1)`)
		e.exec(t, `INSERT INTO distributions (repository_id, os, version, format, components, architectures, created_at) VALUES (1, 'ubuntu', 'jammy', 'deb', '["main"]', '["amd64"]', 1)`)
		e.exec(t, `INSERT INTO releases (distribution_id, arch, revision, nonce, published_revision, fault) VALUES (1, '', 1, '0123456789abcdef', 1, '')`)
		e.exec(t, `INSERT INTO publications (release_id, revision, nonce, drawn_at, published_at) VALUES (1, 1, '0123456789abcdef', ?, ?)`, start.UnixMilli(), start.UnixMilli())
	}
	e.exec(t, `INSERT INTO packages (distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key, size, sha256, md5, uploaded_at, state, stanza)
		VALUES (1, 'main', ?, '1', '1', 'amd64', '', ?, ?, 1, ?, '', 1, 'active', NULL)`, name, k.SortKey, k.Key, k.File.SHA256)
	e.exec(t, `INSERT INTO uploads (bucket, object, generation, size, state, outcome, reason, detail, package_id, lease_owner, lease_token, lease_until, attempts, received_at, finished_at, told)
		VALUES ('staging', ?, '1', 1, 'published', 'published', '', '', ?, '', '', 0, 1, ?, ?, 1)`, name, id, start.UnixMilli(), start.UnixMilli())
	e.exec(t, `INSERT INTO upload_releases (upload_id, release_id, revision) VALUES (?, 1, 1)`, id)
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
