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
	taken, err := d.TakeAll(ctx, []catalog.Upload{u}, l, now)
	if err != nil {
		return "", state, err
	}
	return taken[0].Token, taken[0].State, nil
}

// A Taken is the answer to one upload of [DB.TakeAll], as [DB.Take] gives it.
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
		for i, u := range uploads {
			t := &taken[i]
			if t.Token, t.State, err = take(ctx, tx, u, l, tokens[i], now); err != nil {
				return fmt.Errorf("take %s: %w", u, err)
			}
		}
		return nil
	})
	return taken, err
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
