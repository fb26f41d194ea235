package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// releaseColumns and scanRelease read a release with its revision; the tables are r, d and p.
const (
	releaseColumns = `p.owner, p.name, d.os, d.version, r.arch, r.revision, r.nonce, r.published_revision`
	releaseTables  = `releases r JOIN distributions d ON d.id = r.distribution_id AND r.retired = 0 JOIN repositories p ON p.id = d.repository_id`
	releaseKey     = `p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`
	releaseOrder   = ` ORDER BY p.owner, p.name, d.os, d.version, r.arch`
)

// A ReleaseState is a release with its latest and its published revision.
type ReleaseState struct {
	Release   catalog.Release
	Revision  catalog.Revision // of the rows
	Published int64            // the newest revision that clients see; 0 if none
	Since     *time.Time       // when that was published; only from [DB.Releases] and [DB.ReleasesOf]
	Fault     string           // why the last publish failed; likewise
	Recovery  *RecoveryState   // of the rows, while that is not at its end; likewise
}

func scanRelease(scan func(...any) error) (ReleaseState, error) {
	var s ReleaseState
	r := &s.Release
	err := scan(&r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch,
		&s.Revision.Number, &s.Revision.Nonce, &s.Published)
	return s, err
}

// scanReleaseSince is scanRelease with when that was published, and the fault.
func scanReleaseSince(scan func(...any) error) (ReleaseState, error) {
	var since sql.NullInt64
	var fault string
	s, err := scanRelease(func(dest ...any) error { return scan(append(dest, &since, &fault)...) })
	s.Since, s.Fault = optional(since), fault
	return s, err
}

// scanReleaseRecovery is scanReleaseSince with how far its recovery is.
func scanReleaseRecovery(scan func(...any) error) (ReleaseState, error) {
	var done, total sql.NullInt64
	s, err := scanReleaseSince(func(dest ...any) error { return scan(append(dest, &done, &total)...) })
	if done.Valid {
		s.Recovery = &RecoveryState{done.Int64, total.Int64}
	}
	return s, err
}

func distributionArgs(r catalog.Release) []any {
	return []any{r.Repository.Owner, r.Repository.Name, r.Distribution.OS, r.Distribution.Version}
}

// Releases returns all releases, in order.
func (d *DB) Releases(ctx context.Context) ([]ReleaseState, error) {
	return d.releaseStates(ctx, ``)
}

// ReleasesOf is [DB.Releases] of one repository.
func (d *DB) ReleasesOf(ctx context.Context, r catalog.Repository) ([]ReleaseState, error) {
	return d.releaseStates(ctx, ` WHERE p.owner = ? AND p.name = ?`, r.Owner, r.Name)
}

func (d *DB) releaseStates(ctx context.Context, where string, args ...any) ([]ReleaseState, error) {
	return list(ctx, d, scanReleaseRecovery, `SELECT `+releaseColumns+`, u.published_at, r.fault, c.done, c.total FROM `+releaseTables+`
		LEFT JOIN publications u ON u.release_id = r.id AND u.revision = r.published_revision LEFT JOIN recoveries c ON c.release_id = r.id`+where+releaseOrder, args...)
}

// Unpublished returns the releases whose latest revision is not published, in order.
func (d *DB) Unpublished(ctx context.Context) ([]catalog.Release, error) {
	return d.unpublished(ctx, ``)
}

// UnpublishedOf is [DB.Unpublished] of one repository. It does not read the releases of others.
func (d *DB) UnpublishedOf(ctx context.Context, r catalog.Repository) ([]catalog.Release, error) {
	return d.unpublished(ctx, ` AND p.owner = ? AND p.name = ?`, r.Owner, r.Name)
}

func (d *DB) unpublished(ctx context.Context, where string, args ...any) ([]catalog.Release, error) {
	states, err := list(ctx, d, scanRelease,
		`SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE r.revision > r.published_revision`+where+releaseOrder, args...)
	releases := make([]catalog.Release, len(states))
	for i, s := range states {
		releases[i] = s.Release
	}
	return releases, err
}

// Count returns how many packages a release shows.
func (d *DB) Count(ctx context.Context, r catalog.Release) (n int, err error) {
	err = d.ask(ctx, func(q querier) error {
		n, err = count(ctx, q, r)
		return err
	})
	return n, err
}

func count(ctx context.Context, q querier, r catalog.Release) (n int, err error) {
	where, args := releaseCondition(r, catalog.Active)
	err = q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE `+where, args...).Scan(&n)
	return n, err
}

// releaseID returns the row of a release, or [ErrNotFound].
func releaseID(ctx context.Context, q querier, r catalog.Release) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT r.id FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`,
		append(distributionArgs(r), r.Arch)...).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("release %s: %w", r, ErrNotFound)
	}
	return id, err
}

// A releaseRow is a release as transactions need it: what decides which packages it shows, and its revisions.
type releaseRow struct {
	id                  int64
	arch                string
	revision, published int64
}

