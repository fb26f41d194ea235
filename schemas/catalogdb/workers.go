package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"time"
)

// workerMemory is how long it is remembered when a worker was last seen.
const workerMemory = 30 * 24 * time.Hour

// A Sighting is when workers were last at work.
type Sighting struct {
	Seen time.Time // any of them; zero if none was for a month
	Live time.Time // one that has not ended in good order; zero if there is none
}

// A Worker is a process that carries uploads or publishes, as it says of itself.
type Worker struct {
	Name string
	Keys []string // fingerprints of the keys that it can sign with
}

// SeeWorker notes that a worker is at work, or has ended in good order. now is the time of the catalog's clock.
func (d *DB) SeeWorker(ctx context.Context, w Worker, ended bool, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO workers (name, seen_at, ended, held_keys) VALUES (?, ?, ?, ?)`,
			w.Name, millis(now), ended, strings.Join(w.Keys, "+"))
		if err == nil {
			_, err = tx.ExecContext(ctx, `DELETE FROM workers WHERE seen_at < ?`, millis(now.Add(-workerMemory)))
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("note that a worker runs: %w", err)
	}
	return nil
}

// Workers returns when workers were last at work.
func (d *DB) Workers(ctx context.Context) (s Sighting, err error) {
	var seen, live sql.NullInt64
	err = d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT MAX(seen_at), MAX(CASE WHEN ended = 0 THEN seen_at END) FROM workers`).Scan(&seen, &live)
	})
	if err != nil {
		return s, fmt.Errorf("read which workers run: %w", err)
	}
	if seen.Valid {
		s.Seen = instant(seen.Int64)
	}
	if live.Valid {
		s.Live = instant(live.Int64)
	}
	return s, nil
}

// HeldKeys returns the fingerprints of all keys with which workers can sign that were seen since a time.
func (d *DB) HeldKeys(ctx context.Context, since time.Time) (map[string]bool, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (keys string, err error) { return keys, scan(&keys) },
		`SELECT held_keys FROM workers WHERE seen_at >= ?`, millis(since))
	if err != nil {
		return nil, fmt.Errorf("read which keys workers have: %w", err)
	}
	held := map[string]bool{}
	for _, keys := range all {
		for _, k := range strings.Split(keys, "+") {
			held[k] = true
		}
	}
	delete(held, "")
	return held, nil
}
