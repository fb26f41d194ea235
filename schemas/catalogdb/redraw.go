package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// Redraw draws the next revision of a release whose rows are as they were, so that they are rendered and
// published anew: [Snapshot.Epoch] rises by one. It returns the pair, and whether it was drawn: if the
// release is not at a pair at any more, somebody was faster, and nothing changes.
func (d *DB) Redraw(ctx context.Context, r catalog.Release, at catalog.Revision, now time.Time) (pair catalog.Revision, drawn bool, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		pair, drawn = catalog.Revision{}, false
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		err = tx.QueryRowContext(ctx, `SELECT revision, nonce FROM releases WHERE id = ?`, id).Scan(&pair.Number, &pair.Nonce)
		if drawn = pair.Nonce == nonce; err != nil || drawn || pair != at { // drawn: by an earlier try
			return err
		}
		pair, drawn = catalog.Revision{Number: pair.Number + 1, Nonce: nonce}, true
		if err := draw(ctx, tx, id, pair, now); err != nil {
			return err
		}
		return renderAnew(ctx, tx, id, now)
	})
	if err != nil {
		return pair, false, fmt.Errorf("draw a revision of %s: %w", r, err)
	}
	return pair, drawn, nil
}

// renderAnew raises the epoch of a release: what [Snapshot.Changes] tells of it is not all.
func renderAnew(ctx context.Context, tx *transaction, release int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO foreign_pairs (release_id, revision, nonce, adopted_at)
		SELECT id, revision, nonce, ? FROM releases WHERE id = ?`, millis(now), release)
	return err
}
