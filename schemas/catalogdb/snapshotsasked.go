package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"repomill/schemas/catalog"
)

const (
	snapshotColumns = `s.id, s.target, s.ident, s.name, s.state, s.asked_at, s.until, s.automatic, s.actor, s.why, s.job, s.fault, s.signed_by`
	snapshotTables  = `snapshots s JOIN repositories p ON p.id = s.repository_id`
	maxFault        = 4000 // bytes
)

func scanSnapshot(scan func(...any) error) (s catalog.Snapshot, err error) {
	var target string
	var until sql.NullInt64
	err = scan(&s.Number, &target, &s.ID, &s.Name, &s.State, (*scanTime)(&s.Asked), &until, &s.Automatic, &s.By.User, &s.By.Why, &s.By.Job, &s.Fault, &s.SignedBy)
	if err == nil {
		s.Target, err = catalog.ParsePackageTarget(target)
	}
	s.Until = optional(until)
	return s, err
}

// AskSnapshot asks for a snapshot of a target, with a name or without, and returns it with its number. A worker takes it. The time
// until which it is kept is rounded to seconds. The error wraps [ErrExists], with the other snapshot returned, if one of the repository
// has that name, [ErrNotFound] if the target has no releases, and [ErrDeleted].
func (d *DB) AskSnapshot(ctx context.Context, s catalog.Snapshot, now time.Time) (asked catalog.Snapshot, err error) {
	return d.askSnapshot(ctx, s, s.Name, now)
}

// askSnapshot is [DB.AskSnapshot] of one that has a slot for itself, which no other one of the repository has; none needs none.
func (d *DB) askSnapshot(ctx context.Context, s catalog.Snapshot, slot string, now time.Time) (asked catalog.Snapshot, err error) {
	by := catalog.ActorOf(ctx)
	nonce := random()
	slot = cmp.Or(slot, "/"+nonce) // no name has a slash
	s.Target = s.Target.WithoutComponent()
	var until sql.NullInt64
	if s.Until != nil {
		until = sql.NullInt64{Int64: millis(s.Until.Truncate(time.Second)), Valid: true}
	}
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, s.Target.Repository)
		if err != nil {
			return err
		}
		if row.settings.Deleted != nil {
			return deletedRepository(row.settings)
		}
		if t, del := row.settings.DeletedTarget(s.Target.Distribution, ""); del != nil {
			return deletedError{t, del}
		}
		there, err := collect(ctx, tx, scanSnapshot, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE s.repository_id = ? AND s.slot = ?`, row.id, slot)
		if err != nil {
			return err
		}
		if len(there) > 0 {
			asked = there[0]
			ours, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots WHERE id = ? AND nonce = ?`, asked.Number, nonce).Scan)
			if err == nil && ours == 0 {
				err = ErrExists
			}
			return err // an earlier try went through, or another has the name
		}
		targets, err := targetDistributions(ctx, tx, s.Target)
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(targets, func(t targetDistribution) bool { return len(t.releases) > 0 }) {
			return fmt.Errorf("releases of %s: %w", s.Target, ErrNotFound)
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO snapshots (nonce, repository_id, target, ident, name, slot, state, asked_at, until, automatic, actor, why, job)
			VALUES (?, ?, ?, '', ?, ?, ?, ?, ?, ?, ?, ?, ?)`, nonce, row.id, s.Target.String(), s.Name, slot, catalog.SnapshotAsked, millis(now), until, s.Automatic,
			cut(by.User, maxUser), by.Why, cut(by.Job, maxJob))
		if err != nil {
			return err
		}
		asked, err = scanSnapshot(tx.QueryRowContext(ctx, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE s.nonce = ?`, nonce).Scan)
		if err != nil {
			return err
		}
		return record(ctx, tx, now, snapshotEntry(catalog.ActionSnapshot, asked))
	})
	if err != nil {
		return asked, fmt.Errorf("ask for a snapshot of %s: %w", s.Target, err)
	}
	return asked, nil
}

func snapshotEntry(action catalog.Action, s catalog.Snapshot) catalog.AuditEntry {
	return catalog.AuditEntry{Action: action, Target: s.Target.String(), Detail: s.String()}
}

