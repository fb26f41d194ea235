// Package catalogdb keeps the catalog in a database: every SQL statement and migration is here.
//
// Methods may be called concurrently and by several processes. A write is durable when it returns
// nil. Everything is idempotent by key; timestamps come from the caller. What a database asks to have
// repeated (a deadlock, a fail-over) is repeated here, as a whole transaction, so that an error that
// comes out was not helped by ten tries. Rows that functions yield are never repeated.
package catalogdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
)

var (
	// ErrNotFound is returned for a repository, release, package or upload that the catalog does not have.
	ErrNotFound = errors.New("not in the catalog")
	// ErrExists is returned for a repository that is there already.
	ErrExists = errors.New("already in the catalog")
)

// A DB is an open catalog.
type DB struct {
	dialect
	write *sql.DB // SQLite: one connection, so that writers queue here and not in the database
	read  *sql.DB
	views *sql.DB // of snapshots alone: whoever holds one can still ask a question
	admin func() (*sql.DB, error)

	together *group // SQLite: of the transactions that write
}

// Open opens the catalog that a URL names:
//
//	sqlite:///absolute/path or sqlite://relative/path
//	mysql://USER@HOST[:PORT]/DATABASE[?password-file=/path&tls=true|skip-verify|false&tls-ca=/path&socket=/path]
//
// An SQLite database is created if it is absent. A MySQL database has to exist; nothing is asked of it
// here. Call [DB.Migrate] or [DB.Ready] before anything else.
//
// The password file is read again for each new connection, so that passwords can be rotated. TLS is
// verified unless the URL says otherwise or the server is on this machine (localhost, a loopback
// address, a socket). Without tls-ca the system's authorities are trusted.
func Open(rawURL string) (*DB, error) {
	switch scheme, rest, _ := strings.Cut(rawURL, "://"); {
	case scheme == "sqlite" && rest != "":
		return openSQLite(filepath.Clean(rest)) // a URL of SQLite has a server after two slashes
	case scheme == "mysql" && rest != "":
		return openMySQL(rawURL)
	default: // it may hold a password: say nothing of it
		return nil, errors.New("--catalog is no catalog's URL: use mysql://USER@HOST/DATABASE?password-file=/path or sqlite:///path/to/catalog.db")
	}
}

// Close closes the catalog.
func (d *DB) Close() error { return errors.Join(d.write.Close(), d.read.Close(), d.views.Close()) }

// Ping reports whether the database answers.
func (d *DB) Ping(ctx context.Context) error {
	// On a new SQLite file, another process may just switch it to WAL, for which no connection waits.
	err := d.retry(ctx, func() error { return d.read.PingContext(ctx) })
	return inCatalog("reach the catalog", err)
}

// inCatalog says what was done when an error came, unless the error is a sentence about the catalog itself.
func inCatalog(doing string, err error) error {
	var sentence interface{ aboutCatalog() }
	if err == nil || errors.As(err, &sentence) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
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

// notFound turns the absence of a row into [ErrNotFound].
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}

// scanID reads a row that is one id.
func scanID(scan func(...any) error) (id int64, err error) { return id, scan(&id) }

// in returns "column IN (?, ...)" and its arguments. There must be values.
func in[T any](column string, values []T) (where string, args []any) {
	for _, v := range values {
		args = append(args, v)
	}
	return column + ` IN (?` + strings.Repeat(`, ?`, len(values)-1) + `)`, args
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
