package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// ErrDeleted is returned for a change of a repository that is deleted.
var ErrDeleted = errors.New("the repository is deleted")

// ErrTrainHolds is returned for the deletion of a repository while a release train holds packages of it.
var ErrTrainHolds = errors.New("release trains hold packages of it: publish them, or drop the packages with repomill train drop")

// A deletedError is [ErrDeleted] of a repository.
type deletedError struct{ settings catalog.Settings }

// Error says since when, and what can be done.
func (e deletedError) Error() string {
	return fmt.Sprintf("repository %s: %s", e.settings.Repository, e.settings.Deleted)
}

// Is reports whether the target is [ErrDeleted].
func (e deletedError) Is(target error) bool { return target == ErrDeleted }

// deletionColumn is a list of one deletion, or of none.
func deletionColumn(s catalog.Settings) jsonList[catalog.Deletion] {
	var list []catalog.Deletion
	if s.Deleted != nil {
		list = append(list, *s.Deleted)
	}
	return jsonList[catalog.Deletion]{&list}
}

// maxDeletedWhy is what the column of a deletion holds of its reason, in bytes, however it is escaped.
const maxDeletedWhy = 1000

// deletedReason is the reason of the withdrawals of a deletion.
const deletedReason = "the repository was deleted"

// deletedEarly is the reason for what was not published before a deletion.
const deletedEarly = "the repository was deleted before the package was published"

// ErrForgotten is returned for the return of a deleted repository whose packages the catalog has lost, and taken from the bucket without
// their index entries.
var ErrForgotten = errors.New("the catalog was lost since, and has no index entries of the withdrawn packages: restore a backup of the catalog, or repomill repo create --reuse-deleted-name once the repository is removed, and push them again")

// A deletionRow is a repository that is deleted or brought back, locked with all that it has.
type deletionRow struct {
	repositoryRow
	distributions []targetDistribution
}

// lockWhole locks a repository, its distributions and releases: no upload becomes active until the transaction ends.
func lockWhole(ctx context.Context, tx *transaction, r catalog.Repository) (row deletionRow, err error) {
	if row.repositoryRow, err = lockRepository(ctx, tx, r); err != nil {
		return row, err
	}
	if tx.forUpdate != "" { // claims hold a shared lock on their distribution
		if _, err := collect(ctx, tx, scanID, `SELECT id FROM distributions WHERE repository_id = ? ORDER BY id`+tx.forUpdate, row.id); err != nil {
			return row, err
		}
	}
	all, err := tx.lockedTargets(ctx, catalog.PackageTarget{Repository: r})
	if err == nil {
		row.distributions = all[0]
		err = row.addDistributions(ctx, tx)
	}
	return row, err
}

// change stores settings with another deletion, and issues their revision.
func (row *deletionRow) change(ctx context.Context, tx *transaction, d *catalog.Deletion, now time.Time) error {
	row.settings.Deleted = d
	if err := row.update(ctx, tx, row.settings); err != nil {
		return err
	}
	row.settings.Revision = catalog.Revision{Number: row.settings.Revision.Number + 1, Nonce: random()}
	return row.issueRevision(ctx, tx, row.settings.Revision.Number, row.settings.Revision.Nonce, now)
}

// DeleteRepository deletes a repository, in one transaction: all its packages are withdrawn, each release gets a revision that is
// empty, uploads that wait for it are rejected, and so are those that come. After grace, workers remove its objects
// ([DB.BeginRemoval]); until then [DB.UndeleteRepository] brings it back. A repository that never had a package is removed at once. A
// repeat changes nothing. It returns the settings, and the latest revision of each release. The error wraps [ErrNotFound] for an unknown
// repository, and [ErrTrainHolds].
func (d *DB) DeleteRepository(ctx context.Context, r catalog.Repository, grace time.Duration, now time.Time) (s catalog.Settings, revisions map[catalog.Release]int64, err error) {
	at := now.UTC().Truncate(time.Second)
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockWhole(ctx, tx, r)
		if err != nil {
			return err
		}
		if row.settings.Deleted == nil {
			by := catalog.ActorOf(ctx)
			del := &catalog.Deletion{At: at, Until: at.Add(grace), By: cut(by.User, maxUser), Why: cut(by.Why, maxDeletedWhy)}
			if err := row.delete(ctx, tx, del, now); err != nil {
				return err
			}
		}
		s = row.settings
		revisions, err = revisionsOf(ctx, tx, r)
		return err
	})
	if err != nil {
		return s, nil, fmt.Errorf("delete repository %s: %w", r, err)
	}
	return s, revisions, nil
}

