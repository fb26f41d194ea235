package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

const (
	// RemovalAgain is the time after which the objects of a deleted repository are looked for once more: a process that was at work when
	// they were removed may have written some since.
	RemovalAgain = time.Hour
	// pagesPatience is how long a removal waits for the pages of other repositories to lose the deleted one.
	pagesPatience = time.Hour
)

// DueRemovals returns the deleted repositories whose objects are to be removed, or looked for once more.
func (d *DB) DueRemovals(ctx context.Context, now time.Time) (due []catalog.Repository, err error) {
	rows, err := list(ctx, d, scanRepository, `SELECT `+repositoryColumns+` FROM repositories WHERE deletion <> '[]' AND removing_until <= ? ORDER BY owner, name`, millis(now))
	if err != nil {
		return nil, fmt.Errorf("list repositories to be removed: %w", err)
	}
	for _, row := range rows {
		if removalDue(*row.settings.Deleted, now) {
			due = append(due, row.settings.Repository)
		}
	}
	return due, nil
}

func removalDue(del catalog.Deletion, now time.Time) bool {
	if del.Removed != nil {
		return !del.Final && !now.Before(del.Removed.Add(RemovalAgain))
	}
	return !now.Before(del.Until)
}

// BeginRemoval takes the next step to remove a deleted repository whose time is over, and reports whether the objects can be removed
// now: then the caller has a lease on that for a while, and calls [DB.EndRemoval] when none is left. The steps are: all releases are
// published without packages; from then on nothing brings the repository back, and the files of packages are removed as those of every
// withdrawn package; then releases are retired, tokens and trusts of the repository end, and its rows are removed but for those that keep
// names: of the repository, its releases, and identities. A repeat goes on where an earlier call has ended.
func (d *DB) BeginRemoval(ctx context.Context, r catalog.Repository, lease time.Duration, now time.Time) (ready bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		ready = false
		row, err := lockWhole(ctx, tx, r)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err != nil {
			return err
		}
		held, err := scanID(tx.QueryRowContext(ctx, `SELECT removing_until FROM repositories WHERE id = ?`, row.id).Scan)
		if err != nil || held > millis(now) || row.settings.Deleted == nil || !removalDue(*row.settings.Deleted, now) {
			return err
		}
		if row.settings.Deleted.Removed == nil {
			if done, err := row.clear(ctx, tx, now); err != nil || !done {
				return err
			}
		}
		ready = true
		_, err = tx.ExecContext(ctx, `UPDATE repositories SET removing_until = ? WHERE id = ?`, millis(now.Add(lease)), row.id)
		return err
	})
	if err != nil {
		return false, fmt.Errorf("remove repository %s: %w", r, err)
	}
	return ready, nil
}

// clear takes the steps in the catalog, and reports whether none is left.
func (row *deletionRow) clear(ctx context.Context, tx *transaction, now time.Time) (done bool, err error) {
	if del := *row.settings.Deleted; !del.Removing {
		if seen, err := row.seenEmpty(ctx, tx, now); err != nil || !seen {
			return false, err
		}
		del.Removing = true
		if err := row.doom(ctx, tx, del, now); err != nil {
			return false, err
		}
	}
	left := int64(0)
	for _, d := range row.distributions {
		// Files whose removal a crash or fault has interrupted are removed now, too, and not after the retention period.
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE distribution_id = ? AND state = ? AND removed = ?`, fileUrgent, d.id, catalog.Yanked, fileDoomed); err != nil {
			return false, err
		}
		n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND removed < ?`, d.id, fileDeleted).Scan)
		if err != nil {
			return false, err
		}
		left += n
	}
	if left > 0 {
		return false, nil
	}
	return true, row.retireAll(ctx, tx, now)
}

