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

// Yank withdraws the packages that w selects, in one transaction: no revision that is issued afterwards has them. It
// returns them all, also those that were yanked before, whose record stays as it is. A repeat issues no revision. An
// upload that still waits for such a package to be published is rejected as yanked. The time in y is now, unless it
// is set. The error wraps [ErrNotFound] if w selects none.
func (d *DB) Yank(ctx context.Context, w PackageSelector, y catalog.Yank, now time.Time) ([]catalog.Package, error) {
	if y.At.IsZero() {
		y.At = now
	}
	y.At = y.At.UTC().Truncate(time.Second)
	found, err := d.changeSelected(ctx, w, now, func(tx *transaction, row packageRow) (bool, error) {
		if row.pkg.State == catalog.Yanked {
			return false, checkNotDeleted(ctx, tx, row.pkg.Place())
		}
		if err := yank(ctx, tx, row.id, y, now); err != nil {
			return false, err
		}
		return true, record(ctx, tx, now, packageEntry(catalog.ActionYank, row.pkg, y))
	})
	if err != nil {
		return nil, fmt.Errorf("yank %s: %w", w, err)
	}
	return found, nil
}

// packageEntry returns the entry for the withdrawal of a package, or its return.
func packageEntry(action catalog.Action, k catalog.Package, y catalog.Yank) catalog.AuditEntry {
	target := k.Repository.String() + "/" + k.Distribution.String()
	if k.Component != "" {
		target += "/" + k.Component
	}
	entry := catalog.AuditEntry{Action: action, Target: target, Detail: k.Name + " " + k.Version + " " + k.Arch, By: y.By, Why: y.Reason}
	if to, moved := movedTo(y.Reason); moved && to != k.Repository {
		entry.Elsewhere = &to
	}
	return entry
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
	return rejectWaiting(ctx, tx, pkg, catalog.Rejection{Reason: catalog.YankedIdentity, Detail: withdrawnEarly}, now)
}

const withdrawnEarly = "the package was withdrawn before it was published; no file takes its name again: raise the version"

// Unyank makes yanked packages active again, in one transaction, and returns all that w selects, also those that
// were active. A repeat issues no revision. The error wraps [ErrRemoved] if the file of one is deleted, or about to
// be, [ErrRetired] if the repository does not have its architecture any more, and [ErrNotFound] if w selects none:
// then nothing changes.
func (d *DB) Unyank(ctx context.Context, w PackageSelector, now time.Time) ([]catalog.Package, error) {
	found, err := d.changeSelected(ctx, w, now, func(tx *transaction, row packageRow) (bool, error) {
		if row.pkg.State != catalog.Yanked {
			return false, nil
		}
		if err := unyank(ctx, tx, row, now); err != nil {
			return false, err
		}
		return true, record(ctx, tx, now, packageEntry(catalog.ActionUnyank, row.pkg, catalog.Yank{}))
	})
	if err != nil {
		return nil, fmt.Errorf("unyank %s: %w", w, err)
	}
	return found, nil
}

