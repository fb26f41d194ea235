package catalogdb

import (
	"context"

	"repomill/schemas/catalog"
)

// evict removes the rows of other components that have other bytes than a published package under its name, version
// and architecture: they were never published, and no client can have both. It returns how many that were. An upload that
// waits for one is rejected.
func (rec *recovery) evict(ctx context.Context, k catalog.Package) (evicted int, err error) {
	rows, err := namesakes(ctx, rec.tx, k)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if row.pkg.File.SHA256 == k.File.SHA256 {
			continue
		}
		rej := conflict(k.Name+" "+k.Version+" "+k.Arch, row.pkg.File.SHA256, k.File.SHA256)
		if err := rejectWaiting(ctx, rec.tx, row.id, *rej, rec.now); err != nil {
			return evicted, err
		}
		for _, query := range []string{
			`UPDATE uploads SET package_id = NULL WHERE package_id = ?`, `DELETE FROM appearances WHERE package_id = ?`,
			`DELETE FROM unyanks WHERE package_id = ?`, `DELETE FROM packages WHERE id = ?`,
		} {
			if _, err := rec.tx.ExecContext(ctx, query, row.id); err != nil {
				return evicted, err
			}
		}
		evicted++
	}
	return evicted, nil
}

// widen settles in which directories a package for 32-bit x86 is, if the catalog and what was published disagree: x86_64's
// shows that it is in both, i386's does not show that it is not.
func (rec *recovery) widen(ctx context.Context, id int64, k catalog.Package) (catalog.Package, error) {
	if !k.Multilib {
		k.Multilib = true
		return k, nil
	}
	_, err := rec.tx.ExecContext(ctx, `UPDATE packages SET dir = ? WHERE id = ?`, multilib, id)
	return k, err
}
