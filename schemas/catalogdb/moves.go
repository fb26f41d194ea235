package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// lockMoves locks the releases that the packages of moves are in, and those that they go to.
func lockMoves(ctx context.Context, tx *transaction, wishes []Wish) error {
	var targets []catalog.PackageTarget
	for _, w := range wishes {
		if w.Withdraw != "" {
			targets = append(targets, wholeOf(w.Source.Place()), wholeOf(w.To))
		}
	}
	return tx.lockTargets(ctx, targets)
}

// lockTargets locks the releases of some targets.
func (tx *transaction) lockTargets(ctx context.Context, targets []catalog.PackageTarget) error {
	slices.SortFunc(targets, func(a, b catalog.PackageTarget) int { return strings.Compare(a.String(), b.String()) })
	_, err := tx.lockedTargets(ctx, slices.Compact(targets)...)
	return err
}

// wholeOf returns the distribution of a place, with all its components.
func wholeOf(p catalog.Place) catalog.PackageTarget {
	p.Component = ""
	return catalog.PackageTarget(p)
}

// moveToo makes a copy that is under way a move, in the name of the context's actor.
func moveToo(ctx context.Context, tx *transaction, upload int64, source catalog.Package, w Wish, now time.Time) error {
	by := catalog.ActorOf(ctx)
	_, err := tx.ExecContext(ctx, `UPDATE promotions SET move = ?, withdraw_reason = ?, rules = ?, actor = ?, why = ?, job = ? WHERE upload_id = ?`,
		catalog.MoveWaiting, cut(w.Withdraw, maxReason), w.rules, cut(by.User, maxUser), by.Why, cut(by.Job, maxJob), upload)
	if err != nil {
		return err
	}
	return record(ctx, tx, now, promotionEntries(source, w)...)
}

