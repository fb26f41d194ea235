package catalogdb

import (
	"context"
	"database/sql/driver"
	"errors"
)

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

// A compiledConn keeps its compiled statements while nobody uses them. SQLite compiles one again by itself
// when the schema has changed. A connection is used by one goroutine at a time, as database/sql promises.
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

// take returns a compiled statement that nobody uses: the rows of an outer loop keep theirs.
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

// put keeps a statement for the next one who asks, unless it failed.
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
