package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// A ReindexState says how a run of a reindex stands.
type ReindexState string

// The states of a run. One that is interrupted can be continued; the last three are final.
const (
	ReindexRunning     ReindexState = "running"
	ReindexInterrupted ReindexState = "interrupted"
	ReindexCancelled   ReindexState = "cancelled"
	ReindexDone        ReindexState = "done"
	ReindexFailed      ReindexState = "failed" // for one release at least
)

// A ReindexOutcome says what a reindex of one release came to.
type ReindexOutcome string

// The outcomes of a release in a run.
const (
	OutcomeWaiting   ReindexOutcome = "waiting" // none yet
	OutcomeIdentical ReindexOutcome = "identical"
	OutcomePublished ReindexOutcome = "published"
	OutcomeFailed    ReindexOutcome = "failed"
)

// A ReindexRun is what somebody asked to have reindexed, and how far that is.
type ReindexRun struct {
	ID        int64        `json:"run"`
	Selection []string     `json:"selection"` // targets, sorted; none for everything
	Source    string       `json:"source"`    // of the rows, and how indexes are made of them; at most 16 bytes
	State     ReindexState `json:"state"`
	By        string       `json:"by"` // whom the command ran as
	Started   time.Time    `json:"started"`
	Holder    string       `json:"-"`    // names who runs it: the fence of a process that somebody else has replaced
	Seen      time.Time    `json:"seen"` // when its process was last at work
	Finished  *time.Time   `json:"finished,omitempty"`
	Counts    OutcomeCount `json:"releases"`
}

// An OutcomeCount counts the releases of a run by outcome.
type OutcomeCount struct {
	Waiting   int `json:"waiting"`
	Identical int `json:"identical"`
	Published int `json:"published"`
	Failed    int `json:"failed"`
}

// ReindexSilence is how long the process of a run may be silent before it is taken for dead.
const ReindexSilence = time.Minute

const runColumns = `id, selection, source, state, started_by, holder, started_at, seen_at, finished_at`

func scanRun(scan func(...any) error) (run ReindexRun, err error) {
	var finished sql.NullInt64
	err = scan(&run.ID, jsonList[string]{&run.Selection}, &run.Source, &run.State, &run.By, &run.Holder,
		(*scanTime)(&run.Started), (*scanTime)(&run.Seen), &finished)
	run.Finished = optional(finished)
	return run, err
}

// assess counts the outcomes of a run, and makes its state what it is although no process says so: one whose
// process is silent was interrupted; and one that was interrupted when no release was waiting any more is over.
func (run *ReindexRun) assess(ctx context.Context, q querier, now time.Time) (err error) {
	if run.Counts, err = countOutcomes(ctx, q, run.ID); err != nil {
		return err
	}
	if run.State == ReindexRunning && now.Sub(run.Seen) > ReindexSilence {
		run.State = ReindexInterrupted
	}
	if run.State == ReindexInterrupted && run.Counts.Waiting == 0 {
		last := run.Seen
		run.State, run.Finished = ReindexDone, &last
		if run.Counts.Failed > 0 {
			run.State = ReindexFailed
		}
	}
	return nil
}

// ReindexRuns returns the newest runs, newest first. One whose process is silent is interrupted, or is over if
// no release was waiting any more.
func (d *DB) ReindexRuns(ctx context.Context, limit int, now time.Time) (runs []ReindexRun, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		if runs, err = collect(ctx, q, scanRun, `SELECT `+runColumns+` FROM reindex_runs ORDER BY id DESC LIMIT ?`, limit); err != nil {
			return err
		}
		for i := range runs {
			if err := runs[i].assess(ctx, q, now); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list reindex runs: %w", err)
	}
	return runs, nil
}

func countOutcomes(ctx context.Context, q querier, run int64) (c OutcomeCount, err error) {
	for outcome, n := range map[ReindexOutcome]*int{
		OutcomeWaiting: &c.Waiting, OutcomeIdentical: &c.Identical, OutcomePublished: &c.Published, OutcomeFailed: &c.Failed,
	} {
		err := q.QueryRowContext(ctx, `SELECT COUNT(*) FROM reindex_releases WHERE run_id = ? AND state = ?`, run, outcome).Scan(n)
		if err != nil {
			return c, err
		}
	}
	return c, nil
}

