package catalogdb

import (
	"context"
	"database/sql"

	"repomill/schemas/catalog"
)

// begin notes what is known of the pair that rows come from. Own revisions up to it may be part of what was read,
// whether their publication was recorded or not.
func (rec *recovery) begin(ctx context.Context, pair catalog.Revision, known, rebuild bool) error {
	rec.rebuild, rec.read = rebuild, rec.release.published
	if !known {
		return nil
	}
	rec.next = rec.release.revision + 1
	own, err := scanID(rec.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM publications WHERE release_id = ? AND revision = ? AND nonce = ?`,
		rec.release.id, pair.Number, pair.Nonce).Scan)
	if own > 0 {
		rec.read = pair.Number
	}
	return err
}

// pending reports whether a package was yanked here, or brought back, later than what was published says of
// it. Of a release under a pair that was drawn here, the revisions tell. Of a foreign one they tell no more than
// that no own publish had the change: a yank is taken for newer then, as it cannot do harm; an unyank is, if it is later
// than the withdrawal on record. That a package was pushed and not published yet is older than its withdrawal in any case.
func (rec *recovery) pending(ctx context.Context, id int64, holder, k catalog.Package) (bool, error) {
	if holder.State == k.State || holder.State != catalog.Yanked && holder.State != catalog.Active {
		return false, nil
	}
	n, err := scanID(rec.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM appearances WHERE package_id = ? AND release_id = ? AND ABS(revision) > ?`,
		id, rec.release.id, rec.read).Scan)
	if err != nil || n == 0 || holder.State == catalog.Yanked {
		return n > 0, err
	}
	var back sql.NullInt64
	if err := rec.tx.QueryRowContext(ctx, `SELECT MAX(at) FROM unyanks WHERE package_id = ?`, id).Scan(&back); err != nil {
		return false, err
	}
	return back.Valid && (rec.next != 0 || back.Int64 >= millis(k.Yank.At)), nil
}

// keepYank gives a row that was yanked here the bytes that were published, and no other state.
func keepYank(holder, k catalog.Package) catalog.Package {
	k.State, k.Yank = holder.State, holder.Yank
	return k
}
