package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// ErrReindexing is returned to whoever starts a reindex that somebody else is at.
var ErrReindexing = errors.New("the same reindex is going on already")

// maxReindexPause is how long after its interruption a run is continued. Later, what it did is too old to
// count.
const maxReindexPause = 24 * time.Hour

// StartReindex begins a run over releases. If a run of the same selection and source was interrupted
// lately, that one is continued: left are its releases that have no outcome or failed, and those that are
// new since. While another process is at such a run, the error wraps [ErrReindexing] and says whose it is.
func (d *DB) StartReindex(ctx context.Context, selection []string, source, by string, releases []catalog.Release, now time.Time) (run ReindexRun, left []catalog.Release, err error) {
	selection = slices.Compact(slices.Sorted(slices.Values(selection)))
	err = d.tx(ctx, func(tx *transaction) error {
		if run, err = beginRun(ctx, tx, selection, source, by, now); err != nil {
			return err
		}
		if err := addReleases(ctx, tx, run.ID, releases); err != nil {
			return err
		}
		if left, err = leftReleases(ctx, tx, run.ID); err == nil {
			run.Counts, err = countOutcomes(ctx, tx, run.ID)
		}
		return err
	})
	if err != nil {
		return ReindexRun{}, nil, fmt.Errorf("start a reindex: %w", err)
	}
	return run, left, nil
}

// beginRun makes a run, or takes up one that was interrupted.
func beginRun(ctx context.Context, tx *transaction, selection []string, source, by string, now time.Time) (ReindexRun, error) {
	// Its own row first: of two that begin together, one waits for the other's here or is made to repeat.
	res, err := tx.ExecContext(ctx, `INSERT INTO reindex_runs (selection, source, state, started_by, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?)`,
		jsonList[string]{&selection}, source, ReindexRunning, cut(by, 255), millis(now), millis(now))
	if err != nil {
		return ReindexRun{}, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return ReindexRun{}, err
	}
	others, err := collect(ctx, tx, scanRun, `SELECT `+runColumns+` FROM reindex_runs
		WHERE selection = ? AND source = ? AND state IN (?, ?) AND id <> ? ORDER BY id DESC`+tx.forUpdate,
		jsonList[string]{&selection}, source, ReindexRunning, ReindexInterrupted, id)
	if err != nil {
		return ReindexRun{}, err
	}
	for _, run := range others {
		if run.State == ReindexRunning && !run.silent(now) {
			return run, fmt.Errorf("%w: run %d, started by %s at %s; wait for it, or end it with repomill reindex cancel %d",
				ErrReindexing, run.ID, orNobody(run.By), run.Started.Format(time.RFC3339), run.ID)
		}
	}
	for _, run := range others {
		if now.Sub(run.Seen) > maxReindexPause {
			break // the others are older still
		}
		if left, err := leftReleases(ctx, tx, run.ID); err != nil {
			return run, err
		} else if len(left) > 0 {
			return resume(ctx, tx, run, id, now)
		}
	}
	return scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM reindex_runs WHERE id = ?`, id).Scan)
}

func orNobody(by string) string {
	if by == "" {
		return "somebody"
	}
	return by
}

// resume takes a run up, in the place of a new one.
func resume(ctx context.Context, tx *transaction, run ReindexRun, instead int64, now time.Time) (ReindexRun, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM reindex_runs WHERE id = ?`, instead); err != nil {
		return run, err
	}
	run.State, run.Seen = ReindexRunning, later(run.Seen, now)
	_, err := tx.ExecContext(ctx, `UPDATE reindex_runs SET state = ?, seen_at = ? WHERE id = ?`, run.State, millis(run.Seen), run.ID)
	return run, err
}

// addReleases makes releases wait in a run, but for those that are in it.
func addReleases(ctx context.Context, tx *transaction, run int64, releases []catalog.Release) error {
	known, err := collect(ctx, tx, scanName, `SELECT release_name FROM reindex_releases WHERE run_id = ?`, run)
	if err != nil {
		return err
	}
	seen := map[string]bool{}
	for _, name := range known {
		seen[name] = true
	}
	var fresh []string
	for _, r := range releases {
		if name := r.String(); !seen[name] {
			seen[name] = true
			fresh = append(fresh, name)
		}
	}
	for some := range slices.Chunk(fresh, 200) {
		var args []any
		for _, name := range some {
			args = append(args, run, name, OutcomeWaiting)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO reindex_releases (run_id, release_name, state, detail) VALUES (?, ?, ?, '')`+
			strings.Repeat(`, (?, ?, ?, '')`, len(some)-1), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

func scanName(scan func(...any) error) (name string, err error) { return name, scan(&name) }

// leftReleases returns the releases of a run that are still to be reindexed, in order.
func leftReleases(ctx context.Context, tx *transaction, run int64) ([]catalog.Release, error) {
	return collect(ctx, tx, func(scan func(...any) error) (catalog.Release, error) {
		name, err := scanName(scan)
		if err != nil {
			return catalog.Release{}, err
		}
		return catalog.ParseRelease(name)
	}, `SELECT release_name FROM reindex_releases WHERE run_id = ? AND state IN (?, ?) ORDER BY release_name`, run, OutcomeWaiting, OutcomeFailed)
}
