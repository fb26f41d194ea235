package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A PhasedPackage is a package with the phase that its stanza has.
type PhasedPackage struct {
	SelectedPackage
	Source  catalog.Source
	Percent int
	Asked   catalog.Phasing // what was asked for its source last, as far as it is not done; zero if nothing was

	key phaseKey
}

// Phased is what a selection has at one moment: the active packages that it selects and, of DEB, all other active binaries of their
// source packages in the same component.
type Phased struct {
	Selected
	All []PhasedPackage // in the order of lists
}

// A phaseKey names a source package in a component.
type phaseKey struct {
	distribution      int64
	component, source string
}

func (k phaseKey) args() []any { return []any{k.distribution, k.component, k.source} }

// ofSource is the condition of [phaseKey.args] on a table.
const ofSource = `distribution_id = ? AND component = ? AND source = ?`

// SelectPhased returns what a selection has, with phases, read in one transaction. Errors are those of [DB.Select].
func (d *DB) SelectPhased(ctx context.Context, s Selection) (found Phased, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		targets, err := targetDistributions(ctx, q, s.Target)
		if err == nil {
			found, err = s.readPhased(ctx, q, targets)
		}
		return err
	})
	if err != nil {
		return found, fmt.Errorf("select packages of %s: %w", s.Target, err)
	}
	return found, nil
}

// PhaseSelected gives the packages that decide returns a phase, and all others of their source packages in the same component, in
// one transaction that issues one revision for each release that shows one of them otherwise. Withdrawn ones and those that are on
// their way have it, too, when they come. Steps that were asked for before end. Errors are those of [DB.Select] and of decide, as in
// [DB.YankSelected].
func (d *DB) PhaseSelected(ctx context.Context, s Selection, p catalog.Phasing, now time.Time, decide func(Phased) ([]PhasedPackage, error)) (done SelectedChange, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		done = SelectedChange{Revisions: map[catalog.Release]int64{}}
		targets, err := tx.lockedTargets(ctx, s.Target)
		if err != nil {
			return err
		}
		found, err := s.readPhased(ctx, tx, targets[0])
		if err != nil {
			return err
		}
		chosen, err := decide(found)
		if err != nil {
			return err
		}
		var all []SelectedPackage
		sources := map[int64]map[string]PhasedPackage{} // the first of each, by distribution
		for _, k := range chosen {
			all = append(all, k.SelectedPackage)
			done.Packages = append(done.Packages, k.Package)
			of := k.key.component + " " + k.key.source
			if sources[k.key.distribution] == nil {
				sources[k.key.distribution] = map[string]PhasedPackage{}
			}
			if _, has := sources[k.key.distribution][of]; !has {
				sources[k.key.distribution][of] = k
			}
		}
		for _, id := range slices.Sorted(maps.Keys(sources)) {
			if err := tx.phaseSources(ctx, slices.SortedFunc(maps.Values(sources[id]), comparePhased), p, now); err != nil {
				return err
			}
		}
		return done.readRevisions(ctx, tx, s.Target, all)
	})
	if err != nil {
		return done, fmt.Errorf("phase packages of %s: %w", s.Target, err)
	}
	return done, nil
}

func comparePhased(a, b PhasedPackage) int {
	return strings.Compare(a.key.component+" "+a.key.source, b.key.component+" "+b.key.source)
}

// phaseSources gives source packages of one distribution a phase.
func (tx *transaction) phaseSources(ctx context.Context, sources []PhasedPackage, p catalog.Phasing, now time.Time) error {
	var entries []catalog.AuditEntry
	var shown bool
	rewritten := make([]rewrittenRows, len(sources))
	for i, k := range sources {
		var err error
		if rewritten[i], err = tx.rewritePhase(ctx, k.key, p.Percent); err != nil {
			return err
		}
		shown = shown || rewritten[i].shown > 0
	}
	revision := int64(0)
	if shown {
		var err error
		if revision, err = issueNext(ctx, tx, sources[0].releases[0].id, now); err != nil {
			return err
		}
	}
	for i, k := range sources {
		if rewritten[i].all == 0 && !p.Changes(k.Percent, k.Asked) {
			continue
		}
		with := revision
		if rewritten[i].shown == 0 {
			with = 0
		}
		a := askedPhase{phaseKey: k.key, p: p, by: catalog.ActorOf(ctx)}
		if err := tx.askPhase(ctx, a, with, now); err != nil {
			return err
		}
		entries = append(entries, phaseEntry(k.Package.Place(), a, fmt.Sprintf(" (before: %s)", catalog.PhaseText(k.Percent))))
	}
	return record(ctx, tx, now, entries...)
}

