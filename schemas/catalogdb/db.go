// Package catalogdb stores the catalog in a database. Every SQL statement and migration is here.
//
// Methods may be called concurrently, and by several processes. A write that returns nil is durable. All
// writes are idempotent by key; timestamps are the caller's. If a database asks to repeat a transaction (a
// deadlock, a fail-over), it is repeated here as a whole, up to ten times: a caller that gets an error need
// not repeat it at once. Rows that an iterator yields are never repeated.
//
// Each aggregate has a file: uploads and their verdicts; packages, with lists of them, their claims, activations, yanks and
// visibility in releases; releases with their locks, and their revisions; reindexes; distributions and
// settings; keys and workers; tokens of the API; trusts and job tokens; the audit log; statistics; recovery; snapshots; pages. The engine is db,
// tx, group, sqlite, mysql and migrate.
package catalogdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"database/sql/driver"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/pressly/goose/v3"

	"repomill/schemas/catalog"
)

var (
	// ErrNotFound is returned for a repository, release, package or upload that the catalog does not have.
	ErrNotFound = catalog.ErrNotFound
	// ErrExists is returned for a repository that is there already.
	ErrExists = errors.New("already in the catalog")
)

// A DB is an open catalog.
type DB struct {
	dialect
	write *sql.DB // SQLite: one connection, so that writers queue here and not in the database
	read  *sql.DB
	views *sql.DB // of snapshots alone: a caller with an open snapshot can still read
	admin func() (*sql.DB, error)

	commits *group // SQLite: of the transactions that write
	file    *sqliteFile
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

// Clock returns what time it is in the database.
func (d *DB) Clock(ctx context.Context) (now time.Time, err error) {
	err = d.ask(ctx, func(q querier) error { return q.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)) })
	if err != nil {
		return now, fmt.Errorf("the catalog's clock: %w", err)
	}
	return now, nil
}

// inCatalog adds what was being done to an error, unless the error is a sentence about the catalog already.
func inCatalog(doing string, err error) error {
	var sentence interface{ aboutCatalog() }
	if err == nil || errors.As(err, &sentence) {
		return err
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// A dialect is what differs between the databases. All other SQL is what they share.
type dialect struct {
	name         string // of the folder of migrations
	goose        goose.Dialect
	foldedFile   string             // the file of package k, for LIKE and a pattern in lower case
	inOrder      string             // follows "packages k": rows are found by the index packages_in_order, in its order
	forUpdate    string             // ends a SELECT whose rows stay locked; SQLite has one writer at a time
	addToRow     string             // ends an INSERT into {table} that adds {sum} to that of the row with the same {key}
	clock        string             // asks for the time, in milliseconds since 1970
	missingTable func(error) bool   // whether an error says that a table does not exist
	missingField func(error) bool   // the same of a column
	remedy       func(error) remedy // what helps against an error
}

var sqliteDialect = dialect{
	name:       "sqlite",
	goose:      goose.DialectSQLite3,
	inOrder:    ` INDEXED BY packages_in_order`,
	foldedFile: `k.file`, // LIKE has no case here, for the letters that file names have
	addToRow:   `ON CONFLICT ({key}) DO UPDATE SET {sum} = {table}.{sum} + excluded.{sum}`,
	clock:      `SELECT CAST(unixepoch('now', 'subsec') * 1000 AS INTEGER)`,
	missingTable: func(err error) bool {
		return strings.Contains(err.Error(), "no such table")
	},
	missingField: func(err error) bool {
		return strings.Contains(err.Error(), "no such column") || strings.Contains(err.Error(), "has no column named")
	},
	remedy: func(err error) remedy {
		const busy, locked, mask = 5, 6, 0xff // SQLITE_BUSY, SQLITE_LOCKED; higher bits have details
		var e sqliteError
		if errors.Is(err, errBroken) || errors.As(err, &e) && (e.Code()&mask == busy || e.Code()&mask == locked) {
			return repeat
		}
		return none
	},
}

var mysqlDialect = dialect{
	name:         "mysql",
	goose:        goose.DialectMySQL,
	foldedFile:   `LOWER(CONVERT(k.file USING utf8mb4))`, // bytes have no case
	inOrder:      ` FORCE INDEX (packages_in_order)`,     // of a page it would read all before it
	forUpdate:    " FOR UPDATE",
	addToRow:     `ON DUPLICATE KEY UPDATE {table}.{sum} = {table}.{sum} + VALUES({sum})`,
	clock:        `SELECT CAST(UNIX_TIMESTAMP(NOW(3)) * 1000 AS SIGNED)`,
	missingTable: func(err error) bool { return mysqlError(err) == 1146 }, // ER_NO_SUCH_TABLE
	missingField: func(err error) bool { return mysqlError(err) == 1054 }, // ER_BAD_FIELD_ERROR
	remedy:       mysqlRemedy,
}

// in returns "column IN (?, ...)" and its arguments. There must be values.
func in[T any](column string, values []T) (where string, args []any) {
	for _, v := range values {
		args = append(args, v)
	}
	return column + ` IN (?` + strings.Repeat(`, ?`, len(values)-1) + `)`, args
}

// jsonList stores a slice as a JSON array.
type jsonList[T any] struct{ values *[]T }

// Scan implements [database/sql.Scanner].
func (l jsonList[T]) Scan(src any) error {
	s, ok := src.(string)
	if b, isBytes := src.([]byte); isBytes {
		s, ok = string(b), true
	}
	if !ok {
		return fmt.Errorf("list column has type %T", src)
	}
	*l.values = nil // or else old elements remain
	return json.Unmarshal([]byte(s), l.values)
}

// Value implements [driver.Valuer].
func (l jsonList[T]) Value() (driver.Value, error) {
	if *l.values == nil {
		return "[]", nil
	}
	b, err := json.Marshal(*l.values)
	return string(b), err
}

// scanTime reads a time that is not NULL.
type scanTime time.Time

// Scan implements [database/sql.Scanner].
func (t *scanTime) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time column has type %T", src)
	}
	*t = scanTime(instant(ms))
	return nil
}

// cut shortens text that is only shown to what its column holds, between characters.
func cut(s string, bytes int) string {
	if len(s) <= bytes {
		return s
	}
	for bytes > 0 && !utf8.RuneStart(s[bytes]) {
		bytes--
	}
	return s[:bytes]
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

// random returns a nonce: 16 random hexadecimal digits.
func random() string {
	var b [8]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}
