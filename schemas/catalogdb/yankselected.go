package catalogdb

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A Decision says which of the selected packages a transaction changes. It is called in the transaction, once for each try of
// it, and asks the catalog for nothing. Its error ends the transaction: nothing changes.
type Decision func(Selected) ([]SelectedPackage, error)

// A Withdrawal is what is recorded of packages that are yanked.
type Withdrawal struct {
	catalog.Yank // its time is now, unless it is set

	// Now has the files deleted as soon as clients do not see the packages, and not after the retention period; also those of
	// packages that were yanked before. Until that begins they can still be unyanked.
	Now bool
}

// Bans reports whether a withdrawal takes the place of the record that a package has, by which its bytes could come back with a push or a
// promotion: they were replaced, or moved away.
func (w Withdrawal) Bans(k catalog.Package) bool { return w.Now && (k.Replaced() || MovedAway(k)) }

// A SelectedChange is what a transaction made of selected packages.
type SelectedChange struct {
	Packages  []catalog.Package         // all that were decided for, as they are now; without fragments
	Revisions map[catalog.Release]int64 // the latest of each release that they belong to: clients see the change with it

	Recovering []*RecoveringError // as [Selected] has it
}

// YankSelected withdraws the packages of a selection that decide returns, in one transaction that issues one revision for each
// release they leave. Packages that were withdrawn before keep their record; with Now, those that were replaced or moved away get this one,
// and do not come back by themselves. With [Selection.Back], the recovery leaves them withdrawn, and writes what was withdrawn here before into the
// audit log again. Otherwise it is [DB.Yank]. The error wraps
// [ErrNotFound] if there is no such repository, [ErrTooMany], or that of decide.
func (d *DB) YankSelected(ctx context.Context, s Selection, w Withdrawal, now time.Time, decide Decision) (done SelectedChange, err error) {
	if w.At.IsZero() {
		w.At = now
	}
	w.At, w.By = w.At.UTC().Truncate(time.Second), cut(w.By, maxUser)
	var bans func(catalog.Package) bool
	done, err = d.changeDecided(ctx, s, now, decide, func(tx *transaction, found Selected, all []SelectedPackage) (changed []SelectedPackage, err error) {
		bans = func(k catalog.Package) bool { return Withdrawal{Now: w.Now || found.Recovers(k)}.Bans(k) } // a recovery would bring it back
		gone, err := deletions(ctx, tx, s.Target.Repository)
		if err != nil {
			return nil, err
		}
		if !w.Now && len(all) > 0 && gone.Deleted != nil { // it would not outlive the return of the repository
			return nil, deletedRepository(gone)
		}
		var again, banned, held []SelectedPackage
		for _, p := range all {
			if p.Package.State == catalog.Active {
				changed = append(changed, p)
			} else if withdrawnWith(gone, p.Package) != nil {
				again = append(again, p) // it does not come back with its distribution or component
			} else if bans(p.Package) {
				banned = append(banned, p)
			} else if found.Recovers(p.Package) {
				held = append(held, p)
			}
		}
		if err := yankRows(ctx, tx, again, w.Yank, now); err != nil {
			return nil, err
		}
		if err := banRows(ctx, tx, banned, w.Yank, now); err != nil {
			return nil, err
		}
		if held, err = unheld(ctx, tx, held); err == nil {
			err = recordRows(ctx, tx, now, catalog.ActionYank, held, w.Yank)
		}
		if err != nil {
			return nil, err
		}
		if err := yankRows(ctx, tx, changed, w.Yank, now); err != nil {
			return changed, err
		}
		for _, p := range slices.Concat(held, again, banned) {
			if found.Recovers(p.Package) || w.Now && bans(p.Package) {
				changed = append(changed, p)
			}
		}
		if w.Now {
			err = removeRowsSoon(ctx, tx, all, now)
		}
		return changed, err
	}, func(k *catalog.Package) {
		if k.State == catalog.Active || bans(*k) {
			k.State, k.Yank = catalog.Yanked, &w.Yank
		}
	})
	if err != nil {
		return done, fmt.Errorf("yank packages of %s: %w", s.Target, err)
	}
	return done, nil
}

