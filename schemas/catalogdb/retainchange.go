package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// Leaving yields the packages that leave, in order, as they are now: one that was withdrawn since is left out. It reads 500 at a time.
func (d *DB) Leaving(ctx context.Context, s RetentionState) iter.Seq2[LeavingPackage, error] {
	return func(yield func(LeavingPackage, error) bool) {
		for _, l := range s.leaving {
			for rows := range slices.Chunk(inNameOrder(l.rows), selectChunk) {
				var some []LeavingPackage
				err := d.ask(ctx, func(q querier) (err error) {
					some, err = l.read(ctx, q, rows, s.Settings)
					return err
				})
				if err != nil {
					yield(LeavingPackage{}, fmt.Errorf("read packages that leave: %w", err))
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
func (l distributionLeaving) read(ctx context.Context, q querier, rows []leavingRow, settings catalog.Settings) ([]LeavingPackage, error) {
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
	packages := make([]LeavingPackage, len(found.Packages))
	for i, p := range found.Packages {
		packages[i].SelectedPackage = p
	}
	if l.archive == nil || len(packages) == 0 {
		return packages, nil
	}
	return packages, l.archive.look(ctx, q, packages)
}

// A RetentionDecision says whether a transaction withdraws what leaves. packages are those that it would withdraw, at once or once they
// are in the archive. It is called in the transaction, once for each try of it, and asks the catalog for nothing. Its error ends the
// transaction: nothing changes.
type RetentionDecision func(s RetentionState, packages []LeavingPackage) error

// A Retaining says how rules of retention are applied.
type Retaining struct {
	At    time.Time // ages are as of this time
	Yank  catalog.Yank
	Again bool // asks for copies that were rejected before, too
}

// A Retained is what a transaction did by rules of retention.
type Retained struct {
	SelectedChange                  // what was withdrawn
	Archiving      []LeavingPackage // what leaves once clients see it in the archive; Upload makes the copy of each
	Asked          int              // of them: the others were under way already
	Aside          int              // packages that were passed over: they stay, since the archive cannot take them
	First          *LeavingPackage  // of those
	Left           int              // packages that the transaction did not look at: another call does
}

// Empty reports whether the transaction found nothing to do.
func (r Retained) Empty() bool { return len(r.Packages)+len(r.Archiving) == 0 }

// Retain withdraws the packages of a target that no rule keeps at a time, in one transaction that issues one revision for each release
// they leave, if decide agrees. Of a distribution with an archive it asks for the copies there, in the name of the context's actor, and
// [DB.FinishMoves] withdraws the packages once clients see those. A transaction withdraws 100,000 packages at most, and asks for [MaxArchiving]
// copies, less those that are under way. Errors are those of [DB.Retention] and of decide.
func (d *DB) Retain(ctx context.Context, t catalog.PackageTarget, r Retaining, now time.Time, decide RetentionDecision) (done Retained, err error) {
	if r.Yank.At.IsZero() {
		r.Yank.At = now
	}
	r.Yank.At, r.Yank.By = r.Yank.At.UTC().Truncate(time.Second), cut(r.Yank.By, maxUser)
	read, err := d.Retention(ctx, t, r.At) // outside of the transaction: it may take seconds, and often nothing leaves
	if err != nil {
		return done, err
	}
	if read.Leave == 0 {
		return done, decide(read, nil)
	}
	fresh := map[int64]catalog.Upload{}
	err = d.tx(ctx, func(tx *transaction) error {
		if done, err := committed(ctx, tx, maps.Values(fresh)); done || err != nil {
			return err // an earlier try went through unreported
		}
		done = Retained{SelectedChange: SelectedChange{Revisions: map[catalog.Release]int64{}}}
		targets, err := tx.lockedTargets(ctx, append([]catalog.PackageTarget{t}, read.archiveTargets()...)...)
		if err != nil {
			return err
		}
		of, err := settings(ctx, tx, t.Repository)
		if err != nil {
			return err
		}
		s := read
		if !s.holds(of, targets[0]) {
			if s, err = d.readRetention(ctx, tx, t, of, targets[0], r.At); err != nil {
				return err
			}
			if !slices.Equal(s.archiveTargets(), read.archiveTargets()) {
				return errors.New("the archive was changed at this moment: try again")
			}
		}
		return done.retain(ctx, tx, t, s, r, fresh, now, decide)
	})
	if err != nil {
		return Retained{}, fmt.Errorf("apply the rules of retention of %s: %w", t, err)
	}
	return done, nil
}

// retain withdraws what leaves, or asks for its copy.
func (c *Retained) retain(ctx context.Context, tx *transaction, t catalog.PackageTarget, s RetentionState, r Retaining, fresh map[int64]catalog.Upload, now time.Time, decide RetentionDecision) error {
	all, err := c.next(ctx, tx, s, r.Again)
	if err != nil {
		return err
	}
	if err := decide(s, all); err != nil || len(all) == 0 {
		return err
	}
	var packages []SelectedPackage
	for _, p := range all {
		if p.Copy == "" {
			packages = append(packages, p.SelectedPackage)
		} else {
			c.Archiving = append(c.Archiving, p)
		}
	}
	if err := yankRows(ctx, tx, packages, r.Yank, now); err != nil {
		return err
	}
	changes := make([]packageChange, len(packages))
	for i, p := range packages {
		changes[i] = packageChange{pkg: p.id, releases: p.releases, changed: true}
	}
	if _, err := recordChanges(ctx, tx, changes, now); err != nil {
		return err
	}
	if err := c.ask(ctx, tx, s, fresh, now); err != nil {
		return err
	}
	if len(packages)+c.Asked > 0 {
		err = record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRetain, Target: t.String(), By: r.Yank.By, Detail: s.detail(len(packages), c.Asked)})
		if err != nil {
			return err
		}
	}
	for _, l := range s.leaving { // people have looked at it
		if _, err := tx.ExecContext(ctx, `UPDATE retentions SET stopped = '' WHERE distribution_id = ?`, l.id); err != nil {
			return err
		}
	}
	for _, p := range packages {
		k := p.Package
		k.State, k.Yank = catalog.Yanked, &r.Yank
		c.Packages = append(c.Packages, k)
	}
	return c.readRevisions(ctx, tx, t, packages)
}

// detail says in the audit log what was withdrawn, and by which rules.
func (s RetentionState) detail(packages, archived int) string {
	var rules []string
	for _, r := range s.Settings.Retention {
		rules = append(rules, r.String())
	}
	more := ""
	if archived > 0 {
		more = fmt.Sprintf(", and %d asked for in the archive, to be withdrawn once they are there", archived)
	}
	return fmt.Sprintf("%d of %d packages withdrawn that no rule keeps%s; the rules are: %s", packages, s.Leave, more, strings.Join(rules, " | "))
}

// MaxArchiving is how many packages runs of one target have on their way to archives at a time.
const MaxArchiving = 5000

// maxArchiving is a variable for tests.
var maxArchiving = MaxArchiving

// next reads the next packages that leave.
func (c *Retained) next(ctx context.Context, q querier, s RetentionState, again bool) (packages []LeavingPackage, err error) {
	archiving := 0
	for _, l := range s.leaving {
		rows := inNameOrder(l.rows)
		for len(rows) > 0 {
			room := min(selectChunk, len(rows), maxSelected-len(packages))
			if l.archive != nil {
				room = min(room, maxArchiving-archiving)
			}
			if room <= 0 {
				break
			}
			some, err := l.read(ctx, q, rows[:room], s.Settings)
			if err != nil {
				return nil, err
			}
			rows = rows[room:]
			for _, p := range some {
				if p.goes(again) {
					packages = append(packages, p)
					if p.Copy != "" {
						archiving++
					}
					continue
				}
				if p.Copy == catalog.CopyUnderWay {
					continue // to another place
				}
				if c.Aside++; c.First == nil {
					c.First = &p
				}
			}
		}
		c.Left += len(rows)
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
