package catalogdb

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
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
	d := &DB{dialect: sqliteDialect, write: write, commits: newGroup(write), file: &sqliteFile{path: path}}
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

// An openError says why the file of an SQLite catalog cannot be used, and what to do.
type openError struct {
	detail string
	cause  error
}

func (e *openError) Error() string { return e.detail }
func (e *openError) Unwrap() error { return e.cause }
func (e *openError) aboutCatalog() {}

// explainOpen makes a sentence of an error that a new connection met, where SQLite's own words leave open what to do.
func explainOpen(path string, err error) error {
	const mask, perm, readOnly, corrupt, full, cannotOpen, noDatabase = 0xff, 3, 8, 11, 13, 14, 26 // SQLITE_PERM and so on
	var e sqliteError
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & mask {
	case perm, readOnly, cannotOpen:
		return &openError{whyClosed(path), err}
	case noDatabase, corrupt:
		return &openError{fmt.Sprintf("%s is no SQLite database, or damaged: name another with --catalog or --data, or restore it (without a catalog, repomill up takes over what is published)", path), err}
	case full:
		return &openError{fmt.Sprintf("the disk of the catalog %s is full: make room on it", path), err}
	}
	return err
}

// asOwner is what helps a user who may not use the catalog.
const asOwner = "run the command as the user of repomill up or the worker (sudo -u)"

// whyClosed says why the file of a catalog cannot be opened, and what to do.
func whyClosed(path string) string {
	dir := filepath.Dir(path)
	folder, noDir := os.Stat(dir)
	info, noFile := os.Stat(path)
	switch {
	case errors.Is(noDir, fs.ErrNotExist):
		return fmt.Sprintf("there is no folder for the catalog %s: make it, or name another with --catalog or --data", path)
	case noDir == nil && !folder.IsDir():
		return fmt.Sprintf("%s, the folder of the catalog, is a file: name another with --catalog or --data", dir)
	case errors.Is(noFile, fs.ErrPermission):
		return fmt.Sprintf("this user may not enter the folder of the catalog %s: %s", path, asOwner)
	case noFile == nil && info.IsDir():
		return fmt.Sprintf("%s is a folder, and a catalog is a file: name another with --catalog or --data", path)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	switch {
	case err == nil:
		f.Close() //nolint:errcheck // nothing was written
	case errors.Is(err, syscall.EROFS):
		return fmt.Sprintf("the catalog %s is on a file system that is read-only, and is written to even by who only reads it", path)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Sprintf("this user may not read and write the catalog %s, which is written to even by who only reads it: %s", path, asOwner)
	}
	if unix.Access(dir, unix.W_OK) == nil {
		return fmt.Sprintf("no catalog can be opened or made at %s: name another file with --catalog or --data", path)
	}
	return fmt.Sprintf("this user may not write to the folder of the catalog %s, where SQLite keeps a log even for who only reads: %s", path, asOwner)
}

// A compiling connector makes connections to SQLite that compile each statement once: the compiler costs
// several times what most of our statements do.
type compiling struct {
	driver.Connector
	path string // of the file
}

// Connect implements [driver.Connector].
func (c compiling) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, explainOpen(c.path, err)
	}
	return &compiledConn{conn.(sqliteConn), c.path, map[string]statement{}}, nil
}

// A sqliteConn is what the driver's connections can do.
type sqliteConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A statement is a compiled statement of the driver.
type statement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// maxCompiled bounds the compiled statements of a connection: some 10 KB each.
const maxCompiled = 200

// A compiledConn keeps compiled statements that are not in use. SQLite compiles one again by itself when the schema
// has changed. A connection is used by one goroutine at a time, as database/sql promises.
type compiledConn struct {
	sqliteConn
	path string
	idle map[string]statement
}

// ExecContext implements [driver.ExecerContext].
func (c *compiledConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	res, err := s.ExecContext(ctx, args)
	return res, errors.Join(err, c.put(query, s, err))
}

// QueryContext implements [driver.QueryerContext].
func (c *compiledConn) QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.take(ctx, query)
	if err != nil {
		return nil, err
	}
	rows, err := s.QueryContext(ctx, args)
	if err != nil {
		return nil, errors.Join(err, c.put(query, s, err))
	}
	return &compiledRows{rows, func(err error) error { return c.put(query, s, err) }}, nil
}

// BeginTx implements [driver.ConnBeginTx].
func (c *compiledConn) BeginTx(ctx context.Context, opts driver.TxOptions) (driver.Tx, error) {
	tx, err := c.sqliteConn.BeginTx(ctx, opts)
	if err != nil {
		return nil, explainOpen(c.path, err)
	}
	return tx, nil
}

// take returns a compiled statement that is not in use: the rows of an outer loop keep theirs.
func (c *compiledConn) take(ctx context.Context, query string) (statement, error) {
	if s, ok := c.idle[query]; ok {
		delete(c.idle, query)
		return s, nil
	}
	s, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	return s.(statement), nil
}

// put keeps a statement for the next call, unless it failed.
func (c *compiledConn) put(query string, s statement, failed error) error {
	if _, there := c.idle[query]; there || failed != nil {
		return s.Close()
	}
	if len(c.idle) >= maxCompiled {
		for other, old := range c.idle { // any one
			delete(c.idle, other)
			old.Close() //nolint:errcheck // it had no error when it was used
			break
		}
	}
	c.idle[query] = s
	return nil
}

// Close implements [driver.Conn].
func (c *compiledConn) Close() error {
	for _, s := range c.idle {
		s.Close() //nolint:errcheck // the connection goes too
	}
	c.idle = nil
	return c.sqliteConn.Close()
}

// compiledRows give their statement back.
type compiledRows struct {
	driver.Rows
	put func(error) error
}

// Close implements [driver.Rows].
func (r *compiledRows) Close() error {
	err := r.Rows.Close()
	return errors.Join(err, r.put(err))
}

// A sqliteFile is the file of an SQLite catalog, as this process has opened it.
type sqliteFile struct {
	path string

	mu   sync.Mutex
	info fs.FileInfo // at the first look; nil before
}

// check returns an error if another file has the path since the first look: some connections write to a file that is gone.
func (f *sqliteFile) check() error {
	if f == nil {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	info, err := os.Stat(f.path)
	switch {
	case f.info == nil && err == nil:
		f.info = info
	case f.info != nil && (err != nil || !os.SameFile(info, f.info)):
		return &openError{fmt.Sprintf("the catalog %s was removed or replaced while this process used it: start it again", f.path), err}
	}
	return nil
}
