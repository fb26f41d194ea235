package catalogdb

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A RetentionRelease is what rules of retention say of a release.
type RetentionRelease struct {
	Release catalog.Release `json:"-"`
	Leave   int             `json:"leave"` // packages
	Stay    int             `json:"stay"`
	Bytes   int64           `json:"bytes"` // of the files that leave

	keyring int // of those that stay
}

// A RetentionState is what rules of retention say of a target at one moment. Only active packages are counted. It holds some 16
// bytes for each package that leaves, and nothing of those that stay.
type RetentionState struct {
	Settings  catalog.Settings
	At        time.Time              // ages are as of this time
	Releases  []RetentionRelease     // of distributions with rules; in order
	Without   []catalog.Distribution // distributions of the target that no rule set is for
	Kept      map[KeptBy]int         // packages that stay; of these distributions
	Leave     int                    // packages that leave: an RPM package counts once, in however many releases it is
	Bytes     int64                  // of their files
	Downloads *Collected             // how long downloads have been counted; nil if no rule asks for that

	leaving []distributionLeaving
	states  map[int64]int64 // revisions of the releases that it was computed from
}

// A distributionLeaving is what leaves a distribution.
type distributionLeaving struct {
	targetDistribution
	rows []leavingRow // in descending order of name and version
}

type leavingRow struct {
	id, size int64
	dir      int // number of the directory
}

// Emptied returns the releases that have packages, besides those with the keys of the repository, and would have none.
func (s RetentionState) Emptied() (empty []catalog.Release) {
	for _, r := range s.Releases {
		if r.Leave > 0 && r.Stay-r.keyring == 0 {
			empty = append(empty, r.Release)
		}
	}
	return empty
}

// Shrunk returns the releases of which more than [catalog.MaxShrink] per cent would leave.
func (s RetentionState) Shrunk() (shrunk []RetentionRelease) {
	for _, r := range s.Releases {
		if r.Leave*100 > (r.Leave+r.Stay)*catalog.MaxShrink {
			shrunk = append(shrunk, r)
		}
	}
	return shrunk
}

// Retention returns what the rules of retention say of a target, without a component, if it were at now. It reads in one
// transaction. The error wraps [ErrNotFound] if there is no such repository or distribution.
func (d *DB) Retention(ctx context.Context, t catalog.PackageTarget, at time.Time) (RetentionState, error) {
	return d.retention(ctx, t, at, func(s []catalog.Retention) []catalog.Retention { return s })
}

// RetentionUnder is [DB.Retention] under rule sets that the repository does not have yet.
func (d *DB) RetentionUnder(ctx context.Context, sets []catalog.Retention, t catalog.PackageTarget, at time.Time) (RetentionState, error) {
	return d.retention(ctx, t, at, func([]catalog.Retention) []catalog.Retention { return sets })
}

func (d *DB) retention(ctx context.Context, t catalog.PackageTarget, at time.Time, under func([]catalog.Retention) []catalog.Retention) (s RetentionState, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		of, err := settings(ctx, q, t.Repository)
		if err != nil {
			return err
		}
		of.Retention = under(of.Retention)
		targets, err := targetDistributions(ctx, q, t)
		if err == nil {
			s, err = d.readRetention(ctx, q, t, of, targets, at)
		}
		return err
	})
	if err != nil {
		return s, fmt.Errorf("apply the rules of retention of %s: %w", t, err)
	}
	return s, nil
}