// SnapshotsOf returns the snapshots of a repository, in the order in which they were asked for. Their releases are not read.
func (d *DB) SnapshotsOf(ctx context.Context, r catalog.Repository) ([]catalog.Snapshot, error) {
	all, err := list(ctx, d, scanSnapshot, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE p.owner = ? AND p.name = ? ORDER BY s.id`, r.Owner, r.Name)
	if err != nil {
		return nil, fmt.Errorf("list snapshots of %s: %w", r, err)
	}
	return all, nil
}

// AllSnapshots returns the snapshots of all repositories, by repository, in the order in which they were asked for.
func (d *DB) AllSnapshots(ctx context.Context) ([]catalog.Snapshot, error) {
	all, err := list(ctx, d, scanSnapshot, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` ORDER BY p.owner, p.name, s.id`)
	if err != nil {
		return nil, fmt.Errorf("list snapshots: %w", err)
	}
	return all, nil
}

// SnapshotByNumber returns a snapshot with its releases. The error wraps [ErrNotFound] if there is none.
func (d *DB) SnapshotByNumber(ctx context.Context, number int64) (s catalog.Snapshot, err error) {
	return d.findSnapshot(ctx, `s.id = ?`, number)
}

// FindSnapshot returns the snapshot of a repository with an identifier or a name, with its releases. The error wraps [ErrNotFound] if
// there is none.
func (d *DB) FindSnapshot(ctx context.Context, r catalog.Repository, name string) (catalog.Snapshot, error) {
	return d.findSnapshot(ctx, `p.owner = ? AND p.name = ? AND (s.name = ? OR s.ident = ?) AND ? <> ''`, r.Owner, r.Name, name, name, name)
}

func (d *DB) findSnapshot(ctx context.Context, where string, args ...any) (s catalog.Snapshot, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		if s, err = scanSnapshot(q.QueryRowContext(ctx, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE `+where+` LIMIT 1`, args...).Scan); err != nil {
			return notFound(err)
		}
		s.Releases, err = releasesOfSnapshot(ctx, q, s.Number)
		return err
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read a snapshot: %w", err)
	}
	return s, err
}

func releasesOfSnapshot(ctx context.Context, q querier, number int64) ([]catalog.SnapshotRelease, error) {
	return collect(ctx, q, func(scan func(...any) error) (one catalog.SnapshotRelease, err error) {
		r := &one.Release
		return one, scan(&r.Repository.Owner, &r.Repository.Name, &r.Distribution.OS, &r.Distribution.Version, &r.Arch, &one.Revision, &one.Packages)
	}, `SELECT p.owner, p.name, d.os, d.version, r.arch, t.revision, t.packages FROM snapshot_releases t JOIN releases r ON r.id = t.release_id
		JOIN distributions d ON d.id = r.distribution_id JOIN repositories p ON p.id = d.repository_id WHERE t.snapshot_id = ?`+releaseOrder, number)
}

// SnapshotCalled returns the snapshot of a repository with an identifier, a name or a number, with its releases. The error wraps
// [ErrNotFound] if there is none.
func (d *DB) SnapshotCalled(ctx context.Context, r catalog.Repository, which string) (catalog.Snapshot, error) {
	s, err := d.FindSnapshot(ctx, r, which)
	number, isNumber := strconv.ParseInt(which, 10, 64)
	if isNumber != nil || !errors.Is(err, ErrNotFound) {
		return s, err
	}
	return d.findSnapshot(ctx, `p.owner = ? AND p.name = ? AND s.id = ?`, r.Owner, r.Name, number)
}

// AskSnapshotDeletion asks a worker to delete a snapshot. What it holds is held until that is done. A repeat changes nothing. The error
// wraps [ErrNotFound] if there is none.
func (d *DB) AskSnapshotDeletion(ctx context.Context, number int64, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error { return askSnapshotDeletion(ctx, tx, number, now, "") })
	if err != nil {
		return fmt.Errorf("delete a snapshot: %w", err)
	}
	return nil
}

func askSnapshotDeletion(ctx context.Context, tx *transaction, number int64, now time.Time, why string) error {
	s, err := scanSnapshot(tx.QueryRowContext(ctx, `SELECT `+snapshotColumns+` FROM `+snapshotTables+` WHERE s.id = ?`+tx.forUpdate, number).Scan)
	if err != nil || s.State == catalog.SnapshotDeleting {
		return notFound(err)
	}
	_, err = tx.ExecContext(ctx, `UPDATE snapshots SET state = ?, attempts = 0, not_before = 0, fault = '' WHERE id = ?`, catalog.SnapshotDeleting, number)
	if err != nil || s.State == catalog.SnapshotFailed {
		return err
	}
	repository, err := repositoryID(ctx, tx, s.Target.Repository)
	if err == nil && s.State == catalog.SnapshotKept {
		err = tx.askFront(ctx, repository, now)
	}
	if err != nil {
		return err
	}
	entry := snapshotEntry(catalog.ActionSnapshotDelete, s)
	entry.Why = why
	return record(ctx, tx, now, entry)
}
