package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// The times of a worker's attempts at a snapshot.
const (
	snapshotLease = 2 * time.Minute // in which other workers leave it alone: two at one time do no harm
	maxSnapshots  = 20              // that are taken from the catalog at a time
	failedFor     = 24 * time.Hour  // how long one that was never taken is listed
)

// TakeSnapshots returns snapshots that are to be made or deleted, without releases, for this caller to work on. First it asks for the
// deletion of those whose time is over.
func (d *DB) TakeSnapshots(ctx context.Context, now time.Time) (taken []catalog.Snapshot, err error) {
	if err := d.expireSnapshots(ctx, now); err != nil {
		return nil, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		taken = nil
		due, err := collect(ctx, tx, scanSnapshot, `SELECT `+snapshotColumns+` FROM `+snapshotTables+`
			WHERE s.state IN (?, ?) AND s.not_before <= ? ORDER BY s.not_before, s.id LIMIT ?`, catalog.SnapshotAsked, catalog.SnapshotDeleting, millis(now), maxSnapshots)
		if err != nil {
			return err
		}
		for _, s := range due {
			res, err := tx.ExecContext(ctx, `UPDATE snapshots SET attempts = attempts + 1, not_before = ? WHERE id = ? AND state = ? AND not_before <= ?`,
				millis(now.Add(snapshotLease)), s.Number, s.State, millis(now))
			if err != nil {
				return err
			}
			if n, err := res.RowsAffected(); err != nil || n == 0 {
				if err != nil {
					return err
				}
				continue // another worker has it
			}
			taken = append(taken, s)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for snapshots to be made: %w", err)
	}
	return taken, nil
}

// expireSnapshots asks for the deletion of snapshots whose time is over.
func (d *DB) expireSnapshots(ctx context.Context, now time.Time) error {
	over, err := list(ctx, d, scanID, `SELECT id FROM snapshots WHERE until <= ? AND state IN (?, ?) ORDER BY id LIMIT ?`,
		millis(now), catalog.SnapshotKept, catalog.SnapshotFailed, maxSnapshots)
	for _, number := range over {
		if err == nil {
			err = d.tx(ctx, func(tx *transaction) error { return askSnapshotDeletion(ctx, tx, number, now, "its time is over") })
		}
	}
	if err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("end snapshots: %w", err)
	}
	return nil
}

// NameSnapshot gives a snapshot that is to be made its identifier, instead of the one that it has. It reports false if another one of
// the repository has that, or this one is not to be made any more.
func (d *DB) NameSnapshot(ctx context.Context, number int64, id string) (named bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		named = false
		s, err := scanSnapshot(tx.QueryRowContext(ctx, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE s.id = ?`, number).Scan)
		if err != nil {
			return notFound(err)
		}
		if _, err := lockRepository(ctx, tx, s.Target.Repository); err != nil {
			return err
		}
		others, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+snapshotTables+` WHERE p.owner = ? AND p.name = ? AND s.ident = ? AND s.id <> ?`,
			s.Target.Repository.Owner, s.Target.Repository.Name, id, number).Scan)
		if err != nil || others > 0 {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE snapshots SET ident = ? WHERE id = ? AND state = ?`, id, number, catalog.SnapshotAsked); err != nil {
			return err
		}
		is, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots WHERE id = ? AND state = ? AND ident = ?`, number, catalog.SnapshotAsked, id).Scan)
		named = is > 0
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		return false, fmt.Errorf("name a snapshot: %w", err)
	}
	return named, nil
}

// SnapshotMade records that the objects of a snapshot are written, with what releases it has and who signed them. Its pages are due. One
// whose deletion was asked for since is left to that.
func (d *DB) SnapshotMade(ctx context.Context, number int64, releases []catalog.SnapshotRelease, signedBy string, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		state, repository := catalog.SnapshotState(""), int64(0)
		err := tx.QueryRowContext(ctx, `SELECT state, repository_id FROM snapshots WHERE id = ?`+tx.forUpdate, number).Scan(&state, &repository)
		if err = notFound(err); errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil || state != catalog.SnapshotAsked {
			return err
		}
		for _, one := range releases {
			if err := holdRelease(ctx, tx, number, one, one.Revision, one.Revision); err != nil {
				return err
			}
		}
		_, err = tx.ExecContext(ctx, `UPDATE snapshots SET state = ?, fault = '', signed_by = ?, attempts = 0 WHERE id = ?`, catalog.SnapshotKept, signedBy, number)
		if err == nil {
			err = tx.askSnapshotPages(ctx, repository, now)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("record a snapshot: %w", err)
	}
	return nil
}

// holdRelease records that a snapshot has a revision of a release, and which packages it holds. A release that is not there, or is there
// already, is left out. One whose architecture was taken out of the repository has its row still.
func holdRelease(ctx context.Context, tx *transaction, number int64, one catalog.SnapshotRelease, cameUntil, wentAfter int64) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO snapshot_releases (snapshot_id, release_id, revision, came_until, went_after, packages)
		SELECT ?, r.id, ?, ?, ?, ? FROM releases r JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id
		WHERE `+releaseKey+` AND r.arch = ? AND NOT EXISTS (SELECT 1 FROM snapshot_releases t WHERE t.snapshot_id = ? AND t.release_id = r.id)`,
		append(append([]any{number, one.Revision, cameUntil, wentAfter, one.Packages}, distributionArgs(one.Release)...), one.Release.Arch, number)...)
	return err
}

// SnapshotFailed records why a snapshot could not be made or deleted, and when it is tried again; with final it is given up, which is
// only for one that is to be made and has no objects. Its name is free then; one of a rule is not asked for again in its period.
func (d *DB) SnapshotFailed(ctx context.Context, number int64, fault string, again, now time.Time, final bool) error {
	err := d.exec(ctx, `UPDATE snapshots SET fault = ?, not_before = ? WHERE id = ? AND state IN (?, ?)`, cut(fault, maxFault), millis(again), number,
		catalog.SnapshotAsked, catalog.SnapshotDeleting)
	if err == nil && final {
		err = d.exec(ctx, `UPDATE snapshots SET state = ?, slot = CASE WHEN automatic = 0 THEN ? ELSE slot END, until = ? WHERE id = ? AND state = ?`,
			catalog.SnapshotFailed, "/"+random(), millis(now.Add(failedFor)), number, catalog.SnapshotAsked)
	}
	if err != nil {
		return fmt.Errorf("record the fault of a snapshot: %w", err)
	}
	return nil
}

// SnapshotGone removes the row of a snapshot whose objects are deleted.
func (d *DB) SnapshotGone(ctx context.Context, number int64) error {
	err := d.tx(ctx, func(tx *transaction) error {
		gone := catalog.SnapshotDeleting
		_, err := tx.ExecContext(ctx, `DELETE FROM snapshot_releases WHERE snapshot_id IN (SELECT id FROM snapshots WHERE id = ? AND state = ?)`, number, gone)
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM snapshots WHERE id = ? AND state = ?`, number, gone)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("remove a snapshot: %w", err)
	}
	return nil
}
