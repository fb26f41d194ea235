package catalogdb

import (
	"context"
	"crypto/tls"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"
)

// connections is how many each pool of a MySQL catalog has at most.
const connections = 8

// Session settings of every connection. Without a strict mode a server cuts values that are too long;
// with any character set but binary it folds and converts names. MySQL and MariaDB know all of them.
var session = map[string]string{
	"sql_mode":                 "'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION'",
	"innodb_lock_wait_timeout": "10",   // seconds; then the transaction is repeated
	"lock_wait_timeout":        "60",   // for another one's change of the schema
	"net_write_timeout":        "600",  // a publisher may render for minutes between two rows
	"wait_timeout":             "1800", // and write objects with its snapshot open
}

// How long a connection may take, and live: a fail-over moves the name of the server.
const (
	dialTimeout = 10 * time.Second
	ioTimeout   = 2 * time.Minute
	maxConnLife = 3 * time.Minute
	maxConnIdle = time.Minute
)

// openMySQL opens the catalog of a server. Writers see at each statement what is committed; readers see
// one moment for as long as their transaction lasts.
func openMySQL(rawURL string) (*DB, error) {
	target, err := parseMySQL(rawURL)
	if err != nil {
		return nil, err
	}
	d := &DB{dialect: mysqlDialect}
	for pool, isolation := range map[**sql.DB]string{&d.write: readCommitted, &d.read: repeatableRead, &d.views: repeatableRead} {
		if *pool, err = target.pool(isolation, ioTimeout); err != nil {
			return nil, err // pools without connections hold nothing
		}
	}
	d.admin = func() (*sql.DB, error) { return target.pool(readCommitted, time.Hour) } // a migration may take long
	return d, nil
}

// Isolation levels, as in SET SESSION TRANSACTION.
const (
	readCommitted  = "READ COMMITTED"
	repeatableRead = "REPEATABLE READ"
)

// pool opens a pool of connections whose single answers take at most timeout to begin and to go on.
func (t *mysqlTarget) pool(isolation string, timeout time.Duration) (*sql.DB, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.DBName, cfg.TLS = t.user, t.database, t.tls.Clone()
	cfg.Net, cfg.Addr = t.network, t.address
	cfg.Timeout, cfg.ReadTimeout, cfg.WriteTimeout = dialTimeout, timeout, timeout
	cfg.Params = session
	cfg.ClientFoundRows = true   // as SQLite counts
	cfg.ParseTime = true         // for the table of migrations
	cfg.InterpolateParams = true // a statement is one round trip instead of two
	cfg.Logger = &mysql.NopLogger{}
	err := cfg.Apply(mysql.Charset("binary", ""), mysql.BeforeConnect(func(_ context.Context, cfg *mysql.Config) (err error) {
		cfg.Passwd, err = t.password()
		return err
	}))
	if err != nil {
		return nil, fmt.Errorf("--catalog: %w", err)
	}
	inner, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("--catalog: %w", err)
	}
	db := sql.OpenDB(&connector{inner, t, isolation})
	db.SetMaxOpenConns(connections)
	db.SetMaxIdleConns(connections)
	db.SetConnMaxLifetime(maxConnLife)
	db.SetConnMaxIdleTime(maxConnIdle)
	return db, nil
}

// A connector makes the connections of one pool. Its errors are sentences for the operator.
type connector struct {
	driver.Connector
	target    *mysqlTarget
	isolation string
}

// Connect implements [driver.Connector].
func (c *connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, c.target.explain(err)
	}
	if _, err = conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL "+c.isolation, nil); err != nil {
		conn.Close() //nolint:errcheck // it did nothing yet
		return nil, c.target.explain(err)
	}
	c.target.reached.Store(true)
	return &mysqlConn{conn.(mysqlDriverConn)}, nil
}

// A mysqlDriverConn is what the driver's connections can do.
type mysqlDriverConn interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.NamedValueChecker
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

// A mysqlConn sends small arguments within their statement, and large ones after it, in pieces: escaped, a fragment might be larger than the
// packets that the server takes.
type mysqlConn struct{ mysqlDriverConn }

// maxInterpolated is how many bytes arguments have that are sent within their statement.
const maxInterpolated = 256 << 10

// ExecContext implements [driver.ExecerContext].
func (c *mysqlConn) ExecContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Result, error) {
	size := 0
	for _, a := range args {
		switch v := a.Value.(type) {
		case []byte:
			size += len(v)
		case string:
			size += len(v)
		}
	}
	if size > maxInterpolated {
		return nil, driver.ErrSkip // the statement is prepared
	}
	return c.mysqlDriverConn.ExecContext(ctx, query, args)
}

