package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// What is kept of the texts of a job token, in bytes.
const (
	maxTrusts  = 4000
	maxJobText = 1024
)

// AddJobToken stores a job token, and forgets those that expired more than an hour before now.
func (d *DB) AddJobToken(ctx context.Context, t catalog.JobToken, now time.Time) error {
	trusts, err := json.Marshal(t.Trusts)
	if err == nil && len(trusts) > maxTrusts {
		err = fmt.Errorf("it fits %d trusts, which is too many: use one for the owner, or fewer", len(t.Trusts))
	}
	if err == nil {
		err = d.tx(ctx, func(tx *transaction) error {
			_, err := tx.ExecContext(ctx, `REPLACE INTO job_tokens (digest, trusts, name, job, expires_at) VALUES (?, ?, ?, ?, ?)`,
				t.SHA256, string(trusts), cut(t.Name, maxJobText), cut(t.Job, maxJobText), millis(t.Expires))
			if err == nil {
				_, err = tx.ExecContext(ctx, `DELETE FROM job_tokens WHERE expires_at < ?`, millis(now.Add(-useMemory)))
			}
			return err
		})
	}
	if err != nil {
		return fmt.Errorf("store the token of a job: %w", err)
	}
	return nil
}

// JobToken returns the job token with a digest, also one that has expired, and those of its trusts that are there, the
// oldest first. found is false if there is no such token.
func (d *DB) JobToken(ctx context.Context, digest string) (t catalog.JobToken, trusts []catalog.Trust, found bool, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		found, trusts, t = false, nil, catalog.JobToken{SHA256: digest}
		err := q.QueryRowContext(ctx, `SELECT trusts, name, job, expires_at FROM job_tokens WHERE digest = ?`, digest).
			Scan(jsonList[string]{&t.Trusts}, &t.Name, &t.Job, (*scanTime)(&t.Expires))
		if errors.Is(err, sql.ErrNoRows) || err == nil && len(t.Trusts) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		found = true
		where, ids := in("id", t.Trusts)
		trusts, err = collect(ctx, q, scanTrust, selectTrusts+` WHERE `+where+` ORDER BY created_at, id`, ids...)
		return err
	})
	if err != nil {
		return t, nil, false, fmt.Errorf("find the token of a job: %w", err)
	}
	return t, trusts, found, nil
}
