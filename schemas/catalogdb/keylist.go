package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// RememberKeys keeps a copy of the list of keys that is in the bucket, unless a later one is kept already.
func (d *DB) RememberKeys(ctx context.Context, revision int64, list []byte) error {
	err := d.tx(ctx, func(tx *transaction) error {
		last, _, err := keyList(ctx, tx)
		if err != nil || last >= revision {
			return err
		}
		_, err = tx.ExecContext(ctx, `REPLACE INTO key_list (id, revision, body) VALUES (1, ?, ?)`, revision, list)
		return err
	})
	if err != nil {
		return fmt.Errorf("keep a copy of the list of keys: %w", err)
	}
	return nil
}

// RememberedKeys returns the copy of the list of keys, and its revision; 0 if there is none.
func (d *DB) RememberedKeys(ctx context.Context) (revision int64, list []byte, err error) {
	err = d.ask(ctx, func(q querier) error {
		revision, list, err = keyList(ctx, q)
		return err
	})
	if err != nil {
		return 0, nil, fmt.Errorf("read the copy of the list of keys: %w", err)
	}
	return revision, list, nil
}

func keyList(ctx context.Context, q querier) (revision int64, list []byte, err error) {
	err = q.QueryRowContext(ctx, `SELECT revision, body FROM key_list WHERE id = 1`).Scan(&revision, &list)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return revision, list, err
}