// unyank makes a yanked row active. A row that was recovered from the record of a withdrawal has no index entry and
// cannot be.
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
		err = checkAlone(ctx, tx, row.pkg)
	}
	if err == nil {
		_, err = tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) VALUES (?, ?)`, row.id, millis(now))
	}
	return err
}

// changeSelected applies change to the rows that w selects, and issues a revision for each release that a row joined
// or left. It returns the rows after that.
func (d *DB) changeSelected(ctx context.Context, w PackageSelector, now time.Time, change func(*transaction, packageRow) (bool, error)) (found []catalog.Package, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		releases, err := tx.lockedReleases(ctx, w.Repository, w.Distribution)
		if err != nil {
			return err
		}
		rows, err := selectPackages(ctx, tx, w)
		if err != nil {
			return err
		}
		var changes []packageChange
		for _, row := range rows {
			changed, err := change(tx, row)
			if err != nil {
				return err
			}
			c := packageChange{pkg: row.id, changed: changed}
			for _, r := range releases {
				if shows(r.arch, dirOf(row.pkg)) {
					c.releases = append(c.releases, r)
				}
			}
			changes = append(changes, c)
		}
		if _, err := recordChanges(ctx, tx, changes, now); err != nil {
			return err
		}
		if rows, err = selectPackages(ctx, tx, w); err != nil {
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

// CanUnyank reports whether [DB.Unyank] can bring a withdrawn package back. by, unless it is zero, is an upload of
// the same bytes that is being worked on: its staged object is deleted together with the package's file (see
// [DB.Removing]), or soon if that is deleted already. The error wraps [ErrNotFound] for an unknown package.
func (d *DB) CanUnyank(ctx context.Context, k catalog.Package, by catalog.Upload) (back bool, err error) {
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
		if by == (catalog.Upload{}) {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE uploads SET package_id = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ?`,
			id, by.Bucket, by.Object, by.Generation, catalog.Received)
		if err != nil || !removed {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE uploads SET staged = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ? AND staged = ?`,
			objectDoomed, by.Bucket, by.Object, by.Generation, catalog.Received, objectKept)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("read whether %s %s %s can come back: %w", k.Name, k.Version, k.Arch, err)
	}
	return back, nil
}

// The removed column of a yanked row.
const (
	fileUrgent   = -1 // kept until clients do not see the package; then it goes at once
	fileKept     = 0
	fileDoomed   = 1
	fileDeleted  = 2
	fileAgain    = 3 // it is being stored again, in a mutable repository ([claimAgain])
	packageTerms = `distribution_id = ? AND component = ? AND name = ? AND canonical = ? AND arch = ? AND variant = ? AND state IN (?, ?)`
)

// DueForRemoval returns packages yanked before a time whose files are still there and which no snapshot has, oldest first. All
// releases that showed them are published without them, and none of these is being recovered. The packages of a deleted repository stay as long as that can be undone.
func (d *DB) DueForRemoval(ctx context.Context, yankedBefore time.Time, limit int) ([]catalog.Package, error) {
	return d.due(ctx, `k.removed IN (?, ?) AND k.yanked_at < ? AND (k.removed = ? OR p.deletion = '[]' AND NOT `+heldBySnapshot+`)`, limit, fileKept, fileDoomed, millis(yankedBefore), fileDoomed)
}

// removalTime is how long the removal of the files of one package may take. Its identity is free afterwards if it was dropped from its release
// train: a second process that removes the same files then could meet those of the next package.
const removalTime = 5 * time.Minute

// DueNow is [DB.DueForRemoval] for the packages that were yanked with [Withdrawal.Now], whenever that was, for those that were
// dropped from their release train, which no release showed, and for all whose removal has begun, and was perhaps interrupted.
func (d *DB) DueNow(ctx context.Context, limit int) ([]catalog.Package, error) {
	now, err := d.Clock(ctx)
	if err != nil {
		return nil, err
	}
	return d.due(ctx, `(k.removed = ? OR k.removed = ? AND (k.state <> ? OR k.yanked_at < ?))`, limit, fileUrgent, fileDoomed, catalog.Dropped, millis(now.Add(-removalTime)))
}

func (d *DB) due(ctx context.Context, terms string, limit int, args ...any) ([]catalog.Package, error) {
	return list(ctx, d, func(scan func(...any) error) (k catalog.Package, err error) {
		return k, scanPackage(&k, scan)
	}, `SELECT `+packageColumns+` FROM `+packageTables+`
		WHERE `+terms+` AND k.state IN (?, ?)
		AND (k.state = ? OR NOT EXISTS (SELECT 1 FROM releases r WHERE r.distribution_id = k.distribution_id
			AND (r.arch = k.dir OR k.dir = 'noarch' AND r.arch <> 'SRPMS' OR k.dir = '`+multilib+`' AND r.arch IN ('i386', 'x86_64'))
			AND (r.revision > r.published_revision OR r.id IN (SELECT release_id FROM recoveries)) AND r.retired = 0))
		ORDER BY k.yanked_at, k.id LIMIT ?`, append(args, catalog.Yanked, catalog.Dropped, catalog.Dropped, limit)...)
}

// Removing records that the files of a yanked package are about to be deleted: it cannot be unyanked any
// more, and what was staged of it goes, too (see [DB.Doomed]). If it is not yanked now, or was yanked again since, the error
// wraps [ErrNotFound] and the files have to stay. A crash before [DB.Removed] leaves it due for removal.
func (d *DB) Removing(ctx context.Context, k catalog.Package) error {
	return d.setRemoved(ctx, k, fileDoomed)
}

// Removed records that the files of a yanked package are deleted, and requests its pages: they lose it. The row of one that was
// dropped from its release train goes: its identity is free.
func (d *DB) Removed(ctx context.Context, k catalog.Package) error {
	return d.setRemoved(ctx, k, fileDeleted)
}

// forgetGone removes what is recorded of a package for the time while clients may see it: what it needs by exact version and, with the
// last package of its source, the phase of that.
func forgetGone(ctx context.Context, tx *transaction, distribution, id int64) error {
	if err := replaceNeeds(ctx, tx, distribution, id, nil); err != nil {
		return err
	}
	var component, source string
	err := tx.QueryRowContext(ctx, `SELECT component, source FROM packages WHERE id = ?`, id).Scan(&component, &source)
	if err != nil || source == "" {
		return err
	}
	of := []any{distribution, component, source}
	stays, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND component = ? AND source = ? AND removed <> ?`,
		append(of, fileDeleted)...).Scan)
	if err == nil && stays == 0 {
		_, err = tx.ExecContext(ctx, `DELETE FROM phases WHERE distribution_id = ? AND component = ? AND source = ?`, of...)
	}
	return err
}

