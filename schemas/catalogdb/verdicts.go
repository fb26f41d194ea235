package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// verdictColumns and scanVerdict read an upload; the tables are u, k and m.
const (
	verdictColumns = `u.id, u.object, u.generation, u.state, u.reason, u.detail, u.size, u.received_at, u.finished_at,
		COALESCE(k.name, ''), COALESCE(k.version, ''), COALESCE(k.arch, ''), COALESCE(k.sha256, ''), COALESCE(k.object_key, ''), u.checked, u.replaced,
		COALESCE(m.move, ''), COALESCE(m.move_detail, '')`
	verdictTables = `uploads u LEFT JOIN packages k ON k.id = u.package_id LEFT JOIN promotions m ON m.upload_id = u.id`
)

type uploadRow struct {
	id      int64
	verdict catalog.Verdict
}

func scanVerdict(scan func(...any) error) (uploadRow, error) {
	var row uploadRow
	v := &row.verdict
	var finished sql.NullInt64
	var name, version, arch string
	err := scan(&row.id, &v.Object, &v.Generation, &v.State, &v.Reason, &v.Detail, &v.Size, (*scanTime)(&v.Received), &finished,
		&name, &version, &arch, &v.SHA256, &v.Key, &v.Checked, &v.Replaced, &v.Move, &v.MoveDetail)
	v.Finished = optional(finished)
	if name != "" {
		v.Package = name + " " + version + " " + arch
	}
	return row, err
}

// Verdict returns the verdict on an upload as it is now. The error wraps [ErrNotFound] for an unknown one. The
// pointers' URLs are left to the caller.
func (d *DB) Verdict(ctx context.Context, u catalog.Upload) (catalog.Verdict, error) {
	verdicts, err := d.Verdicts(ctx, []catalog.Upload{u})
	if err != nil {
		return catalog.Verdict{}, fmt.Errorf("verdict of %s: %w", u, err)
	}
	v, ok := verdicts[u]
	if !ok {
		return v, fmt.Errorf("verdict of %s: %w", u, ErrNotFound)
	}
	return v, nil
}

