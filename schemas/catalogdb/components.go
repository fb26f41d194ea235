package catalogdb

import (
	"context"

	"repomill/schemas/catalog"
)

// readOffer reads what a distribution offers; lock ends the SELECT.
func readOffer(ctx context.Context, tx *transaction, distribution int64, lock string) (ds catalog.DistributionSettings, err error) {
	err = tx.QueryRowContext(ctx, `SELECT components, architectures FROM distributions WHERE id = ?`+lock, distribution).
		Scan(jsonList[string]{&ds.Components}, jsonList[string]{&ds.Architectures})
	return ds, err
}
