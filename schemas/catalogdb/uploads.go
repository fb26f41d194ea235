package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
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
	for some := range byBucket(uploads) {
		where, args := uploadsCondition(some)
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

// maxPerStatement is how many uploads one statement names.
const maxPerStatement = 100

// byBucket yields all uploads in groups: each is of one bucket and has maxPerStatement at most.
func byBucket(uploads []catalog.Upload) iter.Seq[[]catalog.Upload] {
	buckets := map[string][]catalog.Upload{}
	for _, u := range uploads {
		buckets[u.Bucket] = append(buckets[u.Bucket], u)
	}
	return func(yield func([]catalog.Upload) bool) {
		for _, all := range buckets {
			for some := range slices.Chunk(all, maxPerStatement) {
				if !yield(some) {
					return
				}
			}
		}
	}
}

// uploadsCondition returns the condition on the rows u of all generations of some objects, which are in one bucket.
func uploadsCondition(uploads []catalog.Upload) (where string, args []any) {
	objects := make([]string, len(uploads))
	for i, u := range uploads {
		objects[i] = u.Object
	}
	where, args = in("u.object", padded(objects))
	return `u.bucket = ? AND ` + where, append([]any{uploads[0].Bucket}, args...)
}

// padded repeats the last value, so that statements with more or fewer of them are the same one, of a few sizes.
func padded[T any](values []T) []T {
	all := make([]T, leastSize(len(values), paddedSizes))
	for i := range all {
		all[i] = values[min(i, len(values)-1)]
	}
	return all
}

var paddedSizes = []int{maxPerStatement, 10, 1}

// leastSize returns the least of some sizes, the largest one first, that has room for n; n if none has.
func leastSize(n int, sizes []int) int {
	least := n
	for _, size := range sizes {
		if size >= n {
			least = size
		}
	}
	return least
}

// sizes are how many rows one statement writes: few sizes, so that the statements are few, too.
var sizes = []int{50, 10, 1}

// sized yields all values in groups that have one of the sizes.
func sized[T any](all []T) iter.Seq[[]T] { return sizedBy(all, sizes) }

func sizedBy[T any](all []T, sizes []int) iter.Seq[[]T] {
	return func(yield func([]T) bool) {
		for _, n := range sizes {
			for ; len(all) >= n; all = all[n:] {
				if !yield(all[:n:n]) {
					return
				}
			}
		}
	}
}

// Backlog returns how many uploads have no final verdict yet.
func (d *DB) Backlog(ctx context.Context) (n int, err error) {
	err = d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads WHERE state IN (?, ?)`, catalog.Received, catalog.Stored).Scan(&n)
	})
	return n, err
}

// Oldest returns when the oldest upload without a final verdict was received; nil if there is none.
func (d *DB) Oldest(ctx context.Context) (*time.Time, error) {
	var oldest sql.NullInt64
	err := d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT MIN(received_at) FROM uploads WHERE state IN (?, ?)`, catalog.Received, catalog.Stored).Scan(&oldest)
	})
	return optional(oldest), err
}

// Unfinished returns received uploads of a staging bucket that no worker has a lease on, oldest first.
func (d *DB) Unfinished(ctx context.Context, bucket string, now time.Time, limit int) ([]catalog.Upload, error) {
	return list(ctx, d, scanUpload, `SELECT bucket, object, generation, size FROM uploads
		WHERE bucket = ? AND state = ? AND lease_until <= ? ORDER BY id LIMIT ?`, bucket, catalog.Received, millis(now), limit)
}

func scanUpload(scan func(...any) error) (catalog.Upload, error) {
	var u catalog.Upload
	err := scan(&u.Bucket, &u.Object, &u.Generation, &u.Size)
	return u, err
}

// MaxAttempts is how many attempts an upload gets before it is rejected as poison. An attempt that ends in an
// orderly fault does not count.
const MaxAttempts = 5

// A Lease is the right to work on an upload until it expires, unless it is renewed.
type Lease struct {
	Owner string        // the process, for people
	For   time.Duration // from the time given
}

// Take acquires a lease on an upload, and records the upload if it is new. It returns a token if the caller has the
// lease, and otherwise the state of the upload: [catalog.Received] means that another worker has the lease. An
// upload whose attempts are used up is rejected as poison.
func (d *DB) Take(ctx context.Context, u catalog.Upload, l Lease, now time.Time) (token string, state catalog.UploadState, err error) {
	state, err = d.State(ctx, u)
	if err == nil && state != catalog.Received {
		return "", state, nil // the sweep meets most uploads so, for days
	}
	taken, err := d.TakeAll(ctx, []catalog.Upload{u}, l, now)
	if err != nil {
		return "", state, err
	}
	return taken[0].Token, taken[0].State, nil
}

