package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// LogRun returns the sum of the batches of a run, whose names begin with its own and a slash, and how many files they have.
func (d *DB) LogRun(ctx context.Context, run string) (sum catalog.LogLines, files int, err error) {
	first, last := run+"/", run+"0" // the byte behind the slash
	rows, err := list(ctx, d, scanResult, `SELECT result FROM log_batches WHERE name >= ? AND name < ?`, first, last)
	if err != nil {
		return sum, 0, fmt.Errorf("result of %s: %w", run, err)
	}
	for _, l := range rows {
		sum.Add(l)
	}
	n, err := list(ctx, d, scanID, `SELECT COUNT(*) FROM log_files f JOIN log_batches b ON b.id = f.batch_id WHERE b.name >= ? AND b.name < ?`, first, last)
	if err != nil {
		return sum, 0, fmt.Errorf("files of %s: %w", run, err)
	}
	return sum, int(n[0]), nil
}

// LogMarks returns the marks of files, given by source and identity; one that was never counted has none.
func (d *DB) LogMarks(ctx context.Context, files []catalog.LogFile) (map[catalog.LogFile]catalog.LogFile, error) {
	marks := map[catalog.LogFile]catalog.LogFile{}
	bySource := map[string][]string{}
	var sources []string
	for _, f := range files {
		if bySource[f.Source] == nil {
			sources = append(sources, f.Source)
		}
		bySource[f.Source] = append(bySource[f.Source], f.Identity)
	}
	for some := range slices.Chunk(sources, maxPerStatement) {
		where, args := in("source", padded(some))
		_, err := list(ctx, d, func(scan func(...any) error) (f catalog.LogFile, err error) {
			if err = scan(&f.Source, &f.Identity, &f.State, &f.Counted); err == nil && slices.Contains(bySource[f.Source], f.Identity) {
				marks[catalog.LogFile{Source: f.Source, Identity: f.Identity}] = f
			}
			return f, err
		}, `SELECT source, identity, state, counted FROM log_files WHERE `+where, args...)
		if err != nil {
			return nil, fmt.Errorf("marks of logs: %w", err)
		}
	}
	return marks, nil
}

// LogFilesSeen records that a run has found files that were counted before. Marks of files that no run finds are removed in the end.
func (d *DB) LogFilesSeen(ctx context.Context, files []catalog.LogFile, now time.Time) error {
	for some := range slices.Chunk(files, maxPerStatement) {
		err := d.tx(ctx, func(tx *transaction) error {
			for _, f := range some {
				if _, err := tx.ExecContext(ctx, `UPDATE log_files SET seen_at = ? WHERE source = ? AND identity = ? AND seen_at < ?`,
					millis(now), f.Source, f.Identity, millis(now.Add(-seenPeriod))); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("marks of logs: %w", err)
		}
	}
	return nil
}

// seenPeriod is how old the time of a mark may be: most runs write none.
const seenPeriod = 7 * 24 * time.Hour
