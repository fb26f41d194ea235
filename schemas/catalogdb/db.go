// Package catalogdb keeps the catalog in a database: every SQL statement and migration is here.
//
// Methods may be called concurrently and by several processes. A write is durable when it returns
// nil. Everything is idempotent by key; timestamps come from the caller.
package catalogdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
	_ "modernc.org/sqlite" // the embedded database
)

//go:embed migrations
var migrations embed.FS

// ErrNotFound is returned for a repository, release or upload that the catalog does not have.
var ErrNotFound = errors.New("not in the catalog")

// A DB is an open catalog.
type DB struct {
	write *sql.DB // SQLite: one connection, so that writers queue here and not in the database
	read  *sql.DB
	views *sql.DB // of snapshots alone: whoever holds one can still ask a question
}

// Open opens the catalog that a URL names: sqlite:///absolute/path or sqlite://relative/path.
// The database is created if it is absent; call [DB.Migrate] before anything else.
func Open(rawURL string) (*DB, error) {
	scheme, path, ok := strings.Cut(rawURL, "://")
	if !ok || scheme != "sqlite" || path == "" {
		return nil, fmt.Errorf("catalog %q: use sqlite:///path/to/catalog.db", rawURL)
	}
	write, err := openSQLite(path, "immediate", 1)
	if err != nil {
		return nil, err
	}
	read, err := openSQLite(path, "deferred", 8)
	if err != nil {
		write.Close()
		return nil, err
	}
	views, err := openSQLite(path, "deferred", 8)
	if err != nil {
		write.Close()
		read.Close()
		return nil, err
	}
	return &DB{write: write, read: read, views: views}, nil
}

// openSQLite opens one pool. A commit is on disk when it returns (synchronous=FULL); readers see a
// snapshot and never wait for the writer (WAL).
func openSQLite(path, lock string, connections int) (*sql.DB, error) {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", path, err)
	}
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}

// Close closes the catalog.
func (d *DB) Close() error { return errors.Join(d.write.Close(), d.read.Close(), d.views.Close()) }

// Migrate brings the schema up to date. It may be repeated.
func (d *DB) Migrate(ctx context.Context) error {
	dir, err := fs.Sub(migrations, "migrations/sqlite")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, d.write, dir)
	if err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate catalog: %w", err)
	}
	return nil
}

// tx runs f in one transaction: committed if f returns nil, else rolled back.
func (d *DB) tx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := d.write.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // after a commit there is nothing to roll back
	if err := f(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// querier is what *sql.DB and *sql.Tx have in common.
type querier interface {
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

// collect reads all rows of a query through scan.
func collect[T any](ctx context.Context, q querier, scan func(func(...any) error) (T, error), query string, args ...any) ([]T, error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		v, err := scan(rows.Scan)
		if err != nil {
			return nil, err
		}
		all = append(all, v)
	}
	return all, rows.Err()
}

// millis and instant convert times as the tables have them.
func millis(t time.Time) int64   { return t.UnixMilli() }
func instant(ms int64) time.Time { return time.UnixMilli(ms).UTC() }
func optional(ms sql.NullInt64) *time.Time {
	if !ms.Valid {
		return nil
	}
	t := instant(ms.Int64)
	return &t
}

// random returns 16 hexadecimal digits that nobody can have drawn before.
func random() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
