package catalogdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// workerMemory is how long the record of a worker is kept.
const workerMemory = 30 * 24 * time.Hour

// A Sighting is when workers were last at work.
type Sighting struct {
	Seen time.Time // any of them; zero if none was for a month
	Live time.Time // one that has not ended in good order; zero if there is none
}

// Unseen is how long after its last sign of life a worker is taken for running: two signs may get lost.
const Unseen = 30 * time.Second

// WorkerRuns reports whether a worker gave a sign of life within [Unseen] and has not ended, and when the last worker was
// seen; zero if none was. now is the time of the catalog's clock.
func (s Sighting) WorkerRuns(now time.Time) (runs bool, seen time.Time) {
	return !s.Live.IsZero() && now.Sub(s.Live) <= Unseen, s.Seen
}

// A Worker is a process that ingests uploads or publishes, as it describes itself.
type Worker struct {
	Name   string
	Keys   []string   // fingerprints of the keys that it can sign with
	Faults []KeyFault // why it has not others
	Seen   time.Time  // only from [DB.WorkersSince]
	Ended  bool       // in good order; likewise
}

// A KeyFault is why a worker cannot sign with a key that it was given, or could not after its next start.
type KeyFault struct {
	Key   string    `json:"key,omitempty"`   // fingerprint, if it is about one key
	Place string    `json:"place,omitempty"` // URL of the key, if it is about that
	Why   string    `json:"why"`
	Since time.Time `json:"since"`
}

// What is kept of faults: some of them, and the beginning of each sentence, in all what the column holds.
const (
	maxFaults = 6
	maxWhy    = 700
	maxColumn = 8000
)

// faultsColumn is faults as JSON.
func faultsColumn(faults []KeyFault) string {
	kept := make([]KeyFault, 0, maxFaults)
	for _, f := range faults[:min(len(faults), maxFaults)] {
		f.Why, f.Place = cut(f.Why, maxWhy), cut(f.Place, maxWhy/2)
		kept = append(kept, f)
	}
	for ; len(kept) > 0; kept = kept[:len(kept)-1] { // what has to be escaped takes more
		if text, err := json.Marshal(kept); err == nil && len(text) <= maxColumn {
			return string(text)
		}
	}
	return "[]"
}

// SeeWorker records a sign of life of a worker, or that it has ended in good order, and deletes the records of workers that
// gave none for a month. now is the time of the catalog's clock.
func (d *DB) SeeWorker(ctx context.Context, w Worker, ended bool, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		_, err := tx.ExecContext(ctx, `REPLACE INTO workers (name, seen_at, ended, held_keys, key_faults) VALUES (?, ?, ?, ?, ?)`,
			w.Name, millis(now), ended, strings.Join(w.Keys, "+"), faultsColumn(w.Faults))
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

// WorkersSince returns the workers that were seen since a time, in the order of their names, with the keys that they have.
func (d *DB) WorkersSince(ctx context.Context, since time.Time) ([]Worker, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (w Worker, err error) {
		var seen int64
		var keys string
		var faults []byte
		if err = scan(&w.Name, &seen, &w.Ended, &keys, &faults); err != nil {
			return w, err
		}
		w.Seen = instant(seen)
		if keys != "" {
			w.Keys = strings.Split(keys, "+")
		}
		return w, json.Unmarshal(faults, &w.Faults)
	}, `SELECT name, seen_at, ended, held_keys, key_faults FROM workers WHERE seen_at >= ? ORDER BY name`, millis(since))
	if err != nil {
		return nil, fmt.Errorf("read which keys workers have: %w", err)
	}
	return all, nil
}
