package catalogdb

import (
	"context"
	"crypto/tls"
	"database/sql"
)

// Tx runs f in a transaction that is repeated as every other.
func (d *DB) Tx(ctx context.Context, f func(*sql.Tx) error) error {
	return d.tx(ctx, func(tx *transaction) error { return f(tx.Tx) })
}

// TLSOf returns how a catalog's connections speak TLS, or nil for not at all.
func TLSOf(rawURL string) (*tls.Config, error) {
	t, err := parseMySQL(rawURL)
	if err != nil {
		return nil, err
	}
	return t.tls, nil
}
