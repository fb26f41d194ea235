package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// Redraw draws the next revision of a release whose rows are as they were, so that they are rendered and
// published anew: [Snapshot.Epoch] changes. If the release is not at revision at any more, somebody drew
// already, and nothing changes.
func (d *DB) Redraw(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		var is catalog.Revision
		err = tx.QueryRowContext(ctx, `SELECT revision, nonce FROM releases WHERE id = ?`, id).Scan(&is.Number, &is.Nonce)
		if err != nil || is != at {
			return err
		}
		if _, err = advance(ctx, tx, id, now); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO foreign_pairs (release_id, revision, nonce, adopted_at)
			SELECT id, revision, nonce, ? FROM releases WHERE id = ?`, millis(now), id)
		return err
	})
	if err != nil {
		return fmt.Errorf("draw a revision of %s: %w", r, err)
	}
	return nil
}