func (row *deletionRow) delete(ctx context.Context, tx *transaction, del *catalog.Deletion, now time.Time) error {
	del.Unused = true
	for _, d := range row.distributions {
		held, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND state = ?`, d.id, catalog.Reserved).Scan)
		if err != nil {
			return err
		}
		if held > 0 {
			return ErrTrainHolds
		}
		ever, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ?`, d.id).Scan)
		if err != nil {
			return err
		}
		n, err := withdrawAll(ctx, tx, d.id, del, now)
		if err != nil {
			return err
		}
		del.Unused, del.Packages = del.Unused && ever == 0, del.Packages+int(n)
		if err := emptyReleases(ctx, tx, d, now); err != nil {
			return err
		}
	}
	if del.Unused {
		del.Until = del.At
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoDelete, Target: row.settings.Repository.String(),
		Detail: fmt.Sprintf("%d packages withdrawn; can be undone until %s", del.Packages, del.Until.Format(time.RFC3339))}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, del, now)
}

// withdrawAll withdraws all active packages of a distribution, and rejects the uploads that wait for one to be published.
func withdrawAll(ctx context.Context, tx *transaction, distribution int64, del *catalog.Deletion, now time.Time) (int64, error) {
	const active = `(SELECT id FROM packages WHERE distribution_id = ? AND state = ?)`
	if _, err := tx.ExecContext(ctx, `DELETE FROM unyanks WHERE package_id IN `+active, distribution, catalog.Active); err != nil {
		return 0, err
	}
	// What clients never saw is rejected, and stays away when the repository comes back.
	_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE distribution_id = ? AND state = ?
		AND id IN (SELECT package_id FROM uploads WHERE state = ? AND outcome = ?)`,
		catalog.Yanked, millis(del.At), deletedEarly, del.By, distribution, catalog.Active, catalog.Stored, catalog.Published)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ? WHERE state = ? AND package_id IN
		(SELECT id FROM packages WHERE distribution_id = ? AND (state = ? OR state = ? AND yanked_at = ? AND yank_reason = ?))`,
		catalog.Rejected, catalog.UnknownRepository, deletedEarly, millis(now), catalog.Stored, distribution, catalog.Active, catalog.Yanked, millis(del.At), deletedEarly)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE distribution_id = ? AND state = ?`,
		catalog.Yanked, millis(del.At), deletedReason, del.By, distribution, catalog.Active)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// emptyReleases issues a revision for each release of a distribution, from which on it shows nothing.
func emptyReleases(ctx context.Context, tx *transaction, d targetDistribution, now time.Time) error {
	for _, r := range d.releases {
		revision, err := issueNext(ctx, tx, r.id, now)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE visibility SET went = ? WHERE release_id = ? AND went IS NULL`, revision, r.id)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// revisionsOf returns the latest revision of each release of a repository.