func (d *DB) readRetention(ctx context.Context, q querier, t catalog.PackageTarget, of catalog.Settings, targets []targetDistribution, at time.Time) (s RetentionState, err error) {
	s = RetentionState{Settings: of, At: at, Kept: map[KeptBy]int{}, states: map[int64]int64{}}
	if len(targets) == 0 && !t.Whole() {
		return s, fmt.Errorf("distribution %s: %w", t, ErrNotFound)
	}
	for _, of := range targets {
		for _, r := range of.releases {
			s.states[r.id] = r.revision
		}
		ds, has := s.Settings.Find(of.distribution)
		if sets := s.Settings.RetentionOf(of.distribution); !has || len(sets) == 0 {
			s.Without = append(s.Without, of.distribution)
			continue
		}
		a := &applying{q: q, inOrder: d.inOrder, keeper: newKeeper(s.Settings, ds, s.At), distribution: of, sums: map[string]*dirSum{}}
		if err := s.addDistribution(ctx, a); err != nil {
			return s, err
		}
	}
	slices.SortFunc(s.Releases, func(a, b RetentionRelease) int { return strings.Compare(a.Release.String(), b.Release.String()) })
	return s, nil
}

// addDistribution applies the rules to one distribution.
func (s *RetentionState) addDistribution(ctx context.Context, a *applying) error {
	d := a.distribution
	if err := a.readDownloads(ctx, s); err != nil {
		return err
	}
	if err := a.read(ctx); err != nil {
		return err
	}
	if err := a.keepNeeded(ctx); err != nil {
		return err
	}
	for by, n := range a.kept {
		s.Kept[by] += n
	}
	for _, row := range a.leaving {
		s.Bytes += row.size
	}
	s.Leave += len(a.leaving)
	s.leaving = append(s.leaving, distributionLeaving{d, a.leaving})
	for _, r := range d.releases {
		sum := RetentionRelease{Release: catalog.Release{Repository: s.Settings.Repository, Distribution: d.distribution, Arch: r.arch}}
		for _, dir := range dirsOf(r.arch) {
			if of := a.sums[dir]; of != nil {
				sum.Leave, sum.Stay, sum.Bytes, sum.keyring = sum.Leave+of.leave, sum.Stay+of.stay, sum.Bytes+of.bytes, sum.keyring+of.keyring
			}
		}
		s.Releases = append(s.Releases, sum)
	}
	return nil
}

// Leaving yields the packages that leave, in order, as they are now: one that was withdrawn since is left out. It reads 500 at a time.
func (d *DB) Leaving(ctx context.Context, s RetentionState) iter.Seq2[SelectedPackage, error] {
	return func(yield func(SelectedPackage, error) bool) {
		for _, l := range s.leaving {
			for rows := range slices.Chunk(inNameOrder(l.rows), selectChunk) {
				var some []SelectedPackage
				err := d.ask(ctx, func(q querier) (err error) {
					some, err = l.read(ctx, q, rows, s.Settings)
					return err
				})
				if err != nil {
					yield(SelectedPackage{}, fmt.Errorf("read packages that leave: %w", err))
					return
				}
				for _, p := range some {
					if !yield(p, nil) {
						return
					}
				}
			}
		}
	}
}

func inNameOrder(rows []leavingRow) []leavingRow {
	rows = slices.Clone(rows)
	slices.Reverse(rows)
	return rows
}

// read reads some rows that leave, and are active, in order.
func (l distributionLeaving) read(ctx context.Context, q querier, rows []leavingRow, settings catalog.Settings) ([]SelectedPackage, error) {
	marks := map[int64]*SelectedPackage{}
	for _, r := range rows {
		marks[r.id] = &SelectedPackage{id: r.id}
	}
	found := Selected{Settings: settings}
	s := Selection{States: []catalog.PackageState{catalog.Active}}
	if err := s.readRows(ctx, q, []targetDistribution{l.targetDistribution}, marks, &found); err != nil {
		return nil, err
	}
	sortSelected(found.Packages)
	return found.Packages, nil
}

// A RetentionDecision says whether a transaction withdraws what leaves. packages are those that it would withdraw. It is called in
// the transaction, once for each try of it, and asks the catalog for nothing. Its error ends the transaction: nothing changes.
type RetentionDecision func(s RetentionState, packages []SelectedPackage) error