// UnyankSelected makes the packages of a selection active again that decide returns, in one transaction that issues one revision
// for each release they join. Otherwise it is [DB.Unyank].
func (d *DB) UnyankSelected(ctx context.Context, s Selection, now time.Time, decide Decision) (done SelectedChange, err error) {
	done, err = d.changeDecided(ctx, s, now, decide, func(tx *transaction, _ Selected, all []SelectedPackage) (changed []SelectedPackage, err error) {
		for _, p := range all {
			if p.Package.State == catalog.Yanked {
				changed = append(changed, p)
			}
		}
		return changed, unyankRows(ctx, tx, changed, now)
	}, func(k *catalog.Package) { k.State, k.Yank = catalog.Active, nil })
	if err != nil {
		return done, fmt.Errorf("unyank packages of %s: %w", s.Target, err)
	}
	return done, nil
}

// changeDecided applies change to the packages that decide returns, and issues a revision for each release of those that changed.
// after makes a package what the change made of it.
func (d *DB) changeDecided(ctx context.Context, s Selection, now time.Time, decide Decision,
	change func(*transaction, Selected, []SelectedPackage) (changed []SelectedPackage, err error), after func(*catalog.Package)) (done SelectedChange, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		done = SelectedChange{Revisions: map[catalog.Release]int64{}}
		targets, err := tx.lockedTargets(ctx, s.Target)
		if err != nil {
			return err
		}
		found, err := s.read(ctx, tx, targets[0])
		if err != nil {
			return err
		}
		all, err := decide(found)
		if err != nil {
			return err
		}
		changed, err := change(tx, found, all)
		if err != nil {
			return err
		}
		changes := make([]packageChange, len(changed))
		for i, p := range changed {
			changes[i] = packageChange{pkg: p.id, releases: p.releases, changed: true}
		}
		revisions, err := recordChanges(ctx, tx, changes, now)
		if err == nil { // with [Selection.Back], what changes is withdrawn
			err = holdWithdrawn(ctx, tx, slices.DeleteFunc(changed, func(p SelectedPackage) bool { return !found.Recovers(p.Package) }), revisions)
		}
		if err != nil {
			return err
		}
		done.Recovering = found.Recovering
		for _, p := range all {
			k := p.Package
			after(&k)
			done.Packages = append(done.Packages, k)
		}
		return done.readRevisions(ctx, tx, s.Target, all)
	})
	return done, err
}

// readRevisions sets the latest revisions of the releases that packages belong to.
func (c *SelectedChange) readRevisions(ctx context.Context, tx *transaction, t catalog.PackageTarget, all []SelectedPackage) error {
	belong := map[int64]bool{}
	for _, p := range all {
		for _, r := range p.releases {
			belong[r.id] = true
		}
	}
	targets, err := targetDistributions(ctx, tx, t)
	for _, d := range targets {
		for _, r := range d.releases {
			if belong[r.id] {
				c.Revisions[catalog.Release{Repository: t.Repository, Distribution: d.distribution, Arch: r.arch}] = r.revision
			}
		}
	}
	return err
}

// yankRows is yank of many rows, with their entries in the audit log.
func yankRows(ctx context.Context, tx *transaction, rows []SelectedPackage, y catalog.Yank, now time.Time) error {
	rej := catalog.Rejection{Reason: catalog.YankedIdentity, Detail: withdrawnEarly}
	for some := range slices.Chunk(rows, selectChunk) {
		ids, args := in("id", idsOf(some))
		of, _ := in("package_id", idsOf(some))
		for _, s := range []struct {
			query string
			args  []any
		}{
			{`UPDATE packages SET state = ?, yanked_at = ?, yank_reason = ?, yanked_by = ?, removed = 0 WHERE ` + ids, []any{catalog.Yanked, millis(y.At), y.Reason, y.By}},
			{`DELETE FROM unyanks WHERE ` + of, nil},
			{`UPDATE uploads SET state = ?, reason = ?, detail = ?, finished_at = ? WHERE state = ? AND ` + of, []any{catalog.Rejected, rej.Reason, rej.Detail, millis(now), catalog.Stored}},
		} {
			if _, err := tx.ExecContext(ctx, s.query, append(s.args, args...)...); err != nil {
				return err
			}
		}
	}
	return recordRows(ctx, tx, now, catalog.ActionYank, rows, y)
}

