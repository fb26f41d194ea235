package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// A Point names a published state of each release of a target: a revision of its only release, those of a snapshot, or the newest ones
// that clients saw at a time.
type Point struct {
	Revision int64
	Snapshot string    // if Revision is 0: identifier or name of a snapshot; one that there is goes before a time
	At       time.Time // if Revision is 0; zero for none
}

// String returns "revision N", the name of the snapshot, or the time.
func (p Point) String() string {
	switch {
	case p.Revision != 0:
		return fmt.Sprint("revision ", p.Revision)
	case p.Snapshot != "":
		return p.Snapshot
	}
	return p.At.UTC().Format(time.RFC3339)
}

// A PublishedState is what clients saw of a release at a point.
type PublishedState struct {
	Release  catalog.Release
	Revision int64
	Since    time.Time // when it was published

	id int64
}

// A Rollback is what brings a target back to a point, as it is at one moment.
type Rollback struct {
	Settings catalog.Settings
	Then     []PublishedState
	Came     []SelectedPackage       // are active, and no release showed them then
	Went     []SelectedPackage       // are withdrawn, and a release showed them then; Back says why one cannot come back
	Shown    map[catalog.Release]int // as [Selected.Shown], of all releases that change
}

var (
	// ErrNotPublished is returned for a point at which a release had no published state that the catalog knows.
	ErrNotPublished = errors.New("nothing is known to be published then")
	// ErrSeveralReleases is returned for a revision of a target with several releases, each of which has revisions of its own.
	ErrSeveralReleases = errors.New("a revision is of one release")
	// ErrNoSnapshot is returned for a point that names no snapshot, and no time.
	ErrNoSnapshot = errors.New("there is no such snapshot")
	// ErrInexact is returned for a snapshot that the catalog has from the bucket, after it had lost its own rows.
	ErrInexact = errors.New("the catalog was rebuilt since the snapshot was taken, and does not know which packages came and went: name a revision or a time")
)

// ReadRollback returns what would bring a target, without a component, back to a point. The error wraps [ErrNotFound],
// [ErrNotPublished], [ErrSeveralReleases], [ErrNoSnapshot], [ErrInexact], [ErrTooMany] or [RecoveringError].
func (d *DB) ReadRollback(ctx context.Context, t catalog.PackageTarget, to Point) (r Rollback, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		targets, err := targetDistributions(ctx, q, t)
		if err == nil {
			r, err = readRollback(ctx, q, t, targets, to)
		}
		return err
	})
	if err != nil {
		return r, fmt.Errorf("compare %s with what was published: %w", t, err)
	}
	return r, nil
}

// RollBack withdraws and restores the packages that decide returns, in one transaction that issues one revision for each release
// that changes. It is called in the transaction, once for each try of it; its error ends the transaction, and nothing changes.
// Errors are those of [DB.ReadRollback], and [ErrRemoved] or [ErrRetired] for a package that cannot come back.
func (d *DB) RollBack(ctx context.Context, t catalog.PackageTarget, to Point, y catalog.Yank, now time.Time,
	decide func(Rollback) (withdraw, restore []SelectedPackage, err error)) (withdrawn, restored SelectedChange, err error) {
	if y.At.IsZero() {
		y.At = now
	}
	y.At, y.By = y.At.UTC().Truncate(time.Second), cut(y.By, maxUser)
	err = d.tx(ctx, func(tx *transaction) error {
		withdrawn, restored = SelectedChange{Revisions: map[catalog.Release]int64{}}, SelectedChange{Revisions: map[catalog.Release]int64{}}
		targets, err := tx.lockedTargets(ctx, t)
		if err != nil {
			return err
		}
		r, err := readRollback(ctx, tx, t, targets[0], to)
		if err != nil {
			return err
		}
		withdraw, restore, err := decide(r)
		if err != nil || len(withdraw)+len(restore) == 0 {
			return err
		}
		if err := yankRows(ctx, tx, withdraw, y, now); err != nil {
			return err
		}
		if err := unyankRows(ctx, tx, restore, now); err != nil {
			return err
		}
		var changes []packageChange
		for _, p := range append(withdraw[:len(withdraw):len(withdraw)], restore...) {
			changes = append(changes, packageChange{pkg: p.id, releases: p.releases, changed: true})
		}
		if _, err := recordChanges(ctx, tx, changes, now); err != nil {
			return err
		}
		err = record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRollback, Target: t.String(), By: y.By, Why: y.Reason,
			Detail: fmt.Sprintf("to %s: %d withdrawn, %d restored", to, len(withdraw), len(restore))})
		if err != nil {
			return err
		}
		for _, p := range withdraw {
			k := p.Package
			k.State, k.Yank = catalog.Yanked, &y
			withdrawn.Packages = append(withdrawn.Packages, k)
		}
		for _, p := range restore {
			k := p.Package
			k.State, k.Yank = catalog.Active, nil
			restored.Packages = append(restored.Packages, k)
		}
		if err := withdrawn.readRevisions(ctx, tx, t, withdraw); err != nil {
			return err
		}
		return restored.readRevisions(ctx, tx, t, restore)
	})
	if err != nil {
		return withdrawn, restored, fmt.Errorf("roll back %s: %w", t, err)
	}
	return withdrawn, restored, nil
}