// A Taken is what [DB.TakeAll] returns for one upload: what [DB.Take] does.
type Taken struct {
	Token string
	State catalog.UploadState
}

// TakeAll is [DB.Take] for several uploads, in one transaction: if one of them cannot be taken, none is.
func (d *DB) TakeAll(ctx context.Context, uploads []catalog.Upload, l Lease, now time.Time) (taken []Taken, err error) {
	tokens := make([]string, len(uploads))
	for i := range tokens {
		tokens[i] = random()
	}
	err = d.tx(ctx, func(tx *transaction) error {
		taken = make([]Taken, len(uploads))
		if err := leaseNew(ctx, tx, uploads, l, tokens, now, taken); err != nil {
			return err
		}
		for i, u := range uploads {
			t := &taken[i]
			if t.Token != "" {
				continue
			}
			if t.Token, t.State, err = leaseUpload(ctx, tx, u, l, tokens[i], now); err != nil {
				return fmt.Errorf("lease %s: %w", u, err)
			}
		}
		return nil
	})
	return taken, err
}

// uploadColumns are those of an upload that is new, with its lease.
const uploadColumns = `bucket, object, generation, size, state, outcome, reason, detail, lease_owner, lease_token, lease_until, attempts, received_at, verdict_written, repository`

func newUpload(u catalog.Upload, l Lease, token string, now time.Time) []any {
	return []any{u.Bucket, u.Object, u.Generation, u.Size, catalog.Received, "", "", "", cut(l.Owner, maxUser), token, millis(now.Add(l.For)), 1, millis(now), 0, repositoryOf(u.Object)}
}

// leaseNew records those uploads that are new and of no release train, with their leases, many in one statement. It sets taken of them.
func leaseNew(ctx context.Context, tx *transaction, uploads []catalog.Upload, l Lease, tokens []string, now time.Time, taken []Taken) error {
	known := map[catalog.Upload]bool{} // or of no use here
	for some := range byBucket(uploads) {
		where, args := uploadsCondition(some)
		_, err := collect(ctx, tx, func(scan func(...any) error) (none struct{}, err error) {
			u := catalog.Upload{Bucket: some[0].Bucket}
			err = scan(&u.Object, &u.Generation)
			known[u] = true
			return none, err
		}, `SELECT u.object, u.generation FROM uploads u WHERE `+where, args...)
		if err != nil {
			return err
		}
	}
	var fresh []int
	for i, u := range uploads {
		if u = keyOf(u); known[u] || layout.TrainOf(u.Object) != "" {
			continue
		}
		known[u] = true
		fresh = append(fresh, i)
	}
	for some := range sized(fresh) {
		var args []any
		for _, i := range some {
			args = append(args, newUpload(uploads[i], l, tokens[i], now)...)
		}
		row := `(?` + strings.Repeat(`, ?`, len(args)/len(some)-1) + `)`
		if _, err := tx.ExecContext(ctx, `INSERT INTO uploads (`+uploadColumns+`) VALUES `+row+strings.Repeat(`, `+row, len(some)-1), args...); err != nil {
			return err
		}
		for _, i := range some {
			taken[i] = Taken{tokens[i], catalog.Received}
		}
	}
	return nil
}

// leaseUpload gives an upload the lease with token ours, if it is free, and returns the token then. An upload that
// has that token already got it in an earlier try of the transaction.
func leaseUpload(ctx context.Context, tx *transaction, u catalog.Upload, l Lease, ours string, now time.Time) (token string, state catalog.UploadState, err error) {
	var id, until int64
	var attempts int
	var last string
	err = tx.QueryRowContext(ctx, `SELECT id, state, lease_token, lease_until, attempts, detail FROM uploads WHERE bucket = ? AND object = ? AND generation = ?`+tx.forUpdate,
		u.Bucket, u.Object, u.Generation).Scan(&id, &state, &token, &until, &attempts, &last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		args := newUpload(u, l, ours, now)
		res, err := tx.ExecContext(ctx, `INSERT INTO uploads (`+uploadColumns+`) VALUES (?`+strings.Repeat(`, ?`, len(args)-1)+`)`, args...)
		if err == nil && layout.TrainOf(u.Object) != "" {
			return joinTrain(ctx, tx, u, res, ours, now)
		}
		return ours, catalog.Received, err
	case err != nil || state == catalog.Received && token == ours:
		return token, state, err
	case state != catalog.Received || until > millis(now):
		return "", state, nil
	case attempts >= MaxAttempts:
		return "", catalog.Rejected, reject(ctx, tx, id, poison(u, attempts, last), now)
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET lease_owner = ?, lease_token = ?, lease_until = ?, attempts = attempts + 1 WHERE id = ?`,
		cut(l.Owner, maxUser), ours, millis(now.Add(l.For)), id)
	return ours, state, err
}

// Renew extends the leases of an owner that have not expired.
func (d *DB) Renew(ctx context.Context, l Lease, now time.Time) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = ? WHERE lease_owner = ? AND state = ? AND lease_until > ?`,
		millis(now.Add(l.For)), cut(l.Owner, maxUser), catalog.Received, millis(now))
}

