package catalogdb

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// TakeReindex acquires a lease on the reindex of a release for an attempt. It reports false if no reindex is pending, if a
// later version of the program requested it, or if another process has the lease. A reindex with [MaxAttempts] attempts and
// no outcome fails: the process that worked on it was killed each time.
func (d *DB) TakeReindex(ctx context.Context, r catalog.Release, l Lease, now time.Time) (x Reindex, taken bool, err error) {
	err = d.changeReindex(ctx, r, func(is *Reindex) bool {
		x, taken = *is, false
		owner := cut(l.Owner, maxUser)
		switch {
		case !is.Pending() || is.Later() || is.Leased(now) && is.Owner != owner:
			return false
		case is.Attempts >= MaxAttempts:
			is.end(OutcomeFailed, fmt.Appendf(nil, `{"error":"%d processes ended before they were through with it; their logs, or that of the machine (memory?), say why"}`, is.Attempts), now)
			return true
		}
		is.Owner, is.Until, is.Rendered = owner, now.Add(l.For), 0
		is.Attempts++
		x, taken = *is, true
		return true
	})
	return x, taken, err
}

// RenewReindex extends the lease on a reindex, and records how many packages are rendered. It reports false if the
// owner in x has lost the reindex: it was cancelled, or another process has it.
func (d *DB) RenewReindex(ctx context.Context, x Reindex, l Lease, rendered int, now time.Time) (kept bool, err error) {
	err = d.changeReindex(ctx, x.Release, func(is *Reindex) bool {
		if kept = is.heldBy(x); kept {
			is.Until, is.Rendered = now.Add(l.For), rendered
		}
		return kept
	})
	return kept, err
}

// RenewReindexes extends the leases of an owner on all its reindexes, and returns how many there are.
func (d *DB) RenewReindexes(ctx context.Context, l Lease, now time.Time) (kept int, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `UPDATE reindexes SET lease_until = ? WHERE lease_owner = ? AND done < asked`, millis(now.Add(l.For)), cut(l.Owner, maxUser))
		if err == nil {
			err = tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM reindexes WHERE lease_owner = ? AND done < asked`, cut(l.Owner, maxUser)).Scan(&kept)
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("keep reindexes: %w", err)
	}
	return kept, nil
}

// ReturnReindex ends the lease on a reindex that was interrupted in good order, without counting the attempt. If the lease
// is lost, or returned already, nothing changes.
func (d *DB) ReturnReindex(ctx context.Context, x Reindex) error {
	return d.changeReindex(ctx, x.Release, func(is *Reindex) bool {
		if !is.heldBy(x) {
			return false
		}
		is.Owner, is.Attempts = "", is.Attempts-1
		return true
	})
}

// EndReindex records the outcome of the reindex that the owner in x took. It reports false, and changes nothing, if the
// owner has lost it. A repeat reports true. result is JSON. A request that was made since stays pending.
func (d *DB) EndReindex(ctx context.Context, x Reindex, outcome ReindexOutcome, result []byte, now time.Time) (recorded bool, err error) {
	err = d.changeReindex(ctx, x.Release, func(is *Reindex) bool {
		if recorded = is.Done == x.Number && is.Outcome == outcome && bytes.Equal(is.Result, result); recorded {
			return false // by a commit that went through unreported
		}
		if recorded = is.heldBy(x); !recorded {
			return false
		}
		number := is.Number
		is.Number = x.Number
		is.end(outcome, result, now)
		is.Number = number
		return true
	})
	return recorded, err
}

// CancelReindexes ends the pending reindexes of releases, each in its own transaction, and returns the releases that had
// one. A process that works on one stops when it next renews its lease. Clients see what they saw before.
func (d *DB) CancelReindexes(ctx context.Context, releases []catalog.Release, now time.Time) (cancelled []catalog.Release, err error) {
	for _, r := range releases {
		was := false
		err := d.changeReindex(ctx, r, func(is *Reindex) bool {
			pending := is.Pending()
			if pending {
				is.end(OutcomeCancelled, nil, now)
			}
			was = was || pending
			return pending
		}, func(tx *transaction) error {
			return record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionReindexCancel, Target: r.String()})
		})
		if err != nil {
			return cancelled, err
		}
		if was {
			cancelled = append(cancelled, r)
		}
	}
	return cancelled, nil
}

// heldBy reports whether the owner in taken still has the reindex that it took.
func (x *Reindex) heldBy(taken Reindex) bool {
	return x.Owner == taken.Owner && x.Owner != "" && x.Done < taken.Number
}

// end gives a reindex an outcome. No process works on it then.
func (x *Reindex) end(outcome ReindexOutcome, result []byte, now time.Time) {
	at := instant(millis(now))
	x.Done, x.Outcome, x.Result, x.Finished = x.Number, outcome, result, &at
	x.Owner, x.Attempts = "", 0
}

// changeReindex applies change to the reindex of a release, and stores it if change reports true. change may be called
// several times. If the release has no reindex, change gets an empty one, and nothing is stored.
// What also has is part of the transaction if it stores anything.
func (d *DB) changeReindex(ctx context.Context, r catalog.Release, change func(*Reindex) bool, also ...func(*transaction) error) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		x, err := scanReindex(tx.QueryRowContext(ctx, `SELECT `+reindexColumns+` FROM `+reindexTables+` WHERE x.release_id = ?`, id).Scan)
		if errors.Is(err, sql.ErrNoRows) {
			x = Reindex{Release: r}
			change(&x) // which sees that nothing is asked for
			return nil
		}
		if err != nil || !change(&x) {
			return err
		}
		if sound := x.Outcome == OutcomeIdentical || x.Outcome == OutcomePublished; sound && !x.Pending() && x.Request.Source == FromRows {
			if _, err := tx.ExecContext(ctx, `UPDATE releases SET renderer = ? WHERE id = ?`, layout.Renderer, id); err != nil {
				return err
			}
		}
		for _, f := range also {
			if err := f(tx); err != nil {
				return err
			}
		}
		return putReindex(ctx, tx, id, x)
	})
	if err != nil {
		return fmt.Errorf("reindex of %s: %w", r, err)
	}
	return nil
}

// renderedAgain is the time after which AskReindexOfRendered requests a reindex again that failed.
const renderedAgain = time.Hour

// AskReindexOfRendered requests reindexes of up to limit releases that an earlier version of the program published, and
// returns how many it requested.
func (d *DB) AskReindexOfRendered(ctx context.Context, limit int, now time.Time) (asked int, err error) {
	states, err := list(ctx, d, scanRelease, `SELECT `+releaseColumns+` FROM `+releaseTables+` LEFT JOIN reindexes x ON x.release_id = r.id
		WHERE r.published_revision > 0 AND r.renderer < ? AND (x.asked IS NULL OR x.asked = x.done AND x.finished_at < ?)`+releaseOrder+` LIMIT ?`,
		layout.Renderer, millis(now.Add(-renderedAgain)), limit)
	if err != nil {
		return 0, fmt.Errorf("list releases that an earlier version rendered: %w", err)
	}
	if len(states) == 0 {
		return 0, nil
	}
	releases := make([]catalog.Release, len(states))
	for i, s := range states {
		releases[i] = s.Release
	}
	numbers, err := d.askReindex(ctx, releases, ReindexRequest{Source: FromRows, By: "repomill, whose indexes are others now"}, Lease{}, now,
		func(*transaction, []releaseWithID) error { return nil }) // no change that a user made
	return len(numbers), err
}