func readRollback(ctx context.Context, q querier, t catalog.PackageTarget, targets []targetDistribution, to Point) (r Rollback, err error) {
	if r.Settings, err = settings(ctx, q, t.Repository); err != nil {
		return r, err
	}
	if err := checkWhole(ctx, q, t.Repository, targets); err != nil {
		return r, err
	}
	if r.Then, err = publishedStates(ctx, q, t, targets, to); err != nil {
		return r, err
	}
	came, went := map[int64]*SelectedPackage{}, map[int64]*SelectedPackage{}
	for _, d := range targets {
		if err := d.markDifferences(ctx, q, r.Then, came, went); err != nil {
			return r, err
		}
	}
	s := Selection{Target: t, States: []catalog.PackageState{catalog.Active, catalog.Yanked}}
	all := Selected{Settings: r.Settings}
	if err := s.readRows(ctx, q, targets, came, &all); err != nil {
		return r, err
	}
	n := len(all.Packages)
	if err := s.readRows(ctx, q, targets, went, &all); err != nil {
		return r, err
	}
	r.Came, r.Went = all.Packages[:n:n], all.Packages[n:]
	sortSelected(r.Came)
	sortSelected(r.Went)
	r.Shown, err = s.shown(ctx, q, all)
	return r, err
}

// publishedStates returns what the releases of a target were at a point.
func publishedStates(ctx context.Context, q querier, t catalog.PackageTarget, targets []targetDistribution, to Point) (then []PublishedState, err error) {
	for _, d := range targets {
		for _, r := range d.releases {
			then = append(then, PublishedState{Release: catalog.Release{Repository: t.Repository, Distribution: d.distribution, Arch: r.arch}, id: r.id})
		}
	}
	if len(then) == 0 {
		return nil, fmt.Errorf("releases of %s: %w", t, ErrNotFound)
	}
	if to.Revision != 0 && len(then) > 1 {
		return nil, fmt.Errorf("%w, and %s has %d", ErrSeveralReleases, t, len(then))
	}
	if to.Revision == 0 && to.Snapshot != "" {
		if found, err := snapshotStates(ctx, q, t.Repository, to.Snapshot, then); err != nil || found {
			return then, err
		}
		if to.At.IsZero() {
			return nil, ErrNoSnapshot
		}
	}
	for i := range then {
		s := &then[i]
		where, arg := `revision = ?`, any(to.Revision)
		if to.Revision == 0 {
			where, arg = `published_at <= ?`, millis(to.At)
		}
		err := q.QueryRowContext(ctx, `SELECT revision, published_at FROM publications WHERE release_id = ? AND published_at IS NOT NULL AND `+where+`
			ORDER BY revision DESC LIMIT 1`, s.id, arg).Scan(&s.Revision, (*scanTime)(&s.Since))
		if err = notFound(err); errors.Is(err, ErrNotFound) {
			return nil, fmt.Errorf("%s: %w", s.Release, ErrNotPublished)
		}
		if err != nil {
			return nil, err
		}
	}
	return then, nil
}

// snapshotStates sets what releases were in a snapshot, and reports whether there is one of that name.
func snapshotStates(ctx context.Context, q querier, r catalog.Repository, name string, then []PublishedState) (found bool, err error) {
	numbers, err := collect(ctx, q, scanID, `SELECT s.id FROM `+snapshotTables+` WHERE p.owner = ? AND p.name = ? AND (s.name = ? OR s.ident = ?) AND s.state = ?`,
		r.Owner, r.Name, name, name, catalog.SnapshotKept)
	if err != nil || len(numbers) == 0 {
		return false, err
	}
	for i := range then {
		s := &then[i]
		var exactly int64
		err := q.QueryRowContext(ctx, `SELECT t.revision, t.went_after, s.asked_at FROM snapshot_releases t JOIN snapshots s ON s.id = t.snapshot_id
			WHERE t.snapshot_id = ? AND t.release_id = ?`, numbers[0], s.id).Scan(&s.Revision, &exactly, (*scanTime)(&s.Since))
		if err = notFound(err); errors.Is(err, ErrNotFound) {
			return true, fmt.Errorf("%s is not in the snapshot: %w", s.Release, ErrNotPublished)
		}
		if err == nil && exactly != s.Revision {
			err = ErrInexact
		}
		if err != nil {
			return true, err
		}
	}
	return true, nil
}

// markDifferences marks the rows of a distribution that are active and no release showed then, and those that are withdrawn and
// one did.
func (d targetDistribution) markDifferences(ctx context.Context, q querier, then []PublishedState, came, went map[int64]*SelectedPackage) error {
	shown, args := ``, []any{}
	for _, s := range then {
		if s.Release.Distribution != d.distribution {
			continue
		}
		if shown != "" {
			shown += ` OR `
		}
		shown += `v.release_id = ? AND v.came <= ? AND (v.went IS NULL OR v.went > ?)`
		args = append(args, s.id, s.Revision, s.Revision)
	}
	if shown == "" {
		return nil
	}
	for _, m := range []struct {
		state catalog.PackageState
		not   string
		marks map[int64]*SelectedPackage
	}{{catalog.Active, `NOT `, came}, {catalog.Yanked, ``, went}} {
		ids, err := collect(ctx, q, scanID, `SELECT k.id FROM packages k WHERE k.distribution_id = ? AND k.state = ?
			AND `+m.not+`EXISTS (SELECT 1 FROM visibility v WHERE v.package_id = k.id AND (`+shown+`)) LIMIT ?`,
			append(append([]any{d.id, m.state}, args...), maxSelected+1)...)
		if err != nil {
			return err
		}
		for _, id := range ids {
			m.marks[id] = &SelectedPackage{id: id}
		}
		if len(m.marks) > maxSelected {
			return ErrTooMany
		}
	}
	return nil
}
