package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// ErrForgotten is returned for the return of a deleted target whose packages the catalog has lost, and taken from the bucket without
// their index entries.
var ErrForgotten = errors.New("the catalog was lost since, and has no index entries of the withdrawn packages: restore a backup of the catalog, or wait until the files are removed, add it again and push later versions")

// Undelete brings a deleted target back, in one transaction, with the packages that were withdrawn with it. One that is not deleted
// stays as it is. It returns the settings, and the latest revision of each release of the target's distributions. The error wraps
// [ErrDeleted] if the objects are being removed, or if it is in another target that is deleted, [ErrForgotten], and [ErrNotFound] for an
// unknown target.
func (d *DB) Undelete(ctx context.Context, t catalog.PackageTarget, now time.Time) (s catalog.Settings, revisions map[catalog.Release]int64, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockWhole(ctx, tx, t)
		if err == nil {
			err = row.check()
		}
		if err != nil {
			return err
		}
		if del := row.deleted(); del != nil && del.Removing {
			return deletedError{t, del}
		} else if del != nil {
			if err := row.undelete(ctx, tx, *del, now); err != nil {
				return err
			}
		}
		s = row.settings
		revisions, err = revisionsOf(ctx, tx, t)
		return err
	})
	if err != nil {
		return s, nil, fmt.Errorf("undelete %s %s: %w", t.Kind(), t, err)
	}
	return s, revisions, nil
}

func (row *deletionRow) undelete(ctx context.Context, tx *transaction, del catalog.Deletion, now time.Time) error {
	back := int64(0)
	for _, d := range row.distributions {
		n, err := row.restoreAll(ctx, tx, d, del, now)
		if err != nil {
			return err
		}
		back += n
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoUndelete, Target: row.target.String(), Detail: fmt.Sprintf("%d packages are back", back)}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, nil, now)
}

// restoreAll makes the packages of a distribution active again that were withdrawn with the target, and returns how many.
func (row *deletionRow) restoreAll(ctx context.Context, tx *transaction, d targetDistribution, del catalog.Deletion, now time.Time) (int64, error) {
	where, args := row.packages(d.id)
	where += ` AND state = ? AND yanked_at = ? AND yank_reason = ? AND removed = 0`
	args = append(args, catalog.Yanked, millis(del.At), deletedReason(row.target))
	lost, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE `+where+` AND stanza IS NULL AND primary_xml IS NULL`, args...).Scan)
	if err == nil && lost > 0 {
		err = ErrForgotten
	}
	if err != nil {
		return 0, err
	}
	if err := row.replacedSince(ctx, tx, d, where, args); err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) SELECT id, ? FROM packages WHERE `+where, append([]any{millis(now)}, args...)...); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = NULL, yank_reason = '', yanked_by = '' WHERE `+where, append([]any{catalog.Active}, args...)...)
	if err != nil {
		return 0, err
	}
	for _, r := range d.releases {
		revision, err := issueNext(ctx, tx, r.id, now)
		if err == nil {
			err = showAll(ctx, tx, r.id, d.id, revision, r.arch)
		}
		if err != nil {
			return 0, err
		}
	}
	return res.RowsAffected()
}

// replacedSince leaves those packages withdrawn, as replaced, whose versions have got other bytes since, in another component of a mutable
// repository. where selects the packages that come back.
func (row *deletionRow) replacedSince(ctx context.Context, tx *transaction, d targetDistribution, where string, args []any) error {
	if !row.settings.Mutable {
		return nil
	}
	ids, err := collect(ctx, tx, scanID, `SELECT id FROM packages WHERE `+where+` AND EXISTS (SELECT 1 FROM packages o WHERE o.distribution_id = ? AND o.state = ?
		AND o.name = packages.name AND o.canonical = packages.canonical AND o.arch = packages.arch AND o.sha256 <> packages.sha256)`, append(args[:len(args):len(args)], d.id, catalog.Active)...)
	if err != nil {
		return err
	}
	for some := range slices.Chunk(ids, selectChunk) {
		in, args := in("id", some)
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET yank_reason = ? WHERE `+in, append([]any{catalog.ReplacedReason}, args...)...); err != nil {
			return err
		}
	}
	return nil
}
