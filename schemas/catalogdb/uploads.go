package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// MaxAttempts is how often an upload is taken up before it is rejected as poison. An attempt that
// ends in an orderly fault does not count.
const MaxAttempts = 5

// A Lease is the right to work on an upload until it expires or is renewed.
type Lease struct {
	Owner string        // the process, for people
	For   time.Duration // from the time given
}

// Take gives the caller a lease on an upload, recording the upload if it is new. It returns a token
// if the lease is the caller's, and otherwise the state in which the upload is: [catalog.Received]
// means that somebody else works on it.
func (d *DB) Take(ctx context.Context, u catalog.Upload, l Lease, now time.Time) (token string, state catalog.UploadState, err error) {
	state, err = d.State(ctx, u)
	if err == nil && state != catalog.Received {
		return "", state, nil // the sweep meets most uploads so, for days
	}
	ours := random()
	err = d.tx(ctx, func(tx *transaction) error {
		token, state, err = take(ctx, tx, u, l, ours, now)
		return err
	})
	if err != nil {
		return "", state, fmt.Errorf("take %s: %w", u, err)
	}
	return token, state, nil
}

// take gives an upload the lease with token ours, if it is free, and returns the token then. An upload
// that has the token already got it from an earlier try.
func take(ctx context.Context, tx *transaction, u catalog.Upload, l Lease, ours string, now time.Time) (token string, state catalog.UploadState, err error) {
	var id, until int64
	var attempts int
	var last string
	err = tx.QueryRowContext(ctx, `SELECT id, state, lease_token, lease_until, attempts, detail FROM uploads WHERE bucket = ? AND object = ? AND generation = ?`+tx.forUpdate,
		u.Bucket, u.Object, u.Generation).Scan(&id, &state, &token, &until, &attempts, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		_, err := tx.ExecContext(ctx, `INSERT INTO uploads (bucket, object, generation, size, state, outcome, reason, detail, lease_owner, lease_token, lease_until, attempts, received_at, told)
			VALUES (?, ?, ?, ?, ?, '', '', '', ?, ?, ?, 1, ?, 0)`,
			u.Bucket, u.Object, u.Generation, u.Size, catalog.Received, cut(l.Owner, maxUser), ours, millis(now.Add(l.For)), millis(now))
		return ours, catalog.Received, err
	case err != nil || state == catalog.Received && token == ours:
		return token, state, err
	case state != catalog.Received || until > millis(now):
		return "", state, nil
	case attempts >= MaxAttempts:
		return "", catalog.Rejected, reject(ctx, tx, id, poison(attempts, last), now)
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET lease_owner = ?, lease_token = ?, lease_until = ?, attempts = attempts + 1 WHERE id = ?`,
		cut(l.Owner, maxUser), ours, millis(now.Add(l.For)), id)
	return ours, state, err
}

// State returns the state of an upload, or [ErrNotFound].
func (d *DB) State(ctx context.Context, u catalog.Upload) (state catalog.UploadState, err error) {
	err = d.ask(ctx, func(q querier) error {
		err := q.QueryRowContext(ctx, `SELECT state FROM uploads WHERE bucket = ? AND object = ? AND generation = ?`, u.Bucket, u.Object, u.Generation).Scan(&state)
		if errors.Is(err, sql.ErrNoRows) {
			err = ErrNotFound
		}
		return err
	})
	return state, err
}

// Renew extends the leases that an owner holds.
func (d *DB) Renew(ctx context.Context, l Lease, now time.Time) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = ? WHERE lease_owner = ? AND state = ? AND lease_until > ?`,
		millis(now.Add(l.For)), cut(l.Owner, maxUser), catalog.Received, millis(now))
}

// Explain records, for people, the last fault that an unfinished upload met.
func (d *DB) Explain(ctx context.Context, u catalog.Upload, token, why string) error {
	return d.exec(ctx, `UPDATE uploads SET detail = ?
		WHERE bucket = ? AND object = ? AND generation = ? AND lease_token = ? AND state = ?`,
		why, u.Bucket, u.Object, u.Generation, token, catalog.Received)
}

// Return gives up a lease after a fault, without counting the attempt. A repeat does nothing.
func (d *DB) Return(ctx context.Context, u catalog.Upload, token string) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = 0, lease_token = '', attempts = attempts - 1
		WHERE bucket = ? AND object = ? AND generation = ? AND lease_token = ? AND state = ?`,
		u.Bucket, u.Object, u.Generation, token, catalog.Received)
}

// Reclaim ends every lease. Only a process that knows itself to be the only one may call it, as the
// embedded mode does under its lock.
func (d *DB) Reclaim(ctx context.Context) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = 0 WHERE state = ?`, catalog.Received)
}

// Reject ends an upload with a verdict. It does nothing if the lease has gone to somebody else.
func (d *DB) Reject(ctx context.Context, u catalog.Upload, token string, r catalog.Rejection, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := leased(ctx, tx, u, token)
		if err != nil || id == 0 {
			return err
		}
		return reject(ctx, tx, id, r, now)
	})
	if err != nil {
		return fmt.Errorf("reject %s: %w", u, err)
	}
	return nil
}

