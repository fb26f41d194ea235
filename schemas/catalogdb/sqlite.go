package catalogdb

import (
	"database/sql"
	"errors"
	"fmt"
	"net/url"
)

// A sqliteError is an error of SQLite, with its code.
type sqliteError interface {
	error
	Code() int
}

// openSQLite opens the catalog in a file: one connection that writes, so that writers queue here and not
// in the database, and more that read.
func openSQLite(path string) (*DB, error) {
	write, err := sqlitePool(path, "immediate", 1)
	if err != nil {
		return nil, err
	}
	d := &DB{dialect: sqliteDialect, write: write, together: newGroup(write)}
	for _, pool := range []**sql.DB{&d.read, &d.views} {
		if *pool, err = sqlitePool(path, "deferred", 8); err != nil {
			return nil, errors.Join(err, write.Close())
		}
	}
	d.admin = func() (*sql.DB, error) { return sqlitePool(path, "immediate", 1) }
	return d, nil
}

// sqlitePool opens one pool. A commit is on disk when it returns (synchronous=FULL); readers see a
// snapshot and never wait for the writer (WAL).
func sqlitePool(path, lock string, connections int) (*sql.DB, error) {
	q := url.Values{"_txlock": {lock}, "_pragma": {
		"busy_timeout(10000)", "journal_mode(WAL)", "synchronous(FULL)", "foreign_keys(1)",
	}}
	inner, err := newSQLiteConnector("file:" + (&url.URL{Path: path}).EscapedPath() + "?" + q.Encode())
	if err != nil {
		return nil, fmt.Errorf("open catalog %s: %w", path, err)
	}
	db := sql.OpenDB(compiling{inner, path})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	return db, nil
}
