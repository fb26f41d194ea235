package catalogdb

import (
	"context"
	"fmt"
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
	archive []archiveOf     // of all rule sets for the target
	states  map[int64]int64 // revisions of the releases that it was computed from
}

// A distributionLeaving is what leaves a distribution.
type distributionLeaving struct {
	targetDistribution
	archive *archiveOf   // nil: none
	rows    []leavingRow // in descending order of name and version
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
// transaction. The error wraps [ErrNotFound] if there is no such repository or distribution, and [RecoveringError].
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
	if s.archive, err = archivesOf(ctx, q, of, t); err != nil {
		return s, err
	}
	if len(targets) == 0 && !t.Whole() {
		return s, fmt.Errorf("distribution %s: %w", t, ErrNotFound)
	}
	if err := checkWhole(ctx, q, t.Repository, targets); err != nil {
		return s, err
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
		a := &applying{q: q, inOrder: d.inOrder, keeper: newKeeper(s.Settings, ds, s.At), at: s.At, distribution: of, sums: map[string]*dirSum{}}
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
	if err := a.readYoung(ctx); err != nil {
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
	s.leaving = append(s.leaving, distributionLeaving{d, s.archiveFor(d.distribution), a.leaving})
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
