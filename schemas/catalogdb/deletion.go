package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// ErrDeleted is returned for a change of a repository, distribution or component that is deleted.
var ErrDeleted = errors.New("it is deleted")

// ErrTrainHolds is returned for a deletion while a release train holds packages of the target.
var ErrTrainHolds = errors.New("release trains hold packages of it: publish them, or drop the packages with repomill train drop")

// ErrOnlyComponent is returned for the deletion or removal of the last component of a distribution.
var ErrOnlyComponent = errors.New("it is the only component of its distribution")

// A deletedError is [ErrDeleted] of a target.
type deletedError struct {
	target  catalog.PackageTarget
	deleted *catalog.Deletion
}

// deletedRepository is [ErrDeleted] of a repository.
func deletedRepository(s catalog.Settings) error {
	return deletedError{catalog.PackageTarget{Repository: s.Repository}, s.Deleted}
}

// Error says since when, and what can be done.
func (e deletedError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.target.Kind(), e.target, e.deleted)
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
func deletedReason(t catalog.PackageTarget) string { return "the " + t.Kind() + " was deleted" }

// deletedEarly is the reason for what was not published before a deletion.
func deletedEarly(t catalog.PackageTarget) string {
	return "the " + t.Kind() + " was deleted before the package was published"
}

// earlyBack is what the pusher of such a package can do: its identity is claimed.
const earlyBack = "once repomill repo undelete has brought that back, repomill unyank publishes the package"

// A deletionRow is a target that is deleted or brought back: its repository, and the distributions of which it has packages, locked.
type deletionRow struct {
	repositoryRow
	target        catalog.PackageTarget
	distributions []targetDistribution
}