// A connectError says why there is no connection.
type connectError struct {
	detail string // names the server and what to do, never the password
	cause  error
	away   bool // the server was there before, and may come back
}

func (e *connectError) Error() string { return "--catalog: " + e.detail }
func (e *connectError) Unwrap() error { return e.cause }
func (e *connectError) aboutCatalog() {}

// explain makes one clear sentence of an error that a new connection met.
func (t *mysqlTarget) explain(err error) error {
	var explained *connectError
	if errors.Is(err, context.Canceled) || errors.As(err, &explained) {
		return err
	}
	e := &connectError{cause: err, detail: fmt.Sprintf("%s does not let us in: %v", t.host, err)}
	var certificate *tls.CertificateVerificationError
	var network net.Error
	switch number := mysqlError(err); {
	case number == 1045 || number == 1698: // ER_ACCESS_DENIED_ERROR, and without a password
		e.detail = fmt.Sprintf("%s refuses user %q with this password: put the right one into the file that password-file names", t.host, t.user)
	case number == 1044: // ER_DBACCESS_DENIED_ERROR
		e.detail = fmt.Sprintf("%s does not let user %q into database %q: GRANT ALL ON the database to this user", t.host, t.user, t.database)
	case number == 1049: // ER_BAD_DB_ERROR
		e.detail = fmt.Sprintf("%s has no database %q: create it first, then run repomill migrate", t.host, t.database)
	case number == 1130: // ER_HOST_NOT_PRIVILEGED
		e.detail = fmt.Sprintf("%s does not let this machine in: create the user for this host, or open the server's firewall", t.host)
	case number == 3159: // ER_SECURE_TRANSPORT_REQUIRED
		e.detail = fmt.Sprintf("%s wants TLS: add tls=true", t.host)
	case errors.Is(err, mysql.ErrNoTLS):
		e.detail = fmt.Sprintf("%s does not speak TLS: switch it on there or, if the way to it is safe, add tls=false", t.host)
	case errors.As(err, &certificate):
		e.detail = fmt.Sprintf("the certificate of %s is not trusted (%v): name the authority that signed it with tls-ca=/path/to/ca.pem", t.host, certificate.Err)
	case errors.As(err, &network), isLost(err), errors.Is(err, context.DeadlineExceeded):
		e.detail = fmt.Sprintf("cannot reach %s: %v", t.host, err)
		e.away = t.reached.Load()
	}
	return e
}

// IsLost reports whether an error says that a connection was lost on the way, to a database or another server, or that the database closes
// its connections, as when it is stopped: what was read over it has to be read once more, on another one. Questions and transactions that
// lose theirs are repeated here; a [Snapshot], which is read in parts, is for the caller to open again.
func IsLost(err error) bool { return mysqlRemedy(err) == reconnect }

// isLost reports whether an error says that a connection is lost. Its statement may have been executed.
func isLost(err error) bool {
	for _, lost := range []error{driver.ErrBadConn, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}

// mysqlError returns the number of a server's error, or 0.
func mysqlError(err error) uint16 {
	var e *mysql.MySQLError
	if errors.As(err, &e) {
		return e.Number
	}
	return 0
}

// errReadOnly says that a server takes no writes: reads from it may be old.
var errReadOnly = errors.New("the server of --catalog takes no writes: name the primary, not a replica")

func mysqlRemedy(err error) remedy {
	switch mysqlError(err) {
	case 1213, 1205, // deadlock, lock wait timeout
		1062, // duplicate key: another transaction inserted the row first, and the next try finds it
		1020: // MariaDB 11.6: the row was changed since it was read
		return repeat
	case 1290, 1792, 1836, // read-only, as after a fail-over
		1053, 1927, 4031, // shutdown, connection killed, closed for having been idle
		1040, 1047: // too many connections, a Galera node that is not ready
		return reconnect
	}
	var connect *connectError
	switch {
	case errors.As(err, &connect):
		if connect.away {
			return reconnect
		}
		return none
	case errors.Is(err, errReadOnly), isLost(err):
		return reconnect
	}
	return none
}

// checkPrimary returns errReadOnly if the server is a replica, or was a primary once. Reads from it may be old.
func (d *DB) checkPrimary(ctx context.Context, q querier) error {
	if d.forUpdate == "" {
		return nil // a file
	}
	var server, engine string
	if err := q.QueryRowContext(ctx, `SELECT @@global.read_only, @@global.innodb_read_only`).Scan(&server, &engine); err != nil {
		return err
	}
	for _, value := range []string{server, engine} {
		if value != "0" && value != "OFF" {
			return errReadOnly
		}
	}
	return nil
}