// releasesOf returns the releases of a distribution in ascending order. In a transaction that locked
// them they stay as they are.
func releasesOf(ctx context.Context, q querier, r catalog.Repository, dist catalog.Distribution) ([]releaseRow, error) {
	return collect(ctx, q, func(scan func(...any) error) (row releaseRow, err error) {
		return row, scan(&row.id, &row.arch, &row.revision, &row.published)
	}, `SELECT r.id, r.arch, r.revision, r.published_revision FROM `+releaseTables+` WHERE `+releaseKey+` ORDER BY r.id`,
		r.Owner, r.Name, dist.OS, dist.Version)
}

// lock locks releases, in ascending order, until the transaction ends. Everything that decides what a
// release shows, and what was published of it, changes under this lock.
func (tx *transaction) lock(ctx context.Context, releases []int64) error {
	if tx.forUpdate == "" || len(releases) == 0 {
		return nil
	}
	slices.Sort(releases)
	where, args := in("id", slices.Compact(releases))
	_, err := collect(ctx, tx, scanID, `SELECT id FROM releases WHERE `+where+` ORDER BY id`+tx.forUpdate, args...)
	return err
}

// lockDistribution keeps a distribution from getting more releases until the transaction ends: a declaration changes
// this row first.
func (tx *transaction) lockDistribution(ctx context.Context, r catalog.Repository, dist catalog.Distribution) error {
	if tx.forUpdate == "" {
		return nil
	}
	id, err := distributionID(ctx, tx, r, dist)
	if errors.Is(err, ErrNotFound) {
		return nil
	}
	if err == nil { // by its primary key: a lock in another index would not keep an UPDATE out
		_, err = scanID(tx.QueryRowContext(ctx, `SELECT id FROM distributions WHERE id = ? LOCK IN SHARE MODE`, id).Scan)
	}
	return err
}

// lockedReleases is releasesOf, locked.
func (tx *transaction) lockedReleases(ctx context.Context, r catalog.Repository, dist catalog.Distribution) ([]releaseRow, error) {
	if err := tx.lockDistribution(ctx, r, dist); err != nil {
		return nil, err
	}
	rows, err := releasesOf(ctx, tx, r, dist)
	if err != nil || tx.forUpdate == "" || len(rows) == 0 {
		return rows, err
	}
	ids := make([]int64, len(rows))
	for i, row := range rows {
		ids[i] = row.id
	}
	if err := tx.lock(ctx, ids); err != nil {
		return nil, err
	}
	return releasesOf(ctx, tx, r, dist) // as they are now
}

// A ReleaseLock is an advisory lock on a release, with a deadline. Its holder is about to publish, and other
// publishers should wait. It excludes none of them: the swap of the pointer decides.
type ReleaseLock struct {
	Holder string    // empty: not locked
	Until  time.Time // the lock ends then, also if its holder crashed
}

// HeldByOther reports whether another process than holder has the lock at a time.
func (h ReleaseLock) HeldByOther(holder string, now time.Time) bool {
	return h.Holder != "" && h.Holder != holder && now.Before(h.Until)
}

// LockRelease acquires the advisory lock on a release until length after now, or extends the one that holder has,
// and reports whether holder has it. It does not wait for another holder. The error wraps [ErrNotFound] for an
// unknown release.
func (d *DB) LockRelease(ctx context.Context, r catalog.Release, holder string, length time.Duration, now time.Time) (held bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		if err := tx.lock(ctx, []int64{id}); err != nil {
			return err
		}
		h, err := readLock(ctx, tx, id)
		if held = err == nil && !h.HeldByOther(holder, now); !held {
			return err
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM release_holds WHERE release_id = ?`, id); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO release_holds (release_id, holder, held_until) VALUES (?, ?, ?)`, id, holder, millis(now.Add(length)))
		return err
	})
	if err != nil {
		return false, fmt.Errorf("lock %s: %w", r, err)
	}
	return held, nil
}

// UnlockRelease ends the advisory lock of a holder. If another process has the lock, or none, nothing changes.
func (d *DB) UnlockRelease(ctx context.Context, r catalog.Release, holder string) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := releaseID(ctx, tx, r)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `DELETE FROM release_holds WHERE release_id = ? AND holder = ?`, id, holder)
		return err
	})
	if err != nil {
		return fmt.Errorf("unlock %s: %w", r, err)
	}
	return nil
}

// readLock reads the advisory lock on a release; a lock without a holder if there is none.
func readLock(ctx context.Context, q querier, release int64) (h ReleaseLock, err error) {
	var until int64
	err = q.QueryRowContext(ctx, `SELECT holder, held_until FROM release_holds WHERE release_id = ?`, release).Scan(&h.Holder, &until)
	if errors.Is(err, sql.ErrNoRows) {
		return ReleaseLock{}, nil
	}
	h.Until = instant(until)
	return h, err
}
