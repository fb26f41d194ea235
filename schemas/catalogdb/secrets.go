package catalogdb

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
)

// CacheSecret returns the secret of the catalog that authenticates what processes keep of the rows outside of it. It is 32 random bytes,
// made by the first call and then always the same. Another catalog has another one, also one that is made of the same bucket.
func (d *DB) CacheSecret(ctx context.Context) (secret []byte, err error) {
	const name = "cache"
	err = d.tx(ctx, func(tx *transaction) error {
		err := tx.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = ?`+tx.forUpdate, name).Scan(&secret)
		if !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		secret = make([]byte, 32)
		rand.Read(secret) // never fails (crypto/rand)
		_, err = tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES (?, ?)`, name, secret)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the secret of caches: %w", err)
	}
	return secret, nil
}