// TouchReindex records that the process of a run is at work, and returns the run as it is now. If that is
// not running, it was cancelled, or somebody else has continued it: then the process has to stop.
func (d *DB) TouchReindex(ctx context.Context, run ReindexRun, now time.Time) (is ReindexRun, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		if is, err = lockRun(ctx, tx, run.ID); err != nil || is.State != ReindexRunning {
			return err
		}
		if is.Holder != run.Holder {
			is.State = ReindexInterrupted
			return nil
		}
		is.Seen = instant(millis(now))
		_, err = tx.ExecContext(ctx, `UPDATE reindex_runs SET seen_at = ? WHERE id = ?`, millis(now), run.ID)
		return err
	})
	if err != nil {
		return run, fmt.Errorf("keep reindex run %d: %w", run.ID, err)
	}
	return is, nil
}

// lockRun reads a run, which stays as it is until the transaction ends.
func lockRun(ctx context.Context, tx *transaction, id int64) (ReindexRun, error) {
	run, err := scanRun(tx.QueryRowContext(ctx, `SELECT `+runColumns+` FROM reindex_runs WHERE id = ?`+tx.forUpdate, id).Scan)
	return run, notFound(err)
}

// RecordReindexed records what became of a release in a run. detail is for people.
func (d *DB) RecordReindexed(ctx context.Context, run int64, r catalog.Release, outcome ReindexOutcome, detail string, now time.Time) error {
	err := d.exec(ctx, `UPDATE reindex_releases SET state = ?, detail = ?, finished_at = ? WHERE run_id = ? AND release_name = ?`,
		outcome, cut(detail, maxOutcomeDetail), millis(now), run, r.String())
	if err != nil {
		return fmt.Errorf("record %s in reindex run %d: %w", r, run, err)
	}
	return nil
}

// maxOutcomeDetail bounds the text of an outcome, in bytes.
const maxOutcomeDetail = 4 << 10

// FinishReindex ends a run, or leaves it interrupted, and returns it as it is then. One that was cancelled, or
// that somebody else has continued, stays as it is. A repeat changes nothing.
func (d *DB) FinishReindex(ctx context.Context, run ReindexRun, state ReindexState, now time.Time) (is ReindexRun, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		if is, err = lockRun(ctx, tx, run.ID); err != nil || is.State != ReindexRunning || is.Holder != run.Holder {
			return err
		}
		is.State = state
		_, err = tx.ExecContext(ctx, `UPDATE reindex_runs SET state = ?, finished_at = ? WHERE id = ?`, state, finishedAt(state, now), run.ID)
		return err
	})
	if err != nil {
		return run, fmt.Errorf("end reindex run %d: %w", run.ID, err)
	}
	return is, nil
}

func finishedAt(state ReindexState, now time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: millis(now), Valid: state != ReindexInterrupted && state != ReindexRunning}
}

// CancelReindex ends a run that is not over: its process stops when it looks, after what it has in hand.
// It returns the run as it was before. Of one that is over, nothing changes; for a run that never was, the
// error wraps [ErrNotFound].
func (d *DB) CancelReindex(ctx context.Context, id int64, now time.Time) (was ReindexRun, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		if was, err = lockRun(ctx, tx, id); err != nil {
			return err
		}
		if err := was.assess(ctx, tx, now); err != nil {
			return err
		}
		if was.State != ReindexRunning && was.State != ReindexInterrupted {
			return nil
		}
		_, err = tx.ExecContext(ctx, `UPDATE reindex_runs SET state = ?, finished_at = ? WHERE id = ?`, ReindexCancelled, millis(now), id)
		return err
	})
	if err != nil {
		return ReindexRun{}, fmt.Errorf("cancel reindex run %d: %w", id, err)
	}
	return was, nil
}

// A ReindexedRelease is a release of a run.
type ReindexedRelease struct {
	Release  string         `json:"release"`
	Outcome  ReindexOutcome `json:"outcome"`
	Detail   string         `json:"detail,omitempty"` // for people
	Finished *time.Time     `json:"finished,omitempty"`
}

// ReindexReleases returns the releases of a run, in order.
func (d *DB) ReindexReleases(ctx context.Context, run int64) ([]ReindexedRelease, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (r ReindexedRelease, err error) {
		var finished sql.NullInt64
		err = scan(&r.Release, &r.Outcome, &r.Detail, &finished)
		r.Finished = optional(finished)
		return r, err
	}, `SELECT release_name, state, detail, finished_at FROM reindex_releases WHERE run_id = ? ORDER BY release_name`, run)
	if err == nil && len(all) == 0 {
		err = d.ask(ctx, func(q querier) error {
			_, err := scanID(q.QueryRowContext(ctx, `SELECT id FROM reindex_runs WHERE id = ?`, run).Scan)
			return notFound(err)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("reindex run %d: %w", run, err)
	}
	return all, nil
}