// lockWhole locks the repository of a target, and its distributions and releases: no upload of the target becomes active until the
// transaction ends.
func lockWhole(ctx context.Context, tx *transaction, t catalog.PackageTarget) (row deletionRow, err error) {
	row.target = t
	if row.repositoryRow, err = lockRepository(ctx, tx, t.Repository); err != nil {
		return row, err
	}
	if err := row.addDistributions(ctx, tx); err != nil {
		return row, err
	}
	t = t.WithoutComponent()
	found, err := targetDistributions(ctx, tx, t)
	if err != nil {
		return row, err
	}
	for _, d := range found { // claims hold a shared lock on their distribution
		if tx.forUpdate == "" {
			break
		}
		if _, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM distributions WHERE id = ?`+tx.forUpdate, d.id).Scan); err != nil {
			return row, err
		}
	}
	all, err := tx.lockedTargets(ctx, t)
	if err == nil {
		row.distributions = all[0]
	}
	return row, err
}

// packages returns the condition of the rows of the target's packages in one of its distributions.
func (row *deletionRow) packages(distribution int64) (where string, args []any) {
	if row.target.Component == "" {
		return `distribution_id = ?`, []any{distribution}
	}
	return `distribution_id = ? AND component = ?`, []any{distribution, row.target.Component}
}

// deleted returns the deletion of the target, or nil.
func (row *deletionRow) deleted() *catalog.Deletion { return row.settings.DeletedPart(row.target) }

// check returns an error if the target does not exist, or is in another one that is deleted.
func (row *deletionRow) check() error {
	t := row.target
	if t.Whole() {
		return nil
	}
	if s := row.settings; s.Deleted != nil {
		return deletedRepository(s)
	}
	ds, has := row.settings.Find(t.Distribution)
	del := row.deleted()
	if !has && (del == nil || t.Component != "") {
		return fmt.Errorf("distribution %s of %s: %w", t.Distribution, t.Repository, ErrNotFound)
	}
	if t.Component == "" {
		return nil
	}
	if of, whole := row.settings.DeletedTarget(t.Distribution, ""); whole != nil {
		return deletedError{of, whole}
	}
	if del == nil && !slices.Contains(ds.Components, t.Component) {
		return fmt.Errorf("component %s of %s: %w", t.Component, t.WithoutComponent(), ErrNotFound)
	}
	return nil
}

// isLast reports whether the target is the only component that its distribution has, but for deleted ones.
func (row *deletionRow) isLast() bool {
	t := row.target
	if t.Component == "" {
		return false
	}
	ds, _ := row.settings.Find(t.Distribution)
	return !slices.ContainsFunc(ds.Components, func(c string) bool {
		_, del := row.settings.DeletedTarget(t.Distribution, c)
		return c != t.Component && del == nil
	})
}

// change stores settings with another deletion of the target, or none, and issues their revision.
func (row *deletionRow) change(ctx context.Context, tx *transaction, d *catalog.Deletion, now time.Time) error {
	if t := row.target; t.Whole() {
		row.settings.Deleted = d
	} else {
		parts := slices.DeleteFunc(slices.Clone(row.settings.DeletedParts), func(p catalog.DeletedPart) bool { return p.Target(t.Repository) == t })
		if d != nil {
			parts = append(parts, catalog.DeletedPart{Distribution: t.Distribution, Component: t.Component, Deletion: *d})
		}
		slices.SortFunc(parts, catalog.CompareDeletedParts)
		row.settings.DeletedParts = parts
	}
	if err := row.update(ctx, tx, row.settings); err != nil {
		return err
	}
	row.settings.Revision = catalog.Revision{Number: row.settings.Revision.Number + 1, Nonce: random()}
	return row.issueRevision(ctx, tx, row.settings.Revision.Number, row.settings.Revision.Nonce, now)
}

// Delete deletes a repository, or a distribution or component of it, in one transaction: all its packages are withdrawn, each release
// gets a revision without them, uploads that wait for it are rejected, and so are those that come. After grace, workers remove its objects
// ([DB.BeginRemoval]); until then [DB.Undelete] brings it back. A repository that never had a package, and a part of it that has no file of
// one, is removed at once. A repeat changes nothing. It returns the settings, and the latest revision of each release of the target's distributions. The error wraps [ErrNotFound]
// for an unknown target, [ErrDeleted] for one in another that is deleted, [ErrTrainHolds], and [ErrOnlyComponent].
func (d *DB) Delete(ctx context.Context, t catalog.PackageTarget, grace time.Duration, now time.Time) (s catalog.Settings, revisions map[catalog.Release]int64, err error) {
	return d.DeleteAs(ctx, t, grace, now, "", nil)
}

// ErrOtherPlan is returned for a plan to delete what another plan, or none, has deleted already.
var ErrOtherPlan = errors.New("deleted already, and not by this plan")

// DeleteAs is [DB.Delete] if agree, which is called in the transaction with what [DB.PlanDeletion] returns, and once for each try of it, agrees:
// its error ends the transaction, and nothing changes. It is not asked about what is deleted already: then the error wraps [ErrOtherPlan] unless
// that was done by a plan with the same digest. Without a plan it is empty.
func (d *DB) DeleteAs(ctx context.Context, t catalog.PackageTarget, grace time.Duration, now time.Time, digest string, agree func(DeletionPreview, Selected) error) (s catalog.Settings, revisions map[catalog.Release]int64, err error) {
	at := now.UTC().Truncate(time.Second)
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockWhole(ctx, tx, t)
		if err == nil {
			err = row.check()
		}
		if err != nil {
			return err
		}
		if row.deleted() == nil {
			if row.isLast() {
				return ErrOnlyComponent
			}
			if agree != nil {
				p, selected, err := planDeletion(ctx, tx, t, row.distributions)
				if err == nil {
					err = agree(p, selected)
				}
				if err != nil {
					return err
				}
			}
			by := catalog.ActorOf(ctx)
			del := &catalog.Deletion{At: at, Until: at.Add(grace), By: cut(by.User, maxUser), Why: cut(by.Why, maxDeletedWhy), Digest: digest}
			if err := row.delete(ctx, tx, del, now); err != nil {
				return err
			}
		} else if del := row.deleted(); digest != "" && del.Digest != digest {
			return fmt.Errorf("%w: %s", ErrOtherPlan, del)
		}
		s = row.settings
		revisions, err = revisionsOf(ctx, tx, t)
		return err
	})
	if err != nil {
		return s, nil, fmt.Errorf("delete %s %s: %w", t.Kind(), t, err)
	}
	return s, revisions, nil
}

// RemoveComponent deletes a component that has no packages, for which there is no time of grace. The error wraps [ErrInUse] if it has
// files of packages, also of withdrawn ones, and otherwise is that of [DB.Delete].
func (d *DB) RemoveComponent(ctx context.Context, t catalog.PackageTarget, now time.Time) (s catalog.Settings, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		row, err := lockWhole(ctx, tx, t)
		if err == nil {
			err = row.check()
		}
		if err != nil {
			return err
		}
		s = row.settings
		if row.deleted() != nil {
			return nil
		}
		if row.isLast() {
			return ErrOnlyComponent
		}
		for _, of := range row.distributions {
			where, args := row.packages(of.id)
			n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE removed < ? AND `+where, append([]any{fileDeleted}, args...)...).Scan)
			if err != nil {
				return err
			}
			if n > 0 {
				return fmt.Errorf("%w: it has files of %d packages, withdrawn ones included; repomill repo delete %s deletes it with them", ErrInUse, n, t)
			}
		}
		at := now.UTC().Truncate(time.Second)
		by := catalog.ActorOf(ctx)
		err = row.delete(ctx, tx, &catalog.Deletion{At: at, Until: at, By: cut(by.User, maxUser), Why: cut(by.Why, maxDeletedWhy)}, now)
		s = row.settings
		return err
	})
	if err != nil {
		return s, fmt.Errorf("remove component %s: %w", t, err)
	}
	return s, nil
}

