package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// reclaim makes the withdrawn row of a package claimed, for a promotion of the same bytes: their file stays, or is copied once more. The
// row keeps the record of its withdrawal until it is active, so that a promotion that is rejected leaves it as it was. While its file
// is being removed, that is a fault: a later attempt copies the file once more.
func reclaim(ctx context.Context, tx *transaction, id int64, k catalog.Package, fragments []any, by catalog.Upload) (holder catalog.Package, claimed bool, err error) {
	distribution, err := lockClaims(ctx, tx, k)
	if err != nil {
		return k, false, err
	}
	removed := 0
	if err := tx.QueryRowContext(ctx, `SELECT removed FROM packages WHERE id = ?`+tx.forUpdate, id).Scan(&removed); err != nil {
		return k, false, err
	}
	if holder, _, err = find(ctx, tx, k); err != nil { // as it is now
		return k, false, err
	}
	switch {
	case holder.State != catalog.Yanked:
		return holder, false, nil
	case removed == fileDoomed:
		return k, false, fmt.Errorf("%s %s %s was withdrawn from %s, and its file is being removed", k.Name, k.Version, k.Arch, k.Place())
	}
	args := append([]any{catalog.Claimed, cut(k.Pusher.User, maxUser), cut(k.Pusher.Job, maxJob), k.Signer, sourceColumn(k.Stanza), phaseColumn(k.Stanza)}, fragments...)
	_, err = tx.ExecContext(ctx, `UPDATE packages SET state = ?, removed = 0, pushed_by = ?, pushed_job = ?, signer = ?, source = ?, phase = ?,
		stanza = ?, primary_xml = ?, filelists_xml = ?, other_xml = ? WHERE id = ?`, append(args, id)...)
	if err == nil {
		err = replaceNeeds(ctx, tx, distribution, id, k.Needs)
	}
	if err == nil {
		err = claimedBy(ctx, tx, by, k.Pusher, id)
	}
	k.Key = holder.Key
	return k, true, err
}

// returned records that a withdrawn package which a promotion has claimed is active again.
func returned(ctx context.Context, tx *transaction, id int64, k catalog.Package, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE packages SET yanked_at = NULL, yank_reason = '', yanked_by = '' WHERE id = ?`, id)
	if err == nil {
		_, err = tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) VALUES (?, ?)`, id, millis(now))
	}
	if err != nil {
		return err
	}
	entry := packageEntry(catalog.ActionUnyank, k, catalog.Yank{By: k.Pusher.User, Reason: "it was promoted again"})
	entry.Job = k.Pusher.Job
	return record(ctx, tx, now, entry)
}

// leaveWithdrawn makes the row withdrawn again that a rejected promotion had claimed.
func leaveWithdrawn(ctx context.Context, tx *transaction, upload int64) error {
	_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE state = ? AND yanked_at IS NOT NULL AND id = (SELECT package_id FROM uploads WHERE id = ? AND bucket = ?)`,
		catalog.Yanked, catalog.Claimed, upload, catalog.PromotionBucket)
	return err
}
