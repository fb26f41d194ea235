package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// ErrRemoved is returned for a yanked package that cannot come back: its file, or its index entry, is gone.
var ErrRemoved = errors.New("removed for good: no file takes its name again, raise the version")

// Yank withdraws packages: no revision of a release that is drawn from now on has them. It returns
// them all, also those that were yanked before, whose record stays as it is. A repeat draws no new
// revision. An upload that still waits for such a package to be published is rejected as yanked.
// The time in y is now, unless it is set.
func (d *DB) Yank(ctx context.Context, w Which, y catalog.Yank, now time.Time) ([]catalog.Package, error) {
	if y.At.IsZero() {
		y.At = now
	}
	y.At = y.At.UTC().Truncate(time.Second)
	found, err := d.withdraw(ctx, w, now, func(tx *transaction, row packageRow) (bool, error) {
		if row.pkg.State == catalog.Yanked {
			return false, nil
		}
		return true, yank(ctx, tx, row.id, y, now)
	})
	if err != nil {
		return nil, fmt.Errorf("yank %s: %w", w, err)
	}
	return found, nil
}

// yank makes a row yanked.
func yank(ctx context.Context, tx *transaction, pkg int64, y catalog.Yank, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE id = ?`,
		catalog.Yanked, millis(y.At), y.Reason, cut(y.By, maxUser), pkg)
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM unyanks WHERE package_id = ?`, pkg)
	}
	if err != nil {
		return err
	}
	return rejectWaiting(ctx, tx, pkg, catalog.Rejection{Reason: catalog.YankedIdentity,
		Detail: "the package was withdrawn before it was published; no file takes its name again: raise the version"}, now)
}

// Unyank brings packages back, and returns them all, also those that were not yanked. A repeat draws no
// new revision. If the file of one is removed, or about to be, the error wraps [ErrRemoved], and if the repository does not
// have its architecture any more, [ErrRetired]: then nothing is changed.
func (d *DB) Unyank(ctx context.Context, w Which, now time.Time) ([]catalog.Package, error) {
	found, err := d.withdraw(ctx, w, now, func(tx *transaction, row packageRow) (bool, error) {
		if row.pkg.State != catalog.Yanked {
			return false, nil
		}
		return true, unyank(ctx, tx, row, now)
	})
	if err != nil {
		return nil, fmt.Errorf("unyank %s: %w", w, err)
	}
	return found, nil
}

// unyank makes a yanked row active. One that was recovered from the record of a withdrawal has no index
// entry and cannot be.
func unyank(ctx context.Context, tx *transaction, row packageRow, now time.Time) error {
	lost, err := scanID(tx.QueryRowContext(ctx, `SELECT removed > 0 OR (stanza IS NULL AND primary_xml IS NULL) FROM packages WHERE id = ?`+tx.forUpdate, row.id).Scan)
	if err != nil {
		return err
	}
	if lost != 0 {
		return fmt.Errorf("%s: %w", row.pkg.Arch, ErrRemoved)
	}
	if err := checkOffered(ctx, tx, row.pkg); err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = NULL, yank_reason = '', yanked_by = '', removed = 0 WHERE id = ?`, catalog.Active, row.id)
	if err == nil {
		_, err = tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) VALUES (?, ?)`, row.id, millis(now))
	}
	return err
}

// withdraw applies change to the rows that w names, and draws a revision for each release in which one
// of them came or went. It returns the rows as they are then.
func (d *DB) withdraw(ctx context.Context, w Which, now time.Time, change func(*transaction, packageRow) (bool, error)) (found []catalog.Package, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		releases, err := tx.lockedReleases(ctx, w.Repository, w.Distribution)
		if err != nil {
			return err
		}
		rows, err := which(ctx, tx, w)
		if err != nil {
			return err
		}
		var effects []effect
		for _, row := range rows {
			changed, err := change(tx, row)
			if err != nil {
				return err
			}
			e := effect{pkg: row.id, changed: changed}
			for _, r := range releases {
				if shows(r.arch, dirOf(row.pkg)) {
					e.releases = append(e.releases, r)
				}
			}
			effects = append(effects, e)
		}
		if err := comeOrGo(ctx, tx, effects, now); err != nil {
			return err
		}
		if rows, err = which(ctx, tx, w); err != nil {
			return err
		}
		found = nil
		for _, row := range rows {
			found = append(found, row.pkg)
		}
		return nil
	})
	return found, err
}

// comeOrGo draws a revision for each release that changed, and records it.
func comeOrGo(ctx context.Context, tx *transaction, effects []effect, now time.Time) error {
	revisions, err := advanceChanged(ctx, tx, effects, now)
	if err != nil {
		return err
	}
	for _, e := range effects {
		for _, r := range e.releases {
			if !e.changed {
				continue
			}
			revision, err := turn(ctx, tx, e.pkg, r, revisions[r.id])
			if err == nil {
				err = appear(ctx, tx, e.pkg, r.id, revision)
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// turn returns the revision with which clients see a change of a package: the one that is drawn for it
// or, if the package goes before it ever came, its negative.
func turn(ctx context.Context, tx *transaction, pkg int64, r releaseRow, drawn int64) (int64, error) {
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM appearances a JOIN packages k ON k.id = a.package_id
		WHERE a.package_id = ? AND a.release_id = ? AND a.revision > ? AND k.state = ?`, pkg, r.id, r.published, catalog.Yanked).Scan)
	if n > 0 {
		drawn = -drawn
	}
	return drawn, err
}
