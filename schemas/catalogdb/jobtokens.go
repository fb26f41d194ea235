package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// What is kept of the texts of a job token, in bytes.
const (
	maxTrusts  = 4000
	maxJobText = 1024
)

// AddJobToken stores a job token, records that in the audit log of what it opens, and forgets those that expired more than
// an hour before now.
func (d *DB) AddJobToken(ctx context.Context, t catalog.JobToken, now time.Time) error {
	trusts, err := json.Marshal(t.Trusts)
	if err == nil && len(trusts) > maxTrusts {
		err = fmt.Errorf("it fits %d trusts, which is too many: use one for the owner, or fewer", len(t.Trusts))
	}
	if err == nil {
		err = d.tx(ctx, func(tx *transaction) error { return addJobToken(ctx, tx, t, string(trusts), now) })
	}
	if err != nil {
		return fmt.Errorf("store the token of a job: %w", err)
	}
	return nil
}

func addJobToken(ctx context.Context, tx *transaction, t catalog.JobToken, trusts string, now time.Time) error {
	var there int
	err := tx.QueryRowContext(ctx, `SELECT 1 FROM job_tokens WHERE digest = ?`, t.SHA256).Scan(&there)
	if !errors.Is(err, sql.ErrNoRows) {
		return err // nil: an earlier try went through
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO job_tokens (digest, trusts, name, job, expires_at) VALUES (?, ?, ?, ?, ?)`,
		t.SHA256, trusts, cut(t.Name, maxJobText), cut(t.Job, maxJobText), millis(t.Expires))
	if err != nil {
		return err
	}
	if _, err = tx.ExecContext(ctx, `DELETE FROM job_tokens WHERE expires_at < ?`, millis(now.Add(-useMemory))); err != nil {
		return err
	}
	opens, err := trustsByID(ctx, tx, t.Trusts)
	if err != nil {
		return err
	}
	return record(ctx, tx, now, exchangeEntries(t, opens)...)
}

// exchangeEntries returns the entries of the audit log for a job token: one for each target of its trusts. If all of them
// were removed since the ID token was checked, the entry is for all: the token opens nothing.
func exchangeEntries(t catalog.JobToken, opens []catalog.Trust) (entries []catalog.AuditEntry) {
	until := " until " + t.Expires.UTC().Format(time.DateTime)
	entry := func(target, detail string) {
		entries = append(entries, catalog.AuditEntry{By: t.Name, Job: t.Job, Action: catalog.ActionTokenExchange, Target: target, Detail: detail + until})
	}
	said := map[string]string{}
	for _, v := range opens {
		if said[v.Target()] != "" {
			said[v.Target()] += ", "
		}
		said[v.Target()] += "trust " + v.ID + ": " + v.Scope
	}
	for _, target := range slices.Sorted(maps.Keys(said)) {
		entry(target, said[target])
	}
	if len(entries) == 0 {
		entry(catalog.AllRepositories, "trusts that were removed: nothing")
	}
	return entries
}

// trustsByID returns those of some trusts that are there, the oldest first.
func trustsByID(ctx context.Context, q querier, ids []string) ([]catalog.Trust, error) {
	if len(ids) == 0 {
		return nil, nil
	}
	where, args := in("id", ids)
	return collect(ctx, q, scanTrust, selectTrusts+` WHERE `+where+` ORDER BY created_at, id`, args...)
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
		trusts, err = trustsByID(ctx, q, t.Trusts)
		return err
	})
	if err != nil {
		return t, nil, false, fmt.Errorf("find the token of a job: %w", err)
	}
	return t, trusts, found, nil
}