// seenEmpty reports whether clients see no package any more, and the list of repositories does not have this one.
func (row *deletionRow) seenEmpty(ctx context.Context, tx *transaction, now time.Time) (bool, error) {
	for _, d := range row.distributions {
		for _, r := range d.releases {
			if r.published < r.revision {
				return false, nil
			}
		}
	}
	if now.After(row.settings.Deleted.Until.Add(pagesPatience)) {
		return true, nil
	}
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM page_states WHERE repository_id = ? AND settings_revision >= ? AND front_asked = front_done`,
		row.id, row.settings.Revision.Number).Scan)
	return n > 0, err
}

// doom makes the end certain: the files of all packages are to be removed now, also of those that were claimed only.
func (row *deletionRow) doom(ctx context.Context, tx *transaction, del catalog.Deletion, now time.Time) error {
	for _, d := range row.distributions {
		_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE distribution_id = ? AND state = ?`,
			catalog.Yanked, millis(del.At), deletedReason, del.By, d.id, catalog.Claimed)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE distribution_id = ? AND state = ? AND removed = ?`, fileUrgent, d.id, catalog.Yanked, fileKept)
		}
		if err != nil {
			return err
		}
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: row.settings.Repository.String(), Detail: "all files are removed: this cannot be undone"}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, &del, now)
}

// retireAll retires the releases of a repository, and removes the rows that keep no names.
func (row *deletionRow) retireAll(ctx context.Context, tx *transaction, now time.Time) error {
	var revoked Revocation
	r := row.settings.Repository
	tokens, err := collect(ctx, tx, scanAPIToken, `SELECT `+apiTokenColumns+` FROM api_tokens WHERE owner = ? AND name = ? AND slot = ''`+tx.forUpdate, r.Owner, r.Name)
	if err != nil {
		return err
	}
	if err := revoked.revoke(ctx, tx, tokens, random(), now); err != nil {
		return err
	}
	if row.repositoryRow, err = lockRepository(ctx, tx, r); err != nil { // without the read tokens that those made
		return err
	}
	for _, d := range row.distributions {
		for _, of := range d.releases {
			if err := hideAll(ctx, tx, of.id, now); err != nil {
				return err
			}
		}
		for _, query := range []string{
			`UPDATE releases SET retired = 1, published_revision = revision, fault = '' WHERE distribution_id = ?`,
			`DELETE FROM page_cursors WHERE release_id IN (SELECT id FROM releases WHERE distribution_id = ?)`,
			`DELETE FROM retentions WHERE distribution_id = ?`, `DELETE FROM phases WHERE distribution_id = ?`, `DELETE FROM exact_needs WHERE distribution_id = ?`,
			`DELETE FROM snapshot_releases WHERE release_id IN (SELECT id FROM releases WHERE distribution_id = ?)`,
			`UPDATE packages SET stanza = NULL, primary_xml = NULL, filelists_xml = NULL, other_xml = NULL WHERE distribution_id = ?`,
			`UPDATE distributions SET components = '[]', architectures = '[]' WHERE id = ?`,
		} {
			if _, err := tx.ExecContext(ctx, query, d.id); err != nil {
				return err
			}
		}
	}
	for _, query := range []string{
		`DELETE FROM page_states WHERE repository_id = ?`, `DELETE FROM page_requests WHERE repository_id = ?`, `DELETE FROM page_names WHERE repository_id = ?`,
		`DELETE FROM package_contents WHERE repository_id = ?`, `DELETE FROM snapshots WHERE repository_id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, query, row.id); err != nil {
			return err
		}
	}
	res, err := tx.ExecContext(ctx, `DELETE FROM trusts WHERE owner = ? AND name = ?`, r.Owner, r.Name)
	if err != nil {
		return err
	}
	trusts, err := res.RowsAffected()
	if err != nil {
		return err
	}
	detail := fmt.Sprintf("%d read tokens, %d tokens of the API and %d trusts end", len(row.settings.Tokens), len(revoked.Tokens), trusts)
	if err := record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: r.String(), Detail: detail}); err != nil {
		return err
	}
	row.settings.Tokens, row.settings.Keyring, row.settings.Retention, row.settings.Snapshots = nil, nil, nil, nil
	return row.change(ctx, tx, row.settings.Deleted, now)
}

// EndRemoval records that a deleted repository has no objects any more. When they have been looked for twice, its name can be used
// again; once is enough if it never had a package.
func (d *DB) EndRemoval(ctx context.Context, r catalog.Repository, now time.Time) error {
	at := now.UTC().Truncate(time.Second)
	err := d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, r)
		if err != nil || row.settings.Deleted == nil || !row.settings.Deleted.Removing || row.settings.Deleted.Final {
			return err
		}
		del := *row.settings.Deleted
		del.Final = del.Removed != nil || del.Unused
		if del.Removed == nil {
			del.Removed = &at
		}
		detail := "no object is left"
		if !del.Final {
			detail = "the objects are removed, and looked for once more later"
		}
		if err := record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: r.String(), Detail: detail}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE repositories SET removing_until = 0 WHERE id = ?`, row.id); err != nil {
			return err
		}
		return (&deletionRow{repositoryRow: row}).change(ctx, tx, &del, now)
	})
	if err != nil {
		return fmt.Errorf("record the removal of repository %s: %w", r, err)
	}
	return nil
}

// RecreateRepository creates a repository under the name of one that was deleted and removed. Hosts trust that name still: origin and
// label stay as they were, revisions go on from those of before, and what had a name, version and architecture keeps others out.
// It returns the settings. The error wraps [ErrExists] for a repository that is not deleted, [ErrDeleted] for one that still has objects,
// and [ErrNotFound] for a name that was never used.
func (d *DB) RecreateRepository(ctx context.Context, s catalog.Settings, now time.Time) (catalog.Settings, error) {
	nonce := random()
	err := d.tx(ctx, func(tx *transaction) error {
		row, err := lockRepository(ctx, tx, s.Repository)
		switch was := row.settings; {
		case err != nil:
			return err
		case was.Revision.Nonce == nonce:
			return nil // an earlier try went through
		case was.Deleted == nil:
			return ErrExists
		case !was.Deleted.Final:
			return deletedError{was}
		default:
			s.Origin, s.Label = was.Origin, was.Label
			if was.Visibility == catalog.Private { // caches and clients may have what only some may read
				s.Visibility = catalog.Private
			}
		}
		if err := checkSettings(&s); err != nil {
			return err
		}
		if err := row.update(ctx, tx, s); err != nil {
			return err
		}
		entries := settingsCreated(s)
		entries[0].Detail += ", under the name of a repository that was deleted"
		if err := record(ctx, tx, now, entries...); err != nil {
			return err
		}
		return row.issueRevision(ctx, tx, row.settings.Revision.Number+1, nonce, now)
	})
	if err != nil {
		return s, fmt.Errorf("create repository %s: %w", s.Repository, err)
	}
	return s, nil
}
