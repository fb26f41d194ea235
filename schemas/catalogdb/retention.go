package catalogdb

import (
	"context"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// The removed column of a yanked row.
const (
	fileUrgent   = -1 // kept until clients do not see the package; then it goes at once
	fileKept     = 0
	fileDoomed   = 1
	fileDeleted  = 2
	packageTerms = `distribution_id = ? AND component = ? AND name = ? AND canonical = ? AND arch = ? AND variant = ? AND state = ?`
)

// DueForRemoval returns packages yanked before a time whose files are still there, oldest first. All
// releases that showed them are published without them.
func (d *DB) DueForRemoval(ctx context.Context, yankedBefore time.Time, limit int) ([]catalog.Package, error) {
	return d.due(ctx, `k.removed IN (?, ?) AND k.yanked_at < ?`, limit, fileKept, fileDoomed, millis(yankedBefore))
}

// DueNow returns likewise the packages that [DB.RemoveSoon] was called for.
func (d *DB) DueNow(ctx context.Context, limit int) ([]catalog.Package, error) {
	return d.due(ctx, `k.removed = ?`, limit, fileUrgent)
}

func (d *DB) due(ctx context.Context, terms string, limit int, args ...any) ([]catalog.Package, error) {
	return list(ctx, d, func(scan func(...any) error) (k catalog.Package, err error) {
		return k, scanPackage(&k, scan)
	}, `SELECT `+packageColumns+` FROM `+packageTables+`
		WHERE `+terms+` AND k.state = ?
		AND NOT EXISTS (SELECT 1 FROM releases r WHERE r.distribution_id = k.distribution_id
			AND (r.arch = k.dir OR k.dir = 'noarch' AND r.arch <> 'SRPMS' OR k.dir = '`+multilib+`' AND r.arch IN ('i386', 'x86_64'))
			AND r.revision > r.published_revision AND r.retired = 0)
		ORDER BY k.yanked_at, k.id LIMIT ?`, append(args, catalog.Yanked, limit)...)
}

// RemoveSoon records that the files of a yanked package go as soon as clients do not see it, and not after the retention
// period: until they do, it can still be unyanked. One that is not yanked any more, or whose files go already, stays as it is.
func (d *DB) RemoveSoon(ctx context.Context, k catalog.Package) error {
	return d.tx(ctx, func(tx *transaction) error {
		distribution, err := distributionID(ctx, tx, k.Repository, k.Distribution)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE `+packageTerms+` AND removed = ?`, fileUrgent,
				distribution, k.Component, k.Name, k.Canonical, k.Arch, k.Variant, catalog.Yanked, fileKept)
		}
		return err
	})
}

// Removing records that the files of a yanked package are about to be deleted: it cannot be unyanked any
// more, and what was staged of it goes, too (see [DB.Doomed]). If it is not yanked now, or was yanked again since, the error
// wraps [ErrNotFound] and the files have to stay. A crash before [DB.Removed] leaves it due for removal.
func (d *DB) Removing(ctx context.Context, k catalog.Package) error {
	return d.setRemoved(ctx, k, fileDoomed)
}

// Removed records that the files of a yanked package are deleted.
func (d *DB) Removed(ctx context.Context, k catalog.Package) error {
	return d.setRemoved(ctx, k, fileDeleted)
}

func (d *DB) setRemoved(ctx context.Context, k catalog.Package, removed int) error {
	return d.tx(ctx, func(tx *transaction) error {
		distribution, err := distributionID(ctx, tx, k.Repository, k.Distribution)
		if err != nil {
			return err
		}
		terms, identity := packageTerms, []any{distribution, k.Component, k.Name, k.Canonical, k.Arch, k.Variant, catalog.Yanked}
		if k.Yank != nil { // this withdrawal, and not a later one
			terms, identity = terms+` AND yanked_at = ?`, append(identity, millis(k.Yank.At))
		}
		id, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM packages WHERE `+terms+tx.forUpdate, identity...).Scan)
		if err != nil {
			return fmt.Errorf("yanked %s %s %s: %w", k.Name, k.Version, k.Arch, notFound(err))
		}
		_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE id = ? AND removed < ?`, removed, id, removed)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE uploads SET staged = ? WHERE package_id = ? AND staged = ?`, objectDoomed, id, objectKept)
		}
		return err
	})
}
