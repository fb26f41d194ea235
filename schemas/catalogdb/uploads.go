package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

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

// States returns the states of uploads; one that the catalog does not know has none.
func (d *DB) States(ctx context.Context, uploads []catalog.Upload) (map[catalog.Upload]catalog.UploadState, error) {
	states := map[catalog.Upload]catalog.UploadState{}
	for some := range together(uploads) {
		where, args := named(some)
		rows, err := list(ctx, d, scanState, `SELECT u.object, u.generation, u.state FROM uploads u WHERE `+where, args...)
		if err != nil {
			return nil, err
		}
		found := map[catalog.Upload]catalog.UploadState{}
		for _, row := range rows {
			found[catalog.Upload{Object: row.Object, Generation: row.Generation}] = row.State
		}
		for _, u := range some {
			if s, ok := found[catalog.Upload{Object: u.Object, Generation: u.Generation}]; ok {
				states[u] = s
			}
		}
	}
	return states, nil
}

func scanState(scan func(...any) error) (v catalog.Verdict, err error) {
	return v, scan(&v.Object, &v.Generation, &v.State)
}

// maxNamed is how many uploads one statement names.
const maxNamed = 100

// together yields uploads of one bucket, maxNamed of them at most, until all had their turn.
func together(uploads []catalog.Upload) iter.Seq[[]catalog.Upload] {
	byBucket := map[string][]catalog.Upload{}
	for _, u := range uploads {
		byBucket[u.Bucket] = append(byBucket[u.Bucket], u)
	}
	return func(yield func([]catalog.Upload) bool) {
		for _, all := range byBucket {
			for some := range slices.Chunk(all, maxNamed) {
				if !yield(some) {
					return
				}
			}
		}
	}
}

// named returns the condition on the rows u of all generations of some objects, which are in one bucket.
func named(uploads []catalog.Upload) (where string, args []any) {
	objects := make([]string, len(uploads))
	for i, u := range uploads {
		objects[i] = u.Object
	}
	where, args = in("u.object", padded(objects))
	return `u.bucket = ? AND ` + where, append([]any{uploads[0].Bucket}, args...)
}

// padded repeats the last value, so that statements with more or fewer of them are the same one.
func padded[T any](values []T) []T {
	all := make([]T, maxNamed)
	for i := range all {
		all[i] = values[min(i, len(values)-1)]
	}
	return all
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
