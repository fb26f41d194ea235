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

// DueRemovals returns the deleted targets whose objects are to be removed, or looked for once more. Of a repository, or a distribution,
// that is deleted as a whole, no part is among them.
func (d *DB) DueRemovals(ctx context.Context, now time.Time) (due []catalog.PackageTarget, err error) {
	rows, err := list(ctx, d, scanRepository, `SELECT `+repositoryColumns+` FROM repositories
		WHERE (deletion <> '[]' OR deleted_parts <> '[]') AND removing_until <= ? ORDER BY owner, name`, millis(now))
	if err != nil {
		return nil, fmt.Errorf("list what is to be removed: %w", err)
	}
	for _, row := range rows {
		s := row.settings
		if s.Deleted != nil {
			if removalDue(*s.Deleted, now) {
				due = append(due, catalog.PackageTarget{Repository: s.Repository})
			}
			continue
		}
		for _, p := range s.DeletedParts {
			t := p.Target(s.Repository)
			if of, _ := s.DeletedTarget(t.Distribution, ""); removalDue(p.Deletion, now) && (t.Component == "" || of == (catalog.PackageTarget{})) {
				due = append(due, t)
			}
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

// BeginRemoval takes the next step to remove a deleted target whose time is over, and reports whether the objects can be removed
// now: then the caller has a lease on that for a while, and calls [DB.EndRemoval] when none is left. The steps are: all releases are
// published without its packages and, of a part of a repository, no snapshot names it; from then on nothing brings the target back, and the
// files of packages are removed as those of every withdrawn package; then index entries and statistics are deleted, in batches; then releases
// are retired, tokens and trusts of a repository end, and the rows are removed but for those that keep names: of the repository,
// distributions, releases, and identities. A repeat goes on where an earlier call has ended.
func (d *DB) BeginRemoval(ctx context.Context, t catalog.PackageTarget, lease time.Duration, now time.Time) (ready bool, err error) {
	step := waitRemoval
	for range 2 { // the second time without the rows of many packages
		err = d.tx(ctx, func(tx *transaction) (err error) {
			step, err = beginRemoval(ctx, tx, t, step == clearRows, lease, now)
			return err
		})
		if err == nil && step == clearRows {
			err = d.clearRows(ctx, t)
		}
		if err != nil {
			return false, fmt.Errorf("remove %s %s: %w", t.Kind(), t, err)
		}
		if step != clearRows {
			break
		}
	}
	return step == removeObjects, nil
}

// A removalStep is what is next in the removal of a deleted target.
type removalStep int

const (
	waitRemoval   removalStep = iota // nothing yet
	clearRows                        // the rows of its packages, in batches
	removeObjects                    // its objects
)

// beginRemoval takes a step in one transaction. cleared: the rows of packages were cleared.
func beginRemoval(ctx context.Context, tx *transaction, t catalog.PackageTarget, cleared bool, lease time.Duration, now time.Time) (removalStep, error) {
	row, err := lockWhole(ctx, tx, t)
	if errors.Is(err, ErrNotFound) {
		return waitRemoval, nil
	}
	if err != nil {
		return waitRemoval, err
	}
	held, err := scanID(tx.QueryRowContext(ctx, `SELECT removing_until FROM repositories WHERE id = ?`, row.id).Scan)
	del := row.deleted()
	if err != nil || held > millis(now) || del == nil || !removalDue(*del, now) || row.check() != nil {
		return waitRemoval, err // with a repository or distribution that is deleted as a whole
	}
	if del.Removed == nil {
		if step, err := row.clear(ctx, tx, cleared, now); err != nil || step != removeObjects {
			return step, err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE repositories SET removing_until = ? WHERE id = ?`, millis(now.Add(lease)), row.id)
	return removeObjects, err
}

// clear takes the steps in the catalog, and returns the one after that.
func (row *deletionRow) clear(ctx context.Context, tx *transaction, cleared bool, now time.Time) (removalStep, error) {
	if del := *row.deleted(); !del.Removing {
		if seen, err := row.seenEmpty(ctx, tx, now); err != nil || !seen {
			return waitRemoval, err
		}
		del.Removing = true
		if err := row.doom(ctx, tx, del, now); err != nil {
			return waitRemoval, err
		}
	}
	left := int64(0)
	for _, d := range row.distributions {
		where, args := row.packages(d.id)
		// Files whose removal a crash or fault has interrupted are removed now, too, and not after the retention period.
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE state = ? AND removed = ? AND `+where, append([]any{fileUrgent, catalog.Yanked, fileDoomed}, args...)...); err != nil {
			return waitRemoval, err
		}
		n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE removed < ? AND `+where, append([]any{fileDeleted}, args...)...).Scan)
		if err != nil {
			return waitRemoval, err
		}
		left += n
	}
	switch {
	case left > 0:
		return waitRemoval, nil
	case !cleared:
		return clearRows, nil
	case row.target.Whole():
		return removeObjects, row.retireAll(ctx, tx, now)
	}
	return row.retirePart(ctx, tx, now)
}

// seenEmpty reports whether clients see no package of the target any more, and nothing names it: not the list of repositories, and no
// snapshot of its repository.
func (row *deletionRow) seenEmpty(ctx context.Context, tx *transaction, now time.Time) (bool, error) {
	if !row.published() {
		return false, nil
	}
	if !row.target.Whole() {
		n, err := snapshotsNaming(ctx, tx, row.target)
		return n == 0, err
	}
	if now.After(row.settings.Deleted.Until.Add(pagesPatience)) {
		return true, nil
	}
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM page_states WHERE repository_id = ? AND settings_revision >= ? AND front_asked = front_done`,
		row.id, row.settings.Revision.Number).Scan)
	return n > 0, err
}

// published reports whether the latest revision of each release is published.
func (row *deletionRow) published() bool {
	for _, d := range row.distributions {
		for _, r := range d.releases {
			if r.published < r.revision {
				return false
			}
		}
	}
	return true
}

// doom makes the end certain: the files of all packages are to be removed now, also of those that were claimed only.
func (row *deletionRow) doom(ctx context.Context, tx *transaction, del catalog.Deletion, now time.Time) error {
	for _, d := range row.distributions {
		where, args := row.packages(d.id)
		_, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE state = ? AND `+where,
			append([]any{catalog.Yanked, millis(del.At), deletedReason(row.target), del.By, catalog.Claimed}, args...)...)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE state = ? AND removed = ? AND `+where, append([]any{fileUrgent, catalog.Yanked, fileKept}, args...)...)
		}
		if err != nil {
			return err
		}
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: row.target.String(), Detail: "all files are removed: this cannot be undone"}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, &del, now)
}

