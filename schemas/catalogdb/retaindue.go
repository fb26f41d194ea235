package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A RetentionRun is what workers did last by the rules of a distribution.
type RetentionRun struct {
	Target    catalog.PackageTarget `json:"target"`
	At        *time.Time            `json:"at,omitempty"` // nil if it has not ended yet
	Withdrawn int                   `json:"withdrawn"`
	Archived  int                   `json:"archived,omitempty"` // packages that it asked for in the archive, to be withdrawn once they are there
	Stopped   string                `json:"stopped,omitempty"`  // why packages stay that no rule keeps, and what to do
	Next      time.Time             `json:"next"`

	distribution int64
	rules        string
}

// RetentionRuns returns the runs of all distributions that have had one.
func (d *DB) RetentionRuns(ctx context.Context) ([]RetentionRun, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (r RetentionRun, err error) {
		var at int64
		t := &r.Target
		err = scan(&r.distribution, &t.Repository.Owner, &t.Repository.Name, &t.Distribution.OS, &t.Distribution.Version, (*scanTime)(&r.Next), &r.rules, &at, &r.Withdrawn, &r.Archived, &r.Stopped)
		if at > 0 {
			r.At = optional(sql.NullInt64{Int64: at, Valid: true})
		}
		return r, err
	}, `SELECT d.id, p.owner, p.name, d.os, d.version, x.next_at, x.rules, x.applied_at, x.withdrawn, x.archived, x.stopped
		FROM retentions x JOIN distributions d ON d.id = x.distribution_id JOIN repositories p ON p.id = d.repository_id ORDER BY p.owner, p.name, d.os, d.version`)
	if err != nil {
		return nil, fmt.Errorf("list runs of retention: %w", err)
	}
	return all, nil
}

// A DueRetention is a distribution whose rules are to be applied.
type DueRetention struct {
	Target      catalog.PackageTarget
	AllowShrink bool

	distribution int64
	rules        string
}

// RetentionDue returns the distributions whose rule sets are all automatic and are to be applied at a time: they never were, or have
// changed, or it is their time. Runs of other distributions, whose rules were paused or removed since, count as stopped no more.
// Distributions of which a release is being recovered are not due: rules would see a part of it.
func (d *DB) RetentionDue(ctx context.Context, now time.Time) (due []DueRetention, err error) {
	runs, err := d.RetentionRuns(ctx)
	if err != nil {
		return nil, err
	}
	of, stopped := map[int64]RetentionRun{}, map[int64]bool{}
	for _, r := range runs {
		of[r.distribution], stopped[r.distribution] = r, r.Stopped != ""
	}
	err = d.askOnce(ctx, func(q querier) error {
		due = nil
		rows, err := collect(ctx, q, scanRepository, `SELECT `+repositoryColumns+` FROM repositories WHERE retention <> '[]' ORDER BY owner, name`)
		if err != nil {
			return err
		}
		recovering, err := collect(ctx, q, scanID, `SELECT r.distribution_id FROM recoveries c JOIN releases r ON r.id = c.release_id AND r.retired = 0`)
		if err != nil {
			return err
		}
		for _, row := range rows {
			targets, err := targetDistributions(ctx, q, catalog.PackageTarget{Repository: row.settings.Repository})
			if err != nil {
				return err
			}
			for _, t := range targets {
				x, automatic, err := automaticRules(row.settings, t)
				if err != nil {
					return err
				}
				if automatic {
					delete(stopped, t.id)
				}
				if run, has := of[t.id]; automatic && !slices.Contains(recovering, t.id) && (!has || run.rules != x.rules || !run.Next.After(now)) {
					due = append(due, x)
				}
			}
		}
		return nil
	})
	for id, is := range stopped {
		if err == nil && is {
			err = d.exec(ctx, `UPDATE retentions SET stopped = '' WHERE distribution_id = ?`, id)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("list rules of retention that are to be applied: %w", err)
	}
	return due, nil
}

// automaticRules returns the rule sets of a distribution, and whether workers apply them.
func automaticRules(s catalog.Settings, t targetDistribution) (x DueRetention, automatic bool, err error) {
	sets := s.RetentionOf(t.distribution)
	x = DueRetention{Target: catalog.PackageTarget{Repository: s.Repository, Distribution: t.distribution}, AllowShrink: true, distribution: t.id}
	automatic = len(sets) > 0
	for _, set := range sets {
		automatic, x.AllowShrink = automatic && set.Automatic, x.AllowShrink && set.AllowShrink
	}
	text, err := json.Marshal(sets)
	x.rules = string(text)
	return x, automatic, err
}

// TakeRetention reports whether the caller is the one to apply rules that are due. If it is, they are due again at a time, unless
// [DB.EndRetention] says otherwise before.
func (d *DB) TakeRetention(ctx context.Context, x DueRetention, now, again time.Time) (taken bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		taken = false
		var next int64
		var rules string
		err := tx.QueryRowContext(ctx, `SELECT next_at, rules FROM retentions WHERE distribution_id = ?`+tx.forUpdate, x.distribution).Scan(&next, &rules)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			_, err = tx.ExecContext(ctx, `INSERT INTO retentions (distribution_id, next_at, rules, applied_at, withdrawn, archived, stopped) VALUES (?, ?, ?, 0, 0, 0, '')`,
				x.distribution, millis(again), x.rules)
		case err == nil && rules == x.rules && next > millis(now):
			return nil
		case err == nil:
			_, err = tx.ExecContext(ctx, `UPDATE retentions SET next_at = ?, rules = ? WHERE distribution_id = ?`, millis(again), x.rules, x.distribution)
		}
		taken = err == nil
		return err
	})
	if err != nil {
		return false, fmt.Errorf("take the rules of retention of %s: %w", x.Target, err)
	}
	return taken, nil
}

// maxStopped is what the column holds, in bytes.
const maxStopped = 2000

// EndRetention records what rules did, and when they are due again: how many packages they withdrew, and asked for in the archive.
// stopped is empty unless packages stay, for that reason, that no rule keeps.
func (d *DB) EndRetention(ctx context.Context, x DueRetention, withdrawn, archived int, stopped string, now, next time.Time) error {
	err := d.exec(ctx, `UPDATE retentions SET next_at = ?, applied_at = ?, withdrawn = ?, archived = ?, stopped = ? WHERE distribution_id = ? AND rules = ?`,
		millis(next), millis(now), withdrawn, archived, cut(stopped, maxStopped), x.distribution, x.rules)
	if err != nil {
		return fmt.Errorf("record the run of retention of %s: %w", x.Target, err)
	}
	return nil
}

// CountStoppedRetentions returns how many distributions have rules that workers were to apply last, and stopped.
func (d *DB) CountStoppedRetentions(ctx context.Context) (n int, err error) {
	err = d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM retentions WHERE stopped <> ''`).Scan(&n)
	})
	return n, err
}
