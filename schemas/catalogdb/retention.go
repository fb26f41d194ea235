package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// The staged column of an upload: its object is gone, or lies in the staging bucket until the retention period is over, or
// goes before that, because the file of its package does.
const (
	objectGone   = 0
	objectKept   = 1
	objectDoomed = 2
)

// Expired returns uploads of a staging bucket whose staged objects may be deleted, oldest first: they have a final verdict
// since before a time, it was told, and no release that they waited for is behind its rows.
func (d *DB) Expired(ctx context.Context, bucket string, before time.Time, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND staged = ? AND finished_at < ? AND told = 1 AND state IN (?, ?, ?)
		AND NOT EXISTS (SELECT 1 FROM upload_releases w JOIN releases r ON r.id = w.release_id
			WHERE w.upload_id = uploads.id AND r.revision > r.published_revision)
		ORDER BY finished_at LIMIT ?`, bucket, objectKept, millis(before), catalog.Published, catalog.Duplicate, catalog.Rejected, limit)
}

// Doomed returns uploads of a staging bucket whose staged objects are to be deleted now, oldest first: the file of their package
// is removed. They have a final verdict since before a time, and its object is written.
func (d *DB) Doomed(ctx context.Context, bucket string, before time.Time, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND staged = ? AND finished_at < ? AND told = 1 AND state IN (?, ?, ?)
		ORDER BY finished_at LIMIT ?`, bucket, objectDoomed, millis(before), catalog.Published, catalog.Duplicate, catalog.Rejected, limit)
}

// DoomedOf returns the uploads of a package, in all staging buckets, that [DB.Doomed] returns now or will.
func (d *DB) DoomedOf(ctx context.Context, k catalog.Package) (uploads []catalog.Upload, err error) {
	err = d.ask(ctx, func(q querier) error {
		_, id, err := find(ctx, q, k)
		if err != nil {
			return err
		}
		uploads, err = collect(ctx, q, scanUpload, `SELECT bucket, object, generation, size FROM uploads
			WHERE package_id = ? AND staged = ? ORDER BY id`, id, objectDoomed)
		return err
	})
	return uploads, err
}

// Unstaged records that the staged object of an upload is deleted.
func (d *DB) Unstaged(ctx context.Context, u catalog.Upload) error {
	return d.exec(ctx, `UPDATE uploads SET staged = ? WHERE bucket = ? AND object = ? AND generation = ?`, objectGone, u.Bucket, u.Object, u.Generation)
}

// Oldest returns when the oldest upload without a final verdict was taken up; nil if there is none.
func (d *DB) Oldest(ctx context.Context) (*time.Time, error) {
	var oldest sql.NullInt64
	err := d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT MIN(received_at) FROM uploads WHERE state IN (?, ?)`, catalog.Received, catalog.Stored).Scan(&oldest)
	})
	return optional(oldest), err
}

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
