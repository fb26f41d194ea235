package catalogdb

import (
	"context"
	"crypto/tls"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"

	"github.com/go-sql-driver/mysql"
)

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
	return conn, nil
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

// isLost reports whether an error says that a connection is gone, whatever became of its statement.
func isLost(err error) bool {
	for _, lost := range []error{driver.ErrBadConn, mysql.ErrInvalidConn, io.EOF, io.ErrUnexpectedEOF, net.ErrClosed,
		syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EPIPE} {
		if errors.Is(err, lost) {
			return true
		}
	}
	return false
}