// duplicateOf ends an upload that was just asked for as a duplicate, if the new place has the package already: nothing has to be
// read then, and its move goes on once clients see it. The releases of the new place are locked.
func duplicateOf(ctx context.Context, tx *transaction, upload int64, k catalog.Package, to catalog.Place, now time.Time) error {
	holder, id, there, err := copyIn(ctx, tx, k, to)
	if err != nil || !there {
		return err // a worker makes the copy, or says why there is none
	}
	releases, err := releasesOf(ctx, tx, to.Repository, to.Distribution)
	if err != nil {
		return err
	}
	c := packageChange{upload: upload, pkg: id}
	for _, r := range releases {
		if shows(r.arch, dirOf(holder)) {
			c.releases = append(c.releases, r)
		}
	}
	if _, err := tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, package_id = ? WHERE id = ?`, catalog.Stored, catalog.Duplicate, id, upload); err != nil {
		return err
	}
	return recordActivation(ctx, tx, []packageChange{c}, now)
}

// copyIn returns the row of a place that has the bytes of a package, and whether there is one that is active.
func copyIn(ctx context.Context, q querier, k catalog.Package, to catalog.Place) (holder catalog.Package, id int64, there bool, err error) {
	if k, err = variantIn(ctx, q, k, to.Repository); err == nil {
		k.Repository, k.Distribution, k.Component = to.Repository, to.Distribution, to.Component
		holder, id, err = find(ctx, q, k)
	}
	if errors.Is(err, ErrNotFound) {
		return holder, 0, false, nil
	}
	return holder, id, holder.State == catalog.Active && holder.File.SHA256 == k.File.SHA256, err
}

// A dueMove is a move whose copy has its verdict.
type dueMove struct {
	upload, pkg int64
	from        int64 // id of the distribution
	source      catalog.Package
	target      string
	state       catalog.UploadState
	generation  string // digest of what was copied
	reason      string
	rules       string // of retention, by which it leaves; empty for another reason
	by          catalog.Actor

	end    catalog.MoveState
	detail string
}

// maxMoves is how many moves one transaction finishes. It is a variable for tests.
var maxMoves = 5000

// dueMoves returns moves to be finished, oldest first: of one source repository if it is not zero. A package that is being copied to
// another place, too, waits for that.
func dueMoves(ctx context.Context, q querier, of catalog.Repository, limit int) ([]dueMove, error) {
	where, args := "", []any{catalog.MoveWaiting, catalog.Published, catalog.Duplicate, catalog.Rejected, catalog.Received, catalog.Stored}
	if of != (catalog.Repository{}) {
		where, args = ` AND p.owner = ? AND p.name = ?`, append(args, of.Owner, of.Name)
	}
	return collect(ctx, q, func(scan func(...any) error) (m dueMove, err error) {
		return m, scanPackage(&m.source, scan, &m.upload, &m.pkg, &m.from, &m.target, &m.state, &m.generation, &m.reason, &m.rules, &m.by.User, &m.by.Why, &m.by.Job)
	}, `SELECT u.id, k.id, d.id, m.target, u.state, u.generation, m.withdraw_reason, m.rules, m.actor, m.why, m.job, `+packageColumns+`
		FROM promotions m JOIN uploads u ON u.id = m.upload_id JOIN packages k ON k.id = m.package_id
		JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id
		WHERE m.move = ? AND u.state IN (?, ?, ?)
		AND NOT EXISTS (SELECT 1 FROM promotions o JOIN uploads v ON v.id = o.upload_id WHERE o.package_id = m.package_id AND v.state IN (?, ?))`+where+`
		ORDER BY m.upload_id LIMIT ?`, append(args, limit)...)
}

// FinishMoves withdraws packages where they were whose copies clients see now, and returns how many moves it has finished. A package
// stays if it has no copy: that was rejected, or withdrawn since. Each transaction changes one repository, and issues one revision for
// each release of it; a repeat, or another process at the same time, changes nothing.
func (d *DB) FinishMoves(ctx context.Context, now time.Time) (finished int, err error) {
	var due []dueMove
	err = d.ask(ctx, func(q querier) error {
		due, err = dueMoves(ctx, q, catalog.Repository{}, maxMoves)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read what is to be moved: %w", err)
	}
	done := map[catalog.Repository]bool{}
	for _, m := range due {
		of := m.source.Repository
		if done[of] {
			continue
		}
		done[of] = true
		n, err := d.finishMovesOf(ctx, of, now)
		if finished += n; err != nil {
			return finished, fmt.Errorf("withdraw what was moved from %s: %w", of, err)
		}
	}
	return finished, nil
}

// finishMovesOf is FinishMoves of one repository.
func (d *DB) finishMovesOf(ctx context.Context, of catalog.Repository, now time.Time) (finished int, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		finished = 0
		due, err := dueMoves(ctx, tx, of, maxMoves)
		if err != nil || len(due) == 0 {
			return err
		}
		var targets []catalog.PackageTarget
		uploads := map[int64]bool{}
		for _, m := range due {
			uploads[m.upload] = true
			targets = append(targets, wholeOf(m.source.Place()))
			if to, err := catalog.ParsePackageTarget(m.target); err == nil {
				targets = append(targets, wholeOf(catalog.Place(to)))
			}
		}
		if err := tx.lockTargets(ctx, targets); err != nil {
			return err
		}
		if due, err = dueMoves(ctx, tx, of, maxMoves); err != nil { // as they are now
			return err
		}
		due = slices.DeleteFunc(due, func(m dueMove) bool { return !uploads[m.upload] })
		finished = len(due)
		return finishMoves(ctx, tx, due, now)
	})
	return finished, err
}

// A moveRecord is what the withdrawals of some moves are recorded with.
type moveRecord struct {
	reason string
	by     catalog.Actor
}

// finishMoves ends moves, and withdraws the packages of those that have a copy.
func finishMoves(ctx context.Context, tx *transaction, due []dueMove, now time.Time) error {
	withdrawn, changes, rows := map[int64]bool{}, []packageChange(nil), map[moveRecord][]SelectedPackage{}
	var records []moveRecord
	for i := range due {
		m := &due[i]
		if err := m.judge(ctx, tx); err != nil {
			return err
		}
		if err := m.judgeRules(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE promotions SET move = ?, move_detail = ? WHERE upload_id = ?`, m.end, cut(m.detail, maxReason), m.upload); err != nil {
			return err
		}
		if m.end != catalog.MoveDone || withdrawn[m.pkg] {
			continue
		}
		if m.source.State == catalog.Active {
			c, err := leaving(ctx, tx, m.pkg, m.source)
			if err != nil {
				return err
			}
			changes = append(changes, c)
		} else if gone, err := deletions(ctx, tx, m.source.Repository); err != nil {
			return err
		} else if withdrawnWith(gone, m.source) == nil { // else it would come back with what was deleted
			continue
		}
		withdrawn[m.pkg] = true
		reason, err := shownReason(ctx, tx, m.source, m.reason)
		if err != nil {
			return err
		}
		r := moveRecord{reason, m.by}
		if rows[r] == nil {
			records = append(records, r)
		}
		rows[r] = append(rows[r], SelectedPackage{id: m.pkg, Package: m.source})
	}
	for _, r := range records {
		y := catalog.Yank{Reason: r.reason, By: r.by.User, At: now.UTC().Truncate(time.Second)}
		if err := yankRows(catalog.WithActor(ctx, r.by), tx, rows[r], y, now); err != nil {
			return err
		}
	}
	_, err := recordChanges(ctx, tx, changes, now)
	return err
}

// leaving returns the change that a package leaves the releases that show it.
func leaving(ctx context.Context, tx *transaction, pkg int64, k catalog.Package) (packageChange, error) {
	c := packageChange{pkg: pkg, changed: true}
	releases, err := releasesOf(ctx, tx, k.Repository, k.Distribution)
	for _, r := range releases {
		if shows(r.arch, dirOf(k)) {
			c.releases = append(c.releases, r)
		}
	}
	return c, err
}

// judge decides how a move ends.
func (m *dueMove) judge(ctx context.Context, tx *transaction) error {
	k := m.source
	keep := func(why string) error { m.end, m.detail = catalog.MoveKept, why; return nil }
	to, err := catalog.ParsePackageTarget(m.target)
	switch {
	case err != nil:
		return keep("its new place has no valid name: " + m.target)
	case m.state == catalog.Rejected:
		return keep("there is no copy of it: that was rejected")
	case k.Name == layout.KeyringName(k.Repository, k.Format):
		return keep("it has the keys of its repository, where clients need it")
	case k.File.SHA256 != m.generation || k.State == catalog.Claimed:
		return keep("it has other bytes than the copy: the catalog was rebuilt since")
	}
	_, _, there, err := copyIn(ctx, tx, k, catalog.Place(to))
	switch {
	case err != nil:
		return err
	case !there:
		return keep("its copy was withdrawn from " + m.target + " before it was withdrawn here")
	}
	m.end = catalog.MoveDone
	return nil
}