// phaseEntry returns the entry for the phase of a source package.
func phaseEntry(at catalog.Place, a askedPhase, more string) catalog.AuditEntry {
	return catalog.AuditEntry{Action: catalog.ActionPhase, Target: at.String(), Detail: a.source + ": " + a.p.String() + more, By: a.by.User, Why: a.by.Why, Job: a.by.Job}
}

// rewrittenRows counts the rows that got another phase, and those of them that the release shows.
type rewrittenRows struct{ all, shown int }

// rewritePhase gives the rows of a source package, active, withdrawn or claimed, a phase: it is in their stanzas. The release of the
// distribution is locked.
func (tx *transaction) rewritePhase(ctx context.Context, key phaseKey, percent int) (n rewrittenRows, err error) {
	return tx.rewriteRows(ctx, percent, ofSource, key.args()...)
}

// rewriteRows gives the rows of a condition a phase, unless they have it.
func (tx *transaction) rewriteRows(ctx context.Context, percent int, where string, args ...any) (n rewrittenRows, err error) {
	type row struct {
		id     int64
		active bool
		stanza []byte
	}
	rows, err := collect(ctx, tx, func(scan func(...any) error) (r row, err error) {
		return r, scan(&r.id, &r.active, &r.stanza)
	}, `SELECT id, state = '`+string(catalog.Active)+`', stanza FROM packages WHERE `+where+` AND COALESCE(phase, ?) <> ? AND stanza IS NOT NULL ORDER BY id`+tx.forUpdate,
		append(args, catalog.Everyone, percent)...)
	if err != nil {
		return n, err
	}
	for _, r := range rows {
		var text Fragment
		if err := text.unpack(r.stanza); err != nil {
			return n, err
		}
		stanza := catalog.WithPhase(text.Text, percent)
		packed, err := pack(stanza)
		if err != nil {
			return n, err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET stanza = ?, phase = ? WHERE id = ?`, packed, phaseColumn(stanza), r.id); err != nil {
			return n, err
		}
		n.all++
		if r.active {
			n.shown++
		}
	}
	return n, nil
}

// phaseColumn is the column of the phase of a stanza.
func phaseColumn(stanza []byte) any {
	if percent, phased := catalog.PhaseOf(stanza); phased {
		return percent
	}
	return nil
}

// sourceColumn is the column of the source of a stanza; empty without one.
func sourceColumn(stanza []byte) string {
	if len(stanza) == 0 {
		return ""
	}
	return catalog.SourceOf(stanza).String()
}

// An askedPhase is what is asked for a source package, and by whom.
type askedPhase struct {
	phaseKey
	p  catalog.Phasing
	by catalog.Actor
}

// askPhase writes a row of phases. revision is that with which stanzas changed, 0 if none did.
func (tx *transaction) askPhase(ctx context.Context, a askedPhase, revision int64, now time.Time) error {
	var next any
	if len(a.p.Steps) > 0 {
		next = millis(now.Add(a.p.Every))
	}
	before, err := scanID(tx.QueryRowContext(ctx, `SELECT revision FROM phases WHERE `+ofSource+tx.forUpdate, a.args()...).Scan)
	if err != nil && !errors.Is(notFound(err), ErrNotFound) {
		return err
	}
	_, err = tx.ExecContext(ctx, `REPLACE INTO phases (distribution_id, component, source, percentage, revision, steps, every, next_at, changed_at, actor, why, job)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append(a.args(), a.p.Percent, max(before, revision), jsonList[int]{&a.p.Steps}, a.p.Every.Milliseconds(), next, millis(now),
		cut(a.by.User, maxUser), a.by.Why, cut(a.by.Job, maxJob))...)
	return err
}

// phaseActivated gives packages that become active the phase of their sources, if one was asked for.
func (tx *transaction) phaseActivated(ctx context.Context, packages []int64) error {
	for some := range slices.Chunk(packages, selectChunk) {
		where, args := in("k.id", some)
		type late struct {
			id      int64
			percent int
		}
		rows, err := collect(ctx, tx, func(scan func(...any) error) (l late, err error) {
			return l, scan(&l.id, &l.percent)
		}, `SELECT k.id, f.percentage FROM packages k JOIN phases f ON f.distribution_id = k.distribution_id AND f.component = k.component AND f.source = k.source
			WHERE `+where+` AND COALESCE(k.phase, ?) <> f.percentage`, append(args, catalog.Everyone)...)
		if err != nil {
			return err
		}
		for _, l := range rows {
			if _, err := tx.rewriteRows(ctx, l.percent, `id = ?`, l.id); err != nil {
				return err
			}
		}
	}
	return nil
}