// retireDistribution retires the releases of a distribution, and removes its rows that keep no names.
func retireDistribution(ctx context.Context, tx *transaction, d targetDistribution, now time.Time) error {
	for _, of := range d.releases {
		if err := hideAll(ctx, tx, of.id, now); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`UPDATE releases SET retired = 1, published_revision = revision, fault = '' WHERE distribution_id = ?`,
		`DELETE FROM page_cursors WHERE release_id IN (SELECT id FROM releases WHERE distribution_id = ?)`,
		`DELETE FROM retentions WHERE distribution_id = ?`, `DELETE FROM phases WHERE distribution_id = ?`,
		`DELETE FROM snapshot_releases WHERE release_id IN (SELECT id FROM releases WHERE distribution_id = ?)`,
		`UPDATE distributions SET components = '[]', architectures = '[]' WHERE id = ?`,
	} {
		if _, err := tx.ExecContext(ctx, query, d.id); err != nil {
			return err
		}
	}
	return nil
}

// retireAll retires the releases of a repository, and removes the rows that keep no names.
func (row *deletionRow) retireAll(ctx context.Context, tx *transaction, now time.Time) error {
	var revoked Revocation
	r := row.settings.Repository
	alive, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM releases r JOIN distributions d ON d.id = r.distribution_id WHERE d.repository_id = ? AND r.retired = 0`, row.id).Scan)
	if err != nil {
		return err
	}
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
		if err := retireDistribution(ctx, tx, d, now); err != nil {
			return err
		}
	}
	for _, query := range []string{
		`DELETE FROM page_states WHERE repository_id = ?`, `DELETE FROM page_requests WHERE repository_id = ?`, `DELETE FROM page_names WHERE repository_id = ?`,
		`DELETE FROM package_contents WHERE repository_id = ?`, `DELETE FROM snapshots WHERE repository_id = ?`, `DELETE FROM log_requests WHERE repository_id = ?`,
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
	if alive == 0 && len(row.settings.Tokens)+len(revoked.Tokens) == 0 && trusts == 0 {
		return nil // a repeat: it is recorded already
	}
	if err := record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: r.String(), Detail: detail}); err != nil {
		return err
	}
	row.settings.Tokens, row.settings.Keyring, row.settings.Retention, row.settings.Snapshots, row.settings.DeletedParts = nil, nil, nil, nil, nil
	return row.change(ctx, tx, row.settings.Deleted, now)
}

// ReturnRemoval gives back the lease of an attempt that [DB.BeginRemoval] began at a time and that did not end well: another one, of any
// process, may begin at the time again.
func (d *DB) ReturnRemoval(ctx context.Context, t catalog.PackageTarget, lease time.Duration, began, again time.Time) error {
	err := d.exec(ctx, `UPDATE repositories SET removing_until = ? WHERE owner = ? AND name = ? AND removing_until = ?`,
		millis(again), t.Repository.Owner, t.Repository.Name, millis(began.Add(lease)))
	if err != nil {
		return fmt.Errorf("return the removal of %s %s: %w", t.Kind(), t, err)
	}
	return nil
}

// EndRemoval records that a deleted target has no objects any more. When they have been looked for twice, its name can be used
// again; once is enough if it never had a package.
func (d *DB) EndRemoval(ctx context.Context, t catalog.PackageTarget, now time.Time) error {
	at := now.UTC().Truncate(time.Second)
	err := d.tx(ctx, func(tx *transaction) error {
		row := deletionRow{target: t}
		var err error
		if row.repositoryRow, err = lockRepository(ctx, tx, t.Repository); err != nil {
			return err
		}
		was := row.deleted()
		if was == nil || !was.Removing || was.Final {
			return nil
		}
		del := *was
		del.Final = del.Removed != nil || del.Unused
		if del.Removed == nil {
			del.Removed = &at
		}
		detail := "no object is left"
		if !del.Final {
			detail = "the objects are removed, and looked for once more later"
		}
		if err := record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: t.String(), Detail: detail}); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE repositories SET removing_until = 0 WHERE id = ?`, row.id); err != nil {
			return err
		}
		if del.Final && !t.Whole() {
			return row.forgetPart(ctx, tx, now)
		}
		return row.change(ctx, tx, &del, now)
	})
	if err != nil {
		return fmt.Errorf("record the removal of %s %s: %w", t.Kind(), t, err)
	}
	return nil
}

// RecreateRepository creates a repository under the name of one that was deleted and removed. Hosts trust that name still: origin,
// label and whether it is mutable stay as they were, revisions go on from those of before, and what had a name, version and architecture keeps others out.
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
			return deletedRepository(was)
		default:
			s.Origin, s.Label, s.Mutable = was.Origin, was.Label, was.Mutable
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