func revisionsOf(ctx context.Context, q querier, r catalog.Repository) (map[catalog.Release]int64, error) {
	states, err := collect(ctx, q, scanRelease, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE p.owner = ? AND p.name = ?`, r.Owner, r.Name)
	revisions := map[catalog.Release]int64{}
	for _, s := range states {
		revisions[s.Release] = s.Revision.Number
	}
	return revisions, err
}

// UndeleteRepository brings a deleted repository back, in one transaction, with the packages that were withdrawn with it. A
// repository that is not deleted stays as it is. It returns the settings, and the latest revision of each release. The error wraps
// [ErrDeleted] if the objects are being removed, [ErrForgotten], and [ErrNotFound] for an unknown repository.
func (d *DB) UndeleteRepository(ctx context.Context, r catalog.Repository, now time.Time) (s catalog.Settings, revisions map[catalog.Release]int64, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockWhole(ctx, tx, r)
		if err != nil {
			return err
		}
		if del := row.settings.Deleted; del != nil && del.Removing {
			return deletedError{row.settings}
		} else if del != nil {
			if err := row.undelete(ctx, tx, *del, now); err != nil {
				return err
			}
		}
		s = row.settings
		revisions, err = revisionsOf(ctx, tx, r)
		return err
	})
	if err != nil {
		return s, nil, fmt.Errorf("undelete repository %s: %w", r, err)
	}
	return s, revisions, nil
}

func (row *deletionRow) undelete(ctx context.Context, tx *transaction, del catalog.Deletion, now time.Time) error {
	back := int64(0)
	for _, d := range row.distributions {
		n, err := restoreAll(ctx, tx, d, del, now)
		if err != nil {
			return err
		}
		back += n
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoUndelete, Target: row.settings.Repository.String(), Detail: fmt.Sprintf("%d packages are back", back)}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, nil, now)
}

// restoreAll makes the packages of a distribution active again that were withdrawn with its repository, and returns how many.
func restoreAll(ctx context.Context, tx *transaction, d targetDistribution, del catalog.Deletion, now time.Time) (int64, error) {
	const withdrawn = `distribution_id = ? AND state = ? AND yanked_at = ? AND yank_reason = ? AND removed = 0 AND NOT (stanza IS NULL AND primary_xml IS NULL)`
	args := []any{d.id, catalog.Yanked, millis(del.At), deletedReason}
	lost, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND state = ? AND yanked_at = ? AND yank_reason = ?
		AND removed = 0 AND stanza IS NULL AND primary_xml IS NULL`, args...).Scan)
	if err == nil && lost > 0 {
		err = ErrForgotten
	}
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) SELECT id, ? FROM packages WHERE `+withdrawn, append([]any{millis(now)}, args...)...); err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = NULL, yank_reason = '', yanked_by = '' WHERE `+withdrawn, append([]any{catalog.Active}, args...)...)
	if err != nil {
		return 0, err
	}
	for _, r := range d.releases {
		revision, err := issueNext(ctx, tx, r.id, now)
		if err == nil {
			err = showAll(ctx, tx, r.id, d.id, revision, r.arch)
		}
		if err != nil {
			return 0, err
		}
	}
	return res.RowsAffected()
}

// deletedOf returns the deletion of a repository, or nil.
func deletedOf(ctx context.Context, q querier, r catalog.Repository) (*catalog.Deletion, error) {
	var list []catalog.Deletion
	err := q.QueryRowContext(ctx, `SELECT deletion FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan(jsonList[catalog.Deletion]{&list})
	if err != nil || len(list) == 0 {
		return nil, notFound(err)
	}
	return &list[0], nil
}

// checkNotDeleted returns [ErrDeleted], wrapped, for a deleted repository. It stays so if a lock on its releases is held.
func checkNotDeleted(ctx context.Context, q querier, r catalog.Repository) error {
	del, err := deletedOf(ctx, q, r)
	if err == nil && del != nil {
		return deletedError{catalog.Settings{Repository: r, Deleted: del}}
	}
	return err
}

// DeletedRejection returns the rejection of an upload to a deleted repository.
func DeletedRejection(r catalog.Repository, del catalog.Deletion) *catalog.Rejection {
	return &catalog.Rejection{Reason: catalog.UnknownRepository, Detail: fmt.Sprintf("repository %s takes no packages: %s", r, del)}
}

// A DeletionPreview is what the deletion of a repository would withdraw, and remove later.
type DeletionPreview struct {
	Settings  catalog.Settings
	Packages  int   // that clients see, or will
	Files     int   // that there are, also of withdrawn packages
	Bytes     int64 // of these files
	Snapshots int
}

// PreviewDeletion returns what the deletion of a repository would do now, read in one transaction. The error wraps [ErrNotFound] for an
// unknown one.
func (d *DB) PreviewDeletion(ctx context.Context, r catalog.Repository) (p DeletionPreview, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		if p.Settings, err = settings(ctx, q, r); err != nil {
			return err
		}
		err := q.QueryRowContext(ctx, `SELECT COALESCE(SUM(CASE WHEN k.state = ? THEN 1 ELSE 0 END), 0), COUNT(*), COALESCE(SUM(k.size), 0)
			FROM `+packageTables+` WHERE p.owner = ? AND p.name = ? AND k.removed < ?`, catalog.Active, r.Owner, r.Name, fileDeleted).Scan(&p.Packages, &p.Files, &p.Bytes)
		if err != nil {
			return err
		}
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM snapshots s JOIN repositories p ON p.id = s.repository_id WHERE p.owner = ? AND p.name = ?`, r.Owner, r.Name).Scan(&p.Snapshots)
	})
	if err != nil {
		return p, fmt.Errorf("read what repository %s has: %w", r, err)
	}
	return p, nil
}
