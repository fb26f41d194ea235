package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A snapshot holds the files of what it shows: that they are withdrawn for longer than the retention period removes none of them. While
// one is in the making it is not known yet what it has, and nothing of its repository is removed. The package is the row k.
const (
	heldBySnapshot = `(EXISTS (SELECT 1 FROM visibility v JOIN snapshot_releases t ON t.release_id = v.release_id AND t.came_until >= v.came
			AND (v.went IS NULL OR v.went > t.went_after) WHERE v.package_id = k.id)
		OR EXISTS (SELECT 1 FROM snapshots s JOIN distributions sd ON sd.repository_id = s.repository_id WHERE sd.id = k.distribution_id AND s.state = 'asked'))`
)

// SnapshotsWith returns the snapshots that have one of some packages, in order.
func (d *DB) SnapshotsWith(ctx context.Context, packages []catalog.Package) (all []catalog.Snapshot, err error) {
	seen := map[int64]bool{}
	err = d.ask(ctx, func(q querier) error {
		clear(seen)
		all = nil
		for _, k := range packages {
			_, id, err := find(ctx, q, k)
			if err != nil {
				return err
			}
			some, err := collect(ctx, q, scanSnapshot, `SELECT DISTINCT `+snapshotColumns+` FROM visibility v JOIN snapshot_releases t ON t.release_id = v.release_id
				AND t.came_until >= v.came AND (v.went IS NULL OR v.went > t.went_after) JOIN snapshots s ON s.id = t.snapshot_id WHERE v.package_id = ?`, id)
			if err != nil {
				return err
			}
			for _, s := range some {
				if !seen[s.Number] {
					seen[s.Number] = true
					all = append(all, s)
				}
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for snapshots that have packages: %w", err)
	}
	slices.SortFunc(all, func(a, b catalog.Snapshot) int { return int(a.Number - b.Number) })
	return all, nil
}

// ImportSnapshots takes over the snapshots of a repository that the bucket has and this catalog lacks, as far as they have a release whose
// rows are to be recovered next ([DB.Recover]): what they hold must not be removed. The release is created if it is absent. Since the catalog
// has lost when packages came and went, such a snapshot holds all that the release had up to the recovery.
func (d *DB) ImportSnapshots(ctx context.Context, r catalog.Release, kept []catalog.Snapshot, foreign catalog.Revision, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		rec, err := beginRecovery(ctx, tx, r, now)
		if err != nil {
			return err
		}
		repository, err := repositoryID(ctx, tx, r.Repository)
		if err != nil {
			return err
		}
		for _, s := range kept {
			number, err := importSnapshot(ctx, tx, repository, s)
			if err == nil {
				err = tx.askSnapshotPages(ctx, repository, now)
			}
			if err != nil {
				return err
			}
			for _, one := range s.Releases {
				if one.Release != r {
					continue
				}
				until := nextRevisionAfter(rec.release.revision, foreign.Number)
				if err := holdRelease(ctx, tx, number, one, until, -1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("take over snapshots of %s: %w", r, err)
	}
	return nil
}

// importSnapshot returns the number of a snapshot of the bucket, with a row for it. Its name may belong to another one here.
func importSnapshot(ctx context.Context, tx *transaction, repository int64, s catalog.Snapshot) (number int64, err error) {
	there, err := collect(ctx, tx, scanID, `SELECT id FROM snapshots WHERE repository_id = ? AND ident = ?`, repository, s.ID)
	if err != nil {
		return 0, err
	}
	if len(there) > 0 {
		return there[0], nil
	}
	nonce := random()
	slot := "/" + nonce
	if s.Name != "" {
		taken, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots WHERE repository_id = ? AND slot = ?`, repository, s.Name).Scan)
		if err != nil {
			return 0, err
		}
		if taken == 0 {
			slot = s.Name
		}
	}
	var until any
	if s.Until != nil {
		until = millis(*s.Until)
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO snapshots (nonce, repository_id, target, ident, name, slot, state, asked_at, until, automatic, actor, why, job, signed_by)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, '', ?)`, nonce, repository, s.Target.String(), s.ID, s.Name, slot, catalog.SnapshotKept, millis(s.Asked), until,
		s.Automatic, cut(s.By.User, maxUser), s.By.Why, s.SignedBy)
	if err != nil {
		return 0, err
	}
	return scanID(tx.QueryRowContext(ctx, `SELECT id FROM snapshots WHERE nonce = ?`, nonce).Scan)
}

// SnapshotsToSign returns repositories with snapshots that other keys signed than those which should: signedBy has their fingerprints, with
// "+" between them.
func (d *DB) SnapshotsToSign(ctx context.Context, signedBy string, limit int) ([]catalog.Repository, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (r catalog.Repository, err error) { return r, scan(&r.Owner, &r.Name) },
		`SELECT DISTINCT p.owner, p.name FROM `+snapshotTables+` WHERE s.state = ? AND s.signed_by <> ? ORDER BY p.owner, p.name LIMIT ?`, catalog.SnapshotKept, signedBy, limit)
	if err != nil {
		return nil, fmt.Errorf("list snapshots to be signed again: %w", err)
	}
	return all, nil
}

// SnapshotsSigned records who signs the snapshots of a repository now, up to the one with a number.
func (d *DB) SnapshotsSigned(ctx context.Context, r catalog.Repository, last int64, signedBy string) error {
	err := d.exec(ctx, `UPDATE snapshots SET signed_by = ? WHERE state = ? AND id <= ? AND repository_id IN (SELECT id FROM repositories WHERE owner = ? AND name = ?)`,
		signedBy, catalog.SnapshotKept, last, r.Owner, r.Name)
	if err != nil {
		return fmt.Errorf("record who signed the snapshots of %s: %w", r, err)
	}
	return nil
}