func (row *deletionRow) delete(ctx context.Context, tx *transaction, del *catalog.Deletion, now time.Time) error {
	del.Unused = true
	for _, d := range row.distributions {
		where, args := row.packages(d.id)
		held, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE `+where+` AND state = ?`, append(args, catalog.Reserved)...).Scan)
		if err != nil {
			return err
		}
		if held > 0 {
			return ErrTrainHolds
		}
		if !row.target.Whole() { // its identities stay in any case
			where, args = where+` AND removed < ?`, append(args, fileDeleted)
		}
		ever, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE `+where, args...).Scan)
		if err != nil {
			return err
		}
		n, err := row.withdrawAll(ctx, tx, d.id, del, now)
		if err != nil {
			return err
		}
		del.Unused, del.Packages = del.Unused && ever == 0, del.Packages+int(n)
		if err := row.emptyReleases(ctx, tx, d, now); err != nil {
			return err
		}
	}
	if del.Unused {
		del.Until = del.At
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoDelete, Target: row.target.String(),
		Detail: fmt.Sprintf("%d packages withdrawn; can be undone until %s", del.Packages, del.Until.Format(time.RFC3339))}
	if err := record(ctx, tx, now, entry); err != nil {
		return err
	}
	return row.change(ctx, tx, del, now)
}

// withdrawAll withdraws all active packages of the target in a distribution, and rejects the uploads that wait for one to be published.
func (row *deletionRow) withdrawAll(ctx context.Context, tx *transaction, distribution int64, del *catalog.Deletion, now time.Time) (int64, error) {
	where, of := row.packages(distribution)
	early := deletedEarly(row.target)
	args := func(before []any, after ...any) []any { return slices.Concat(before, of, after) }
	_, err := tx.ExecContext(ctx, `DELETE FROM unyanks WHERE package_id IN (SELECT id FROM packages WHERE `+where+` AND state = ?)`, args(nil, catalog.Active)...)
	if err != nil {
		return 0, err
	}
	// What clients never saw is rejected, and stays away when the target comes back.
	_, err = tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE `+where+` AND state = ?
		AND id IN (SELECT package_id FROM uploads WHERE state = ? AND outcome = ?)`,
		args([]any{catalog.Yanked, millis(del.At), early, del.By}, catalog.Active, catalog.Stored, catalog.Published)...)
	if err != nil {
		return 0, err
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ? WHERE state = ? AND package_id IN
		(SELECT id FROM packages WHERE `+where+` AND (state = ? OR state = ? AND yanked_at = ? AND yank_reason = ?))`,
		args([]any{catalog.Rejected, deletedWord(row.target), early + "; " + earlyBack, millis(now), catalog.Stored}, catalog.Active, catalog.Yanked, millis(del.At), early)...)
	if err != nil {
		return 0, err
	}
	res, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE `+where+` AND state = ?`,
		args([]any{catalog.Yanked, millis(del.At), deletedReason(row.target), del.By}, catalog.Active)...)
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

// emptyReleases issues a revision for each release of a distribution, from which on it shows nothing of the target.
func (row *deletionRow) emptyReleases(ctx context.Context, tx *transaction, d targetDistribution, now time.Time) error {
	where, args := row.packages(d.id)
	for _, r := range d.releases {
		revision, err := issueNext(ctx, tx, r.id, now)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE visibility SET went = ? WHERE release_id = ? AND went IS NULL AND package_id IN (SELECT id FROM packages WHERE `+where+`)`,
				append([]any{revision, r.id}, args...)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// revisionsOf returns the latest revision of each release of a target.
func revisionsOf(ctx context.Context, q querier, t catalog.PackageTarget) (map[catalog.Release]int64, error) {
	where, args := `p.owner = ? AND p.name = ?`, []any{t.Repository.Owner, t.Repository.Name}
	if !t.Whole() {
		where, args = releaseKey, append(args, t.Distribution.OS, t.Distribution.Version)
	}
	states, err := collect(ctx, q, scanRelease, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE `+where, args...)
	revisions := map[catalog.Release]int64{}
	for _, s := range states {
		revisions[s.Release] = s.Revision.Number
	}
	return revisions, err
}
