package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"repomill/schemas/catalog"
)

// distributionID returns the row of a distribution, or [ErrNotFound].
func distributionID(ctx context.Context, q querier, r catalog.Repository, dist catalog.Distribution) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`, r.Owner, r.Name, dist.OS, dist.Version).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("distribution %s %s: %w", r, dist, ErrNotFound)
	}
	return id, err
}