func reject(ctx context.Context, tx *transaction, id int64, r catalog.Rejection, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ? WHERE id = ?`,
		catalog.Rejected, r.Reason, r.Detail, millis(now), id)
	return err
}

// leased returns the row of an upload that is being worked on under this token, or 0.
func leased(ctx context.Context, tx *transaction, u catalog.Upload, token string) (id int64, err error) {
	err = tx.QueryRowContext(ctx, `SELECT id FROM uploads WHERE bucket = ? AND object = ? AND generation = ? AND lease_token = ? AND state = ?`+tx.forUpdate,
		u.Bucket, u.Object, u.Generation, token, catalog.Received).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

// verdictColumns and scanVerdict read an upload; the tables are u and k.
const (
	verdictColumns = `u.id, u.object, u.generation, u.state, u.reason, u.detail, u.size, u.received_at, u.finished_at,
		COALESCE(k.name, ''), COALESCE(k.version, ''), COALESCE(k.arch, ''), COALESCE(k.sha256, ''), COALESCE(k.object_key, '')`
	verdictTables = `uploads u LEFT JOIN packages k ON k.id = u.package_id`
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
		&name, &version, &arch, &v.SHA256, &v.Key)
	v.Finished = optional(finished)
	if name != "" {
		v.Package = name + " " + version + " " + arch
	}
	return row, err
}

// Verdict returns what became of an upload so far, or [ErrNotFound]. The pointers' URLs are left to the caller.
func (d *DB) Verdict(ctx context.Context, u catalog.Upload) (v catalog.Verdict, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		row, err := scanVerdict(q.QueryRowContext(ctx, `SELECT `+verdictColumns+` FROM `+verdictTables+`
			WHERE u.bucket = ? AND u.object = ? AND u.generation = ?`, u.Bucket, u.Object, u.Generation).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err == nil {
			row.verdict.Releases, err = awaited(ctx, q, row.id)
		}
		v = row.verdict
		return err
	})
	if err != nil {
		return v, fmt.Errorf("verdict of %s: %w", u, err)
	}
	return v, nil
}

// awaited returns the releases that an upload waits for, or waited.
func awaited(ctx context.Context, q querier, upload int64) ([]catalog.VerdictRelease, error) {
	return collect(ctx, q, func(scan func(...any) error) (catalog.VerdictRelease, error) {
		var r catalog.Release
		var v catalog.VerdictRelease
		err := scan(&r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch, &v.Revision)
		v.Release = r.String()
		return v, err
	}, `SELECT p.owner, p.name, d.os, d.version, r.arch, w.revision
		FROM `+releaseTables+` JOIN upload_releases w ON w.release_id = r.id WHERE w.upload_id = ? ORDER BY r.arch`, upload)
}

// Recent returns the newest uploads below a staging prefix, newest first.
func (d *DB) Recent(ctx context.Context, prefix string, limit int) ([]catalog.Verdict, error) {
	rows, err := list(ctx, d, scanVerdict, `SELECT `+verdictColumns+` FROM `+verdictTables+`
		WHERE u.object >= ? AND u.object < ? ORDER BY u.received_at DESC, u.id DESC LIMIT ?`, prefix, prefix+"\xff", limit) // no UTF-8 has this byte
	verdicts := make([]catalog.Verdict, len(rows))
	for i, row := range rows {
		verdicts[i] = row.verdict
	}
	return verdicts, err
}

// Backlog returns how many uploads have no final verdict yet.
func (d *DB) Backlog(ctx context.Context) (n int, err error) {
	err = d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads WHERE state IN (?, ?)`, catalog.Received, catalog.Stored).Scan(&n)
	})
	return n, err
}

// Unfinished returns uploads of a staging bucket that were taken up and that nobody works on now, oldest first.
func (d *DB) Unfinished(ctx context.Context, bucket string, now time.Time, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND state = ? AND lease_until <= ? ORDER BY id LIMIT ?`, bucket, catalog.Received, millis(now), limit)
}

func scanUpload(scan func(...any) error) (catalog.Upload, error) {
	var u catalog.Upload
	err := scan(&u.Bucket, &u.Object, &u.Generation, &u.Size)
	return u, err
}

// Untold returns finished uploads whose verdict object is not known to be written.
func (d *DB) Untold(ctx context.Context, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads WHERE told = 0 AND state IN (?, ?, ?) ORDER BY id LIMIT ?`,
		catalog.Published, catalog.Duplicate, catalog.Rejected, limit)
}

// Told records that the verdict object of a finished upload is written, and reports whether that is news.
func (d *DB) Told(ctx context.Context, u catalog.Upload) (first bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		res, err := tx.ExecContext(ctx, `UPDATE uploads SET told = 1 WHERE bucket = ? AND object = ? AND generation = ? AND told = 0`, u.Bucket, u.Object, u.Generation)
		if err != nil {
			return err
		}
		n, err := res.RowsAffected()
		first = n > 0
		return err
	})
	return first, err
}
