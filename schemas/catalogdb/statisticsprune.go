package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"time"
)

// PruneStatistics bounds what statistics take: counts of months that ended before a time are summed up by month, without the
// versions of clients, and marks of log files that no run has found since then are removed. It may be repeated.
func (d *DB) PruneStatistics(ctx context.Context, before time.Time) error {
	for _, t := range countTables {
		for {
			more, err := d.pruneMonth(ctx, t, before)
			if err != nil {
				return fmt.Errorf("sum up %s by month: %w", t.name, err)
			}
			if !more {
				break
			}
		}
	}
	for _, query := range []string{`DELETE FROM log_files WHERE seen_at < ?`, `DELETE FROM log_batches WHERE counted_at < ?`} {
		if err := d.exec(ctx, query, millis(before)); err != nil {
			return fmt.Errorf("remove old marks of logs: %w", err)
		}
	}
	return nil
}

// pruneMonth sums up the oldest month that ended before a time, and reports whether there was one.
func (d *DB) pruneMonth(ctx context.Context, t countTable, before time.Time) (more bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		more = false
		var oldest sql.NullInt64
		if err := tx.QueryRowContext(ctx, `SELECT MIN(day) FROM `+t.name+` WHERE months = ?`, daily).Scan(&oldest); err != nil || !oldest.Valid {
			return err
		}
		at := time.Unix(oldest.Int64*24*60*60, 0).UTC()
		first := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
		next := first.AddDate(0, 1, 0)
		if next.After(before) {
			return nil
		}
		more = true
		days := []any{daily, DayOf(first), DayOf(next)}
		const where = ` WHERE months = ? AND day >= ? AND day < ?`
		if _, err := tx.ExecContext(ctx, `INSERT INTO `+t.name+` (`+t.key+`, `+t.sum+`) SELECT `+t.month+`, s FROM (
				SELECT `+t.coarse+`, SUM(`+t.sum+`) AS s FROM `+t.name+where+` GROUP BY `+t.coarse+`) m WHERE 1 = 1`+d.adding(t),
			append([]any{monthly, DayOf(first)}, days...)...); err != nil {
			return err
		}
		_, err := tx.ExecContext(ctx, `DELETE FROM `+t.name+where, days...)
		return err
	})
	return more, err
}

// DayOf returns the day of a time as counts have it.
func DayOf(t time.Time) int64 { return t.Unix() / (24 * 60 * 60) }
