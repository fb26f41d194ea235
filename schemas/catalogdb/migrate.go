package catalogdb

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

//go:embed migrations
var migrations embed.FS

// Migrate brings the schema to the version of this program. It may be repeated, by several processes at once, and
// while the previous version of the program runs: migrations only add. A newer schema is left as it is.
func (d *DB) Migrate(ctx context.Context) error {
	if err := d.checkServer(ctx); err != nil {
		return err
	}
	var err error
	for n := 1; n <= maxTries; n++ { // SQLite: the first ones may find that another process just does the same
		if err = d.migrate(ctx); err == nil || !pause(ctx, backoff(repeat, n)) {
			break
		}
	}
	return inCatalog("migrate the catalog", err)
}

func (d *DB) migrate(ctx context.Context) error {
	dir, want, err := d.migrations()
	if err != nil {
		return err
	}
	switch version, err := d.schema(ctx); {
	case err != nil || version >= want:
		return err
	case version > 0 && version < baseline:
		return errBeforeBaseline
	}
	db, err := d.admin()
	if err != nil {
		return err
	}
	defer db.Close()
	options, err := d.gooseOptions()
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(d.goose, db, dir, options...)
	if err != nil {
		return err
	}
	_, err = p.Up(ctx)
	return err
}

// baseline is the version of the schema with which compatibility begins, that of v0.1.0. Later migrations only add.
const baseline = 100

// errBeforeBaseline says what to do with a catalog that is older. The bucket has all that makes a new one.
var errBeforeBaseline = errors.New("the catalog was made by a version before v0.1.0, and is not migrated: stop all workers, name a new and empty database with --catalog " +
	"(repomill up: move catalog.db, catalog.db-wal and catalog.db-shm out of --data) and start again: packages, settings and read tokens are taken over from the bucket")

// gooseOptions makes processes take turns: on MySQL with a row that one of them holds and renews, and
// that another takes over half a minute after its holder died. SQLite's migrations are transactions.
func (d *DB) gooseOptions() ([]goose.ProviderOption, error) {
	options := []goose.ProviderOption{goose.WithDisableGlobalRegistry(true)}
	if d.goose != goose.DialectMySQL {
		return options, nil
	}
	locker, err := lock.NewMySQLTableLocker(lock.WithTableName("goose_lock"),
		lock.WithTableLockTimeout(250*time.Millisecond, 1200), // 5 minutes
		lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	return append(options, goose.WithLocker(locker)), err
}

// Ready returns an error for the operator unless the database answers, accepts rows of every size, and has a schema
// that is at least as new as this program.
func (d *DB) Ready(ctx context.Context) error {
	if err := d.file.check(); err != nil {
		return err
	}
	if err := d.checkServer(ctx); err != nil {
		return err
	}
	_, want, err := d.migrations()
	if err != nil {
		return err
	}
	version, err := d.schema(ctx)
	if err != nil {
		return inCatalog("read the catalog's schema", err)
	}
	if version > 0 && version < baseline {
		return errBeforeBaseline
	}
	if version < want {
		return fmt.Errorf("the catalog's schema is at version %d and this program needs %d: run repomill migrate with the same --catalog", version, want)
	}
	return nil
}

// migrations returns the folder of migrations and the version that they lead to.
func (d *DB) migrations() (dir fs.FS, version int64, err error) {
	folder := path.Join("migrations", d.name)
	if dir, err = fs.Sub(migrations, folder); err != nil {
		return nil, 0, err
	}
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, 0, err
	}
	number, _, _ := strings.Cut(entries[len(entries)-1].Name(), "_") // in order of their names
	version, err = strconv.ParseInt(number, 10, 64)
	return dir, version, err
}

// schema returns the version that the database's schema has; 0 if it has none.
func (d *DB) schema(ctx context.Context) (version int64, err error) {
	err = d.ask(ctx, func(q querier) error {
		var max sql.NullInt64
		err := q.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version WHERE is_applied`).Scan(&max)
		if err != nil && d.missingTable(err) {
			err = nil
		}
		version = max.Int64
		return err
	})
	return version, err
}

// checkServer reports whether the database takes rows of every size.
func (d *DB) checkServer(ctx context.Context) error {
	if d.goose != goose.DialectMySQL {
		return d.Ping(ctx)
	}
	const want = 4*MaxFragment + 1<<20 // a row with all four of its fragments
	var size int64
	err := d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT @@global.max_allowed_packet`).Scan(&size)
	})
	if err != nil {
		return inCatalog("ask the catalog", err)
	}
	if size < want {
		return errors.New("the server of --catalog takes packets of at most " + strconv.FormatInt(size, 10) +
			" bytes, too few for a package with many files: set max_allowed_packet = 64M there (my.cnf, or SET GLOBAL max_allowed_packet = 67108864) and try again")
	}
	return nil
}

// A schemaError says that the catalog lacks what a statement asks for.
type schemaError struct{ cause error }

func (e *schemaError) Error() string {
	return fmt.Sprintf("the catalog's schema is older than this program, or there is none yet (%v): run repomill migrate with the same --catalog; repomill up does that at its start", e.cause)
}
func (e *schemaError) Unwrap() error { return e.cause }
func (e *schemaError) aboutCatalog() {}