// banRows gives rows that are yanked another record. The lists of withdrawn packages of their releases are made in whole: what changed
// in them is found by the revisions with which rows came and went.
func banRows(ctx context.Context, tx *transaction, rows []SelectedPackage, y catalog.Yank, now time.Time) error {
	raised := map[int64]bool{}
	for some := range slices.Chunk(rows, selectChunk) {
		ids, args := in("id", idsOf(some))
		_, err := tx.ExecContext(ctx, `UPDATE packages SET yanked_at = ?, yank_reason = ?, yanked_by = ? WHERE state = ? AND `+ids,
			append([]any{millis(y.At), y.Reason, y.By, catalog.Yanked}, args...)...)
		if err != nil {
			return err
		}
		for _, p := range some {
			for _, r := range p.releases {
				raised[r.id] = true
			}
		}
	}
	for _, id := range slices.Sorted(maps.Keys(raised)) {
		if err := raiseGeneration(ctx, tx, id); err != nil {
			return err
		}
	}
	return recordRows(ctx, tx, now, catalog.ActionYank, rows, y)
}

// removeRowsSoon records that the files of yanked rows are urgent, unless they are being deleted already.
func removeRowsSoon(ctx context.Context, tx *transaction, rows []SelectedPackage, now time.Time) error {
	for some := range slices.Chunk(rows, selectChunk) {
		ids, args := in("id", idsOf(some))
		due, err := collect(ctx, tx, scanID, `SELECT id FROM packages WHERE `+ids+` AND state = ? AND removed = ? ORDER BY id`+tx.forUpdate, append(args, catalog.Yanked, fileKept)...)
		if err != nil {
			return err
		}
		if len(due) == 0 {
			continue
		}
		ids, args = in("id", due)
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET removed = ? WHERE `+ids, append([]any{fileUrgent}, args...)...); err != nil {
			return err
		}
		going := slices.DeleteFunc(slices.Clone(some), func(p SelectedPackage) bool { return !slices.Contains(due, p.id) })
		if err := recordRows(ctx, tx, now, catalog.ActionRemove, going, catalog.Yank{}); err != nil {
			return err
		}
	}
	return nil
}

// unyankRows is unyank of many rows, with their entries in the audit log.
func unyankRows(ctx context.Context, tx *transaction, rows []SelectedPackage, now time.Time) error {
	if err := checkNoneDeleted(ctx, tx, rows); err != nil {
		return err
	}
	for _, p := range rows {
		if p.Back != nil {
			return fmt.Errorf("%s %s %s: %w", p.Package.Name, p.Package.Version, p.Package.Arch, p.Back)
		}
	}
	for some := range slices.Chunk(rows, selectChunk) {
		ids, args := in("id", idsOf(some))
		// Files are removed without the locks of releases: what was read before this lock may be old.
		lost, err := collect(ctx, tx, scanID, `SELECT removed > 0 OR (stanza IS NULL AND primary_xml IS NULL) FROM packages WHERE `+ids+` ORDER BY id`+tx.forUpdate, args...)
		if err != nil {
			return err
		}
		if slices.Contains(lost, 1) {
			return fmt.Errorf("the file of a package is being removed: %w", ErrRemoved)
		}
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ?, yanked_at = NULL, yank_reason = '', yanked_by = '', removed = 0 WHERE `+ids,
			append([]any{catalog.Active}, args...)...); err != nil {
			return err
		}
		args = nil
		for _, id := range idsOf(some) {
			args = append(args, id, millis(now))
		}
		if _, err := tx.ExecContext(ctx, `REPLACE INTO unyanks (package_id, at) VALUES (?, ?)`+strings.Repeat(`, (?, ?)`, len(some)-1), args...); err != nil {
			return err
		}
	}
	for _, p := range rows {
		if err := checkAlone(ctx, tx, p.Package); err != nil {
			return err
		}
	}
	return recordRows(ctx, tx, now, catalog.ActionUnyank, rows, catalog.Yank{})
}

func recordRows(ctx context.Context, tx *transaction, now time.Time, action catalog.Action, rows []SelectedPackage, y catalog.Yank) error {
	entries := make([]catalog.AuditEntry, len(rows))
	for i, p := range rows {
		entries[i] = packageEntry(action, p.Package, y)
	}
	return record(ctx, tx, now, entries...)
}

func idsOf(rows []SelectedPackage) []int64 {
	ids := make([]int64, len(rows))
	for i, p := range rows {
		ids[i] = p.id
	}
	return ids
}
