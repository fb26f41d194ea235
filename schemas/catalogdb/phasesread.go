package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// readPhased returns what the selection has of some distributions, with phases.
func (s Selection) readPhased(ctx context.Context, q querier, targets []targetDistribution) (found Phased, err error) {
	s.States = []catalog.PackageState{catalog.Active}
	if found.Selected, err = s.read(ctx, q, targets); err != nil {
		return found, err
	}
	marks := map[int64]*SelectedPackage{}
	for i, p := range found.Packages {
		if p.Package.Format == catalog.DEB {
			marks[p.id] = &found.Packages[i]
		} else {
			found.All = append(found.All, PhasedPackage{SelectedPackage: p, Percent: catalog.Everyone})
		}
	}
	if err := markSources(ctx, q, marks); err != nil {
		return found, err
	}
	all := Selected{Settings: found.Settings}
	if err := s.readRows(ctx, q, targets, marks, &all); err != nil {
		return found, err
	}
	sortSelected(all.Packages)
	if found.Shown, err = s.shown(ctx, q, all); err != nil {
		return found, err
	}
	phased, err := readPhases(ctx, q, all.Packages)
	found.All = append(found.All, phased...)
	return found, err
}

// markSources marks all active binaries of the source packages of rows that are marked.
func markSources(ctx context.Context, q querier, marks map[int64]*SelectedPackage) error {
	var ids []int64
	for id := range marks {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	for some := range slices.Chunk(ids, selectChunk) {
		where, args := in("s.id", some)
		more, err := collect(ctx, q, scanID, `SELECT DISTINCT k.id FROM packages s JOIN packages k ON k.distribution_id = s.distribution_id AND k.component = s.component AND k.source = s.source
			WHERE `+where+` AND s.source <> '' AND k.state = ?`, append(args, catalog.Active)...)
		if err != nil {
			return err
		}
		for _, id := range more {
			if marks[id] == nil {
				if len(marks) == maxSelected {
					return ErrTooMany
				}
				marks[id] = &SelectedPackage{id: id}
			}
		}
	}
	return nil
}

// readPhases returns packages with their phases.
func readPhases(ctx context.Context, q querier, packages []SelectedPackage) (all []PhasedPackage, err error) {
	for some := range slices.Chunk(packages, selectChunk) {
		where, args := in("k.id", idsOf(some))
		rows := map[int64]PhasedPackage{}
		_, err := collect(ctx, q, func(scan func(...any) error) (_ struct{}, err error) {
			var p PhasedPackage
			var id int64
			var asked sql.NullInt64
			var every int64
			err = scan(&id, &p.key.distribution, &p.key.component, &p.key.source, &p.Percent, &asked, jsonList[int]{&p.Asked.Steps}, &every)
			p.Source = catalog.ParseSource(p.key.source)
			p.Asked.Percent, p.Asked.Every = int(asked.Int64), time.Duration(every)*time.Millisecond
			rows[id] = p
			return struct{}{}, err
		}, `SELECT k.id, k.distribution_id, k.component, k.source, COALESCE(k.phase, ?), f.percentage, COALESCE(f.steps, '[]'), COALESCE(f.every, 0) FROM packages k
			LEFT JOIN phases f ON f.distribution_id = k.distribution_id AND f.component = k.component AND f.source = k.source WHERE `+where,
			append([]any{catalog.Everyone}, args...)...)
		if err != nil {
			return nil, err
		}
		for _, k := range some {
			p := rows[k.id]
			p.SelectedPackage = k
			all = append(all, p)
		}
	}
	return all, nil
}

// Phases returns the phases of a target that do not let everyone have a package, and those with steps to come. The error wraps
// [ErrNotFound] if there is no such repository.
func (d *DB) Phases(ctx context.Context, t catalog.PackageTarget) (all []catalog.PhaseState, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		if _, err := settings(ctx, q, t.Repository); err != nil {
			return err
		}
		targets, err := targetDistributions(ctx, q, t)
		all = nil
		for _, d := range targets {
			if err != nil {
				return err
			}
			var some []catalog.PhaseState
			some, err = phasesOf(ctx, q, t, d)
			all = append(all, some...)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("phases of %s: %w", t, err)
	}
	return all, nil
}

func phasesOf(ctx context.Context, q querier, t catalog.PackageTarget, d targetDistribution) ([]catalog.PhaseState, error) {
	where, args := ``, []any{catalog.Everyone, catalog.Active, d.id, d.id}
	if t.Component != "" {
		where, args = ` AND s.component = ?`, append(args, t.Component)
	}
	return collect(ctx, q, func(scan func(...any) error) (s catalog.PhaseState, err error) {
		at := catalog.Place{Repository: t.Repository, Distribution: d.distribution}
		var source string
		var every int64
		var next, since sql.NullInt64
		err = scan(&at.Component, &source, &s.Percent, &s.Packages, jsonList[int]{&s.Steps}, &every, &next, &since, &s.By, &s.Why, &s.Job)
		of := catalog.ParseSource(source)
		s.Place, s.Source, s.Version, s.Next, s.Since = at.String(), of.Name, of.Version, optional(next), optional(since)
		if next.Valid {
			s.Every = catalog.ShortDuration(time.Duration(every) * time.Millisecond)
		}
		return s, err
	}, `SELECT s.component, s.source, COALESCE(k.phase, ?) AS percent, COUNT(k.id), COALESCE(f.steps, '[]'), COALESCE(f.every, 0), f.next_at, f.changed_at,
			COALESCE(f.actor, ''), COALESCE(f.why, ''), COALESCE(f.job, '')
		FROM (SELECT distribution_id, component, source FROM packages WHERE state = ? AND phase IS NOT NULL AND distribution_id = ?
			UNION SELECT distribution_id, component, source FROM phases WHERE next_at IS NOT NULL AND distribution_id = ?) s
		LEFT JOIN packages k ON k.distribution_id = s.distribution_id AND k.component = s.component AND k.source = s.source AND k.state = 'active'
		LEFT JOIN phases f ON f.distribution_id = s.distribution_id AND f.component = s.component AND f.source = s.source
		WHERE 1 = 1`+where+`
		GROUP BY s.component, s.source, percent, f.steps, f.every, f.next_at, f.changed_at, f.actor, f.why, f.job
		ORDER BY s.component, s.source, percent`, args...)
}
