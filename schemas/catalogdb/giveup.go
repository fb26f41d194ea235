package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// GiveUp gives up a lease after an attempt that hung or panicked, and why. The attempt counts, as one
// that stopped the program does: the last one is the upload's end. A repeat does nothing.
func (d *DB) GiveUp(ctx context.Context, u catalog.Upload, token, why string, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := leased(ctx, tx, u, token)
		if err != nil || id == 0 {
			return err
		}
		var attempts int
		if err := tx.QueryRowContext(ctx, `SELECT attempts FROM uploads WHERE id = ?`, id).Scan(&attempts); err != nil {
			return err
		}
		if attempts >= MaxAttempts {
			return reject(ctx, tx, id, poison(attempts, why), now)
		}
		_, err = tx.ExecContext(ctx, `UPDATE uploads SET lease_until = 0, lease_token = '' WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("give up %s: %w", u, err)
	}
	return nil
}

// poison is the verdict on an upload that too many attempts failed at.
func poison(attempts int, last string) catalog.Rejection {
	detail := fmt.Sprintf("the program hung, panicked or was stopped %d times while it handled this file", attempts)
	if last != "" {
		detail += "; at last: " + last
	}
	return catalog.Rejection{Reason: catalog.Poison, Detail: detail + "; push it again to have it tried once more"}
}
