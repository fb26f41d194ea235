package catalogdb

import (
	"context"
	"crypto/rand"
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
// new since. While another process is at such a run, the error wraps [ErrReindexing], and says whose it is
// and when it is taken for dead.
func (d *DB) StartReindex(ctx context.Context, selection []string, source, by string, releases []catalog.Release, now time.Time) (run ReindexRun, left []catalog.Release, err error) {
	want := ReindexRun{Selection: slices.Compact(slices.Sorted(slices.Values(selection))), Source: source, By: cut(by, 255), Holder: rand.Text()}
	err = d.tx(ctx, func(tx *transaction) error {
		if run, err = beginRun(ctx, tx, want, now); err != nil {
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
	switch {
	case errors.Is(err, ErrReindexing): // says it all
		return ReindexRun{}, nil, err
	case err != nil:
		return ReindexRun{}, nil, fmt.Errorf("start a reindex: %w", err)
	}
	return run, left, nil
}

// beginRun makes a run of what is wanted, or takes up one that was interrupted. One that its holder has
// already was begun by a commit that went through unreported.
func beginRun(ctx context.Context, tx *transaction, want ReindexRun, now time.Time) (ReindexRun, error) {
	// Its own row first: of two that begin together, one waits for the other's here or is made to repeat.
	res, err := tx.ExecContext(ctx, `INSERT INTO reindex_runs (selection, source, state, started_by, holder, started_at, seen_at) VALUES (?, ?, ?, ?, ?, ?, ?)`,
		jsonList[string]{&want.Selection}, want.Source, ReindexRunning, want.By, want.Holder, millis(now), millis(now))
	if err != nil {
		return want, err
	}
	id, err := res.LastInsertId()
	if err != nil {
		return want, err
	}
	others, err := unfinished(ctx, tx, want, id, now)
	if err != nil {
		return want, err
	}
	for _, run := range others {
		if run.Holder == want.Holder {
			return resume(ctx, tx, run, id, want.Holder, now)
		}
		if run.State == ReindexRunning {
			return run, going(run)
		}
	}
	if len(others) > 0 && now.Sub(others[0].Seen) <= maxReindexPause { // the others are older still
		return resume(ctx, tx, others[0], id, want.Holder, now)
	}
	return scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM reindex_runs WHERE id = ?`, id).Scan)
}

// unfinished returns the runs of the same beside run id that are going on or interrupted, newest first, and
// ends those that ended without saying so.
func unfinished(ctx context.Context, tx *transaction, want ReindexRun, id int64, now time.Time) (left []ReindexRun, err error) {
	runs, err := collect(ctx, tx, scanRun, `SELECT `+runColumns+` FROM reindex_runs
		WHERE selection = ? AND source = ? AND state IN (?, ?) AND id <> ? ORDER BY id DESC`+tx.forUpdate,
		jsonList[string]{&want.Selection}, want.Source, ReindexRunning, ReindexInterrupted, id)
	if err != nil {
		return nil, err
	}
	for _, run := range runs {
		if err := run.assess(ctx, tx, now); err != nil {
			return nil, err
		}
		if run.State == ReindexRunning || run.State == ReindexInterrupted {
			left = append(left, run)
			continue
		}
		_, err := tx.ExecContext(ctx, `UPDATE reindex_runs SET state = ?, finished_at = ? WHERE id = ?`, run.State, millis(*run.Finished), run.ID)
		if err != nil {
			return nil, err
		}
	}
	return left, nil
}

// going says who is at a run, and what can be done about it.
func going(run ReindexRun) error {
	by := run.By
	if by == "" {
		by = "somebody"
	}
	return fmt.Errorf("%w: run %d, started by %s at %s; wait for it, or end it with repomill reindex cancel %d; if its process was killed, the same command continues it after %s",
		ErrReindexing, run.ID, by, run.Started.Format(time.RFC3339), run.ID, run.Seen.Add(ReindexSilence).Format(time.RFC3339))
}

// resume takes a run up, in the place of a new one.
func resume(ctx context.Context, tx *transaction, run ReindexRun, instead int64, holder string, now time.Time) (ReindexRun, error) {
	if _, err := tx.ExecContext(ctx, `DELETE FROM reindex_runs WHERE id = ?`, instead); err != nil {
		return run, err
	}
	run.State, run.Holder, run.Seen = ReindexRunning, holder, instant(millis(now))
	_, err := tx.ExecContext(ctx, `UPDATE reindex_runs SET state = ?, holder = ?, seen_at = ? WHERE id = ?`, run.State, run.Holder, millis(run.Seen), run.ID)
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
