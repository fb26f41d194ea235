package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
)

// Withdrawn reports whether [DB.Unyank] can bring a withdrawn package back. by, unless it is empty, is an upload of the
// same bytes that is being worked on: from now on what was staged of it goes with the package's file (see [DB.Removing]),
// and soon if that is gone.
func (d *DB) Withdrawn(ctx context.Context, k catalog.Package, by catalog.Upload) (back bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		_, id, err := find(ctx, tx, k)
		if err != nil {
			return err
		}
		var removed, lost bool
		if err := tx.QueryRowContext(ctx, `SELECT removed > 0, stanza IS NULL AND primary_xml IS NULL FROM packages WHERE id = ?`+tx.forUpdate, id).Scan(&removed, &lost); err != nil {
			return err
		}
		back = !removed && !lost
		if err := claimedBy(ctx, tx, by, id); err != nil || !removed {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE uploads SET staged = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ?`,
			objectDoomed, by.Bucket, by.Object, by.Generation, catalog.Received)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read whether %s %s %s can come back: %w", k.Name, k.Version, k.Arch, err)
	}
	return back, nil
}
