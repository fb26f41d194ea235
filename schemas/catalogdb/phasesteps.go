package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// AdvancePhases makes the next step of the phases that are due at a time of the catalog's clock: one step of each, however late it
// is, and the one after that is due a period from now. A clock that goes forward skips no step, and one that goes back delays the next by
// a period at most. Steps of one distribution are one transaction, with one revision. It returns how many steps were made; the error
// joins those of distributions, and the others have advanced.
func (d *DB) AdvancePhases(ctx context.Context, now time.Time) (steps int, err error) {
	due, err := list(ctx, d, func(scan func(...any) error) (at catalog.Place, err error) {
		return at, scan(&at.Repository.Owner, &at.Repository.Name, &at.Distribution.OS, &at.Distribution.Version)
	}, `SELECT DISTINCT p.owner, p.name, d.os, d.version FROM phases f JOIN distributions d ON d.id = f.distribution_id JOIN repositories p ON p.id = d.repository_id
		WHERE f.next_at IS NOT NULL AND (f.next_at <= ? OR f.next_at - f.every > ?) ORDER BY p.owner, p.name, d.os, d.version`, millis(now), millis(now))
	if err != nil {
		return 0, fmt.Errorf("find phases to advance: %w", err)
	}
	var failed []error
	for _, at := range due {
		n := 0
		err := d.tx(ctx, func(tx *transaction) (err error) {
			n, err = tx.advancePhases(ctx, at, now)
			return err
		})
		if err != nil {
			failed = append(failed, fmt.Errorf("advance phases of %s: %w", at, err))
			continue
		}
		steps += n
	}
	return steps, errors.Join(failed...)
}

// advancePhases makes the steps that are due in a distribution.
func (tx *transaction) advancePhases(ctx context.Context, at catalog.Place, now time.Time) (steps int, err error) {
	releases, err := tx.lockedReleases(ctx, at.Repository, at.Distribution)
	if err != nil || len(releases) == 0 {
		return 0, err
	}
	id, err := distributionID(ctx, tx, at.Repository, at.Distribution)
	if err != nil {
		return 0, err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE phases SET next_at = ? + every WHERE distribution_id = ? AND next_at - every > ?`, millis(now), id, millis(now)); err != nil {
		return 0, err
	}
	due, err := collect(ctx, tx, func(scan func(...any) error) (a askedPhase, err error) {
		a.distribution = id
		var every int64
		err = scan(&a.component, &a.source, &a.p.Percent, jsonList[int]{&a.p.Steps}, &every, &a.by.User, &a.by.Why, &a.by.Job)
		a.p.Every = time.Duration(every) * time.Millisecond
		return a, err
	}, `SELECT component, source, percentage, steps, every, actor, why, job FROM phases WHERE distribution_id = ? AND next_at <= ? ORDER BY component, source`+tx.forUpdate, id, millis(now))
	if err != nil || len(due) == 0 {
		return 0, err
	}
	return len(due), tx.makeSteps(ctx, at, releases[0].id, due, now)
}

// makeSteps makes the next step of each phase of a distribution.
func (tx *transaction) makeSteps(ctx context.Context, at catalog.Place, release int64, due []askedPhase, now time.Time) error {
	changed := make([]bool, len(due))
	shown := false
	for i := range due {
		a := &due[i]
		if len(a.p.Steps) == 0 { // written by hand
			continue
		}
		a.p.Percent, a.p.Steps = a.p.Steps[0], a.p.Steps[1:]
		n, err := tx.rewritePhase(ctx, a.phaseKey, a.p.Percent)
		if err != nil {
			return err
		}
		changed[i], shown = n.shown > 0, shown || n.shown > 0
	}
	revision := int64(0)
	if shown {
		var err error
		if revision, err = issueNext(ctx, tx, release, now); err != nil {
			return err
		}
	}
	var entries []catalog.AuditEntry
	for i, a := range due {
		with := revision
		if !changed[i] {
			with = 0
		}
		if err := tx.askPhase(ctx, a, with, now); err != nil {
			return err
		}
		at.Component = a.component
		entries = append(entries, phaseEntry(at, a, " (a step)"))
	}
	return record(ctx, tx, now, entries...)
}