// Retain withdraws the packages of a target that no rule keeps at a time, in one transaction that issues one revision for each release
// they leave, if decide agrees. Ages are as of at. A transaction withdraws 100,000 packages at most: left says how many more leave,
// with another call. Errors are those of [DB.Retention] and of decide.
func (d *DB) Retain(ctx context.Context, t catalog.PackageTarget, at time.Time, y catalog.Yank, now time.Time, decide RetentionDecision) (done SelectedChange, left int, err error) {
	if y.At.IsZero() {
		y.At = now
	}
	y.At, y.By = y.At.UTC().Truncate(time.Second), cut(y.By, maxUser)
	read, err := d.Retention(ctx, t, at) // outside of the transaction: it may take seconds, and often nothing leaves
	if err != nil {
		return done, 0, err
	}
	if read.Leave == 0 {
		return done, 0, decide(read, nil)
	}
	err = d.tx(ctx, func(tx *transaction) error {
		done, left = SelectedChange{Revisions: map[catalog.Release]int64{}}, 0
		targets, err := tx.lockedTargets(ctx, t)
		if err != nil {
			return err
		}
		of, err := settings(ctx, tx, t.Repository)
		if err != nil {
			return err
		}
		s := read
		if !s.holds(of, targets[0]) {
			if s, err = d.readRetention(ctx, tx, t, of, targets[0], at); err != nil {
				return err
			}
		}
		left, err = done.retain(ctx, tx, t, s, y, now, decide)
		return err
	})
	if err != nil {
		return done, 0, fmt.Errorf("apply the rules of retention of %s: %w", t, err)
	}
	return done, left, nil
}

// retain withdraws what leaves, and returns how many packages are left.
func (c *SelectedChange) retain(ctx context.Context, tx *transaction, t catalog.PackageTarget, s RetentionState, y catalog.Yank, now time.Time, decide RetentionDecision) (left int, err error) {
	packages, err := s.first(ctx, tx, maxSelected)
	if err != nil {
		return 0, err
	}
	if err := decide(s, packages); err != nil || len(packages) == 0 {
		return 0, err
	}
	if err := yankRows(ctx, tx, packages, y, now); err != nil {
		return 0, err
	}
	changes := make([]packageChange, len(packages))
	for i, p := range packages {
		changes[i] = packageChange{pkg: p.id, releases: p.releases, changed: true}
	}
	if _, err := recordChanges(ctx, tx, changes, now); err != nil {
		return 0, err
	}
	err = record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRetain, Target: t.String(), By: y.By, Detail: s.detail(len(packages))})
	if err != nil {
		return 0, err
	}
	for _, l := range s.leaving { // people have looked at it
		if _, err := tx.ExecContext(ctx, `UPDATE retentions SET stopped = '' WHERE distribution_id = ?`, l.id); err != nil {
			return 0, err
		}
	}
	for _, p := range packages {
		k := p.Package
		k.State, k.Yank = catalog.Yanked, &y
		c.Packages = append(c.Packages, k)
	}
	return s.Leave - len(packages), c.readRevisions(ctx, tx, t, packages)
}

// detail says in the audit log what was withdrawn, and by which rules.
func (s RetentionState) detail(packages int) string {
	var rules []string
	for _, r := range s.Settings.Retention {
		rules = append(rules, r.String())
	}
	return fmt.Sprintf("%d of %d packages withdrawn that no rule keeps; the rules are: %s", packages, s.Leave, strings.Join(rules, " | "))
}

// first reads the first packages that leave.
func (s RetentionState) first(ctx context.Context, q querier, most int) (packages []SelectedPackage, err error) {
	for _, l := range s.leaving {
		rows := inNameOrder(l.rows)
		some, err := l.read(ctx, q, rows[:min(len(rows), most-len(packages))], s.Settings)
		if err != nil {
			return nil, err
		}
		packages = append(packages, some...)
	}
	return packages, nil
}

// holds reports whether settings and releases are those that the state was computed from.
func (s RetentionState) holds(of catalog.Settings, targets []targetDistribution) bool {
	states := map[int64]int64{}
	for _, d := range targets {
		for _, r := range d.releases {
			states[r.id] = r.revision
		}
	}
	return of.Revision == s.Settings.Revision && maps.Equal(states, s.states)
}