func (d *DB) setRemoved(ctx context.Context, k catalog.Package, removed int) error {
	return d.tx(ctx, func(tx *transaction) error {
		distribution, err := distributionID(ctx, tx, k.Repository, k.Distribution)
		if err != nil {
			return err
		}
		terms, identity := packageTerms, []any{distribution, k.Component, k.Name, k.Canonical, k.Arch, k.Variant, catalog.Yanked, catalog.Dropped}
		if k.Yank != nil { // this withdrawal, and not a later one
			terms, identity = terms+` AND yanked_at = ?`, append(identity, millis(k.Yank.At))
		}
		var id int64
		var state catalog.PackageState
		if err := tx.QueryRowContext(ctx, `SELECT id, state FROM packages WHERE `+terms+tx.forUpdate, identity...).Scan(&id, &state); err != nil {
			return fmt.Errorf("yanked %s %s %s: %w", k.Name, k.Version, k.Arch, notFound(err))
		}
		if removed == fileDoomed {
			held, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages k WHERE k.id = ? AND k.removed = ? AND `+heldBySnapshot, id, fileKept).Scan)
			if err == nil && held > 0 {
				err = fmt.Errorf("%s %s %s is in a snapshot: %w", k.Name, k.Version, k.Arch, ErrNotFound)
			}
			if err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE id = ? AND removed < ?`, removed, id, removed)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE uploads SET staged = ? WHERE package_id = ? AND staged = ?`, objectDoomed, id, objectKept)
		}
		if err != nil || removed != fileDeleted {
			return err
		}
		if state == catalog.Dropped {
			return forgetDropped(ctx, tx, id)
		}
		if err := dropContents(ctx, tx, id); err != nil {
			return err
		}
		if err := forgetGone(ctx, tx, distribution, id); err != nil {
			return err
		}
		var now time.Time
		if err := tx.QueryRowContext(ctx, d.clock).Scan((*scanTime)(&now)); err != nil {
			return err
		}
		return tx.askPagesOf(ctx, id, now)
	})
}