// RecordPusher records who pushed an upload that has no outcome yet. [DB.Claim] does so too.
func (d *DB) RecordPusher(ctx context.Context, u catalog.Upload, by catalog.Pusher) error {
	err := d.exec(ctx, `UPDATE uploads SET pushed_by = ?, pushed_job = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ?`,
		cut(by.User, maxUser), cut(by.Job, maxJob), u.Bucket, u.Object, u.Generation, catalog.Received)
	if err != nil {
		return fmt.Errorf("record who pushed %s: %w", u, err)
	}
	return nil
}

// RecordUploadFault records the last fault of an upload, for people. It does nothing if the lease is lost.
func (d *DB) RecordUploadFault(ctx context.Context, u catalog.Upload, token, why string) error {
	return d.exec(ctx, `UPDATE uploads SET detail = ?
		WHERE bucket = ? AND object = ? AND generation = ? AND lease_token = ? AND state = ?`,
		why, u.Bucket, u.Object, u.Generation, token, catalog.Received)
}

// Return ends a lease after a fault, without counting the attempt. A repeat changes nothing.
func (d *DB) Return(ctx context.Context, u catalog.Upload, token string) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = 0, lease_token = '', attempts = attempts - 1
		WHERE bucket = ? AND object = ? AND generation = ? AND lease_token = ? AND state = ?`,
		u.Bucket, u.Object, u.Generation, token, catalog.Received)
}

// GiveUp ends a lease after an attempt that hung or panicked. The attempt counts; if it was the last of
// [MaxAttempts], the upload is rejected as poison, with why in the detail. A repeat changes nothing.
func (d *DB) GiveUp(ctx context.Context, u catalog.Upload, token, why string, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := leased(ctx, tx, u, token)
		if err != nil || id == 0 {
			return err
		}
		var attempts int
		if err := tx.QueryRowContext(ctx, `SELECT attempts FROM uploads WHERE id = ?`, id).Scan(&attempts); err != nil {
			return err
		}
		if attempts >= MaxAttempts {
			return reject(ctx, tx, id, poison(u, attempts, why), now)
		}
		_, err = tx.ExecContext(ctx, `UPDATE uploads SET lease_until = 0, lease_token = '' WHERE id = ?`, id)
		return err
	})
	if err != nil {
		return fmt.Errorf("give up %s: %w", u, err)
	}
	return nil
}

// EndLeases ends every lease. Only a process that excludes all others may call it, as the embedded mode does under
// its lock.
func (d *DB) EndLeases(ctx context.Context) error {
	return d.exec(ctx, `UPDATE uploads SET lease_until = 0 WHERE state = ?`, catalog.Received)
}

// Reject ends an upload with a rejection. It does nothing if the lease is lost.
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
	if err == nil {
		err = leaveWithdrawn(ctx, tx, id)
	}
	if err == nil {
		err = notAgain(ctx, tx, id)
	}
	return err
}

// rejectWaiting rejects the uploads that wait for a package to be published, also with its release train.
func rejectWaiting(ctx context.Context, tx *transaction, pkg int64, r catalog.Rejection, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ? WHERE package_id = ? AND state IN (?, ?)`,
		catalog.Rejected, r.Reason, r.Detail, millis(now), pkg, catalog.Stored, catalog.Held)
	return err
}

// poison is the rejection of an upload whose attempts are used up.
func poison(u catalog.Upload, attempts int, last string) catalog.Rejection {
	detail := fmt.Sprintf("the program hung, panicked or was stopped %d times while it handled this file", attempts)
	if last != "" {
		detail += "; at last: " + last
	}
	again := "push"
	if u.Promoted() {
		again = "promote"
	}
	return catalog.Rejection{Reason: catalog.Poison, Detail: detail + "; " + again + " it again to have it tried once more"}
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
