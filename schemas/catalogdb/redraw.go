package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// Redraw draws the next revision of a release whose rows are as they were, in another generation: they are rendered whole
// and published again. It returns the pair, and whether it was drawn: if the release is not at the pair at any more, another
// process was faster, and nothing changes.
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
		return raiseGeneration(ctx, tx, id)
	})
	if err != nil {
		return pair, false, fmt.Errorf("draw a revision of %s: %w", r, err)
	}
	return pair, drawn, nil
}

// raiseGeneration begins another generation of a release ([Snapshot.Generation]).
func raiseGeneration(ctx context.Context, tx *transaction, release int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE releases SET generation = generation + 1 WHERE id = ?`, release)
	return err
}