// Verdicts is [DB.Verdict] for several uploads; one that the catalog does not know has none.
func (d *DB) Verdicts(ctx context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error) {
	verdicts := map[catalog.Upload]catalog.Verdict{}
	for some := range byBucket(uploads) {
		err := d.askOnce(ctx, func(q querier) error {
			found, err := verdictsOf(ctx, q, some)
			for _, u := range some {
				if v, ok := found[catalog.Upload{Object: u.Object, Generation: u.Generation}]; ok {
					verdicts[u] = v
				}
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return verdicts, nil
}

// verdictsOf returns the verdicts on all generations of uploads of one bucket, by object and generation.
func verdictsOf(ctx context.Context, q querier, uploads []catalog.Upload) (map[catalog.Upload]catalog.Verdict, error) {
	where, args := uploadsCondition(uploads)
	rows, err := collect(ctx, q, scanVerdict, `SELECT `+verdictColumns+` FROM `+verdictTables+` WHERE `+where, args...)
	if err != nil {
		return nil, err
	}
	verdicts := map[catalog.Upload]catalog.Verdict{}
	for some := range slices.Chunk(rows, maxPerStatement) {
		releases, err := awaited(ctx, q, some)
		if err != nil {
			return nil, err
		}
		for _, row := range some {
			row.verdict.Releases = releases[row.id]
			verdicts[catalog.Upload{Object: row.verdict.Object, Generation: row.verdict.Generation}] = row.verdict
		}
	}
	return verdicts, nil
}

// awaited returns the releases that uploads wait for, or waited, by upload. There must be uploads.
func awaited(ctx context.Context, q querier, uploads []uploadRow) (map[int64][]catalog.VerdictRelease, error) {
	ids := make([]int64, len(uploads))
	for i, row := range uploads {
		ids[i] = row.id
	}
	where, args := in("w.upload_id", padded(ids))
	awaited := map[int64][]catalog.VerdictRelease{}
	_, err := collect(ctx, q, func(scan func(...any) error) (id int64, err error) {
		var r catalog.Release
		var v catalog.VerdictRelease
		err = scan(&id, &r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch, &v.Revision, &v.Keyring)
		v.Release = r.String()
		awaited[id] = append(awaited[id], v)
		return id, err
	}, `SELECT w.upload_id, p.owner, p.name, d.os, d.version, r.arch, w.revision, p.`+keyringOn+`
		FROM `+releaseTables+` JOIN upload_releases w ON w.release_id = r.id WHERE `+where+` ORDER BY w.upload_id, r.arch`, args...)
	return awaited, err
}

// Recent returns the newest uploads below a staging prefix, newest first, without those that are under embargo.
func (d *DB) Recent(ctx context.Context, prefix string, limit int) ([]catalog.Verdict, error) {
	where, args := below(prefix)
	rows, err := list(ctx, d, scanVerdict, `SELECT `+verdictColumns+` FROM `+verdictTables+`
		WHERE `+where+` ORDER BY u.received_at DESC, u.id DESC LIMIT ?`, append(args, limit)...)
	verdicts := make([]catalog.Verdict, len(rows))
	for i, row := range rows {
		verdicts[i] = row.verdict
	}
	return verdicts, err
}

// writtenHeld says of an upload that its verdict object is written that it is held, and not the final one.
const writtenHeld = 2

// VerdictsToWrite returns up to limit finished or held uploads whose verdict object is not recorded as written.
func (d *DB) VerdictsToWrite(ctx context.Context, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads WHERE state IN (?, ?, ?) AND verdict_written IN (0, ?) OR state = ? AND verdict_written = 0
		ORDER BY id LIMIT ?`, catalog.Published, catalog.Duplicate, catalog.Rejected, writtenHeld, catalog.Held, limit)
}

// VerdictsWritten records that the verdict objects of finished uploads are written, in one transaction, and reports
// for each upload whether it is the first to record that.
func (d *DB) VerdictsWritten(ctx context.Context, uploads ...catalog.Upload) (first []bool, err error) {
	return d.recordWritten(ctx, 1, `u.verdict_written <> 1`, uploads)
}

// HeldVerdictsWritten is [DB.VerdictsWritten] of verdicts that say that the uploads are held. They may be more by now.
func (d *DB) HeldVerdictsWritten(ctx context.Context, uploads ...catalog.Upload) (first []bool, err error) {
	return d.recordWritten(ctx, writtenHeld, `u.verdict_written = 0`, uploads)
}

// recordWritten records of uploads that fulfil a condition which verdict object they have, and reports which of them these are.
func (d *DB) recordWritten(ctx context.Context, written int, condition string, uploads []catalog.Upload) (first []bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		first = make([]bool, len(uploads))
		changed := map[catalog.Upload]bool{}
		var ids []int64
		for some := range byBucket(uploads) {
			given := map[catalog.Upload]bool{}
			for _, u := range some {
				given[keyOf(u)] = true
			}
			where, args := uploadsCondition(some)
			_, err := collect(ctx, tx, func(scan func(...any) error) (id int64, err error) {
				u := catalog.Upload{Bucket: some[0].Bucket}
				if err = scan(&id, &u.Object, &u.Generation); err == nil && given[u] {
					ids, changed[u] = append(ids, id), true
				}
				return id, err
			}, `SELECT u.id, u.object, u.generation FROM uploads u WHERE `+where+` AND `+condition+tx.forUpdate, args...)
			if err != nil {
				return err
			}
		}
		for some := range sized(ids) {
			where, args := in("id", some)
			if _, err := tx.ExecContext(ctx, `UPDATE uploads SET verdict_written = ? WHERE `+where, append([]any{written}, args...)...); err != nil {
				return err
			}
		}
		for i, u := range uploads {
			first[i] = changed[keyOf(u)]
			delete(changed, keyOf(u)) // for one that is given twice
		}
		return nil
	})
	return first, err
}

// keyOf returns an upload without its size, which does not identify it.
func keyOf(u catalog.Upload) catalog.Upload {
	u.Size = 0
	return u
}

// The staged column of an upload: its object is gone, or lies in the staging bucket until the retention period is over, or
// goes before that, because the file of its package does.
const (
	objectGone   = 0
	objectKept   = 1
	objectDoomed = 2
)

// Expired returns uploads of a staging bucket whose staged objects may be deleted, oldest first, but for the first skip of them: they
// have a final verdict since before a time, its object is written, and no release that they waited for is behind its rows.
func (d *DB) Expired(ctx context.Context, bucket string, before time.Time, skip, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND staged = ? AND finished_at < ? AND verdict_written = 1 AND state IN (?, ?, ?)
		AND NOT EXISTS (SELECT 1 FROM upload_releases w JOIN releases r ON r.id = w.release_id
			WHERE w.upload_id = uploads.id AND r.revision > r.published_revision)
		ORDER BY finished_at, id LIMIT ? OFFSET ?`, bucket, objectKept, millis(before), catalog.Published, catalog.Duplicate, catalog.Rejected, limit, skip)
}

// Doomed returns uploads of a staging bucket whose staged objects are to be deleted now, oldest first, but for the first skip of them:
// the file of their package is removed. They have a final verdict since before a time, and its object is written.
func (d *DB) Doomed(ctx context.Context, bucket string, before time.Time, skip, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND staged = ? AND finished_at < ? AND verdict_written = 1 AND state IN (?, ?, ?)
		ORDER BY finished_at, id LIMIT ? OFFSET ?`, bucket, objectDoomed, millis(before), catalog.Published, catalog.Duplicate, catalog.Rejected, limit, skip)
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
