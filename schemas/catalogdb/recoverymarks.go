package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A RecoveryState says how many of the published rows of a release the catalog has again ([DB.Recover]).
type RecoveryState struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// String returns "DONE of TOTAL rows".
func (s RecoveryState) String() string { return fmt.Sprintf("%d of %d rows", s.Done, s.Total) }

// otherRecoveries is the architecture of another release of the distribution of a release r whose recovery has changed packages that r may
// show, and is not at its end; empty for none.
const otherRecoveries = `COALESCE((SELECT MIN(o.arch) FROM recoveries c JOIN releases o ON o.id = c.release_id AND o.retired = 0
	WHERE o.distribution_id = r.distribution_id AND o.id <> r.id AND c.shared <> 0), '')`

// A recoveryMark is how far the rows of a release are imported.
type recoveryMark struct {
	published   catalog.Revision
	done, total int    // rows
	sum         string // digest of the first done rows; empty for no mark
	counts      Recovered
	shared      bool // other releases of the distribution show changed rows
	began       time.Time
}

func (m *recoveryMark) add(c Recovered) {
	m.counts.Inserted += c.Inserted
	m.counts.Replaced += c.Replaced
	m.counts.Yanked += c.Yanked
}

// recoveryMark reads the mark of a release; none if it does not exist.
func (d *DB) recoveryMark(ctx context.Context, r catalog.Release) (m recoveryMark, err error) {
	err = d.ask(ctx, func(q querier) error {
		id, err := releaseID(ctx, q, r)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		if err == nil {
			m, err = readMark(ctx, q, id)
		}
		return err
	})
	return m, err
}

func readMark(ctx context.Context, q querier, release int64) (m recoveryMark, err error) {
	err = q.QueryRowContext(ctx, `SELECT revision, nonce, done, total, sum, inserted, replaced, yanked, shared, began_at FROM recoveries WHERE release_id = ?`, release).
		Scan(&m.published.Number, &m.published.Nonce, &m.done, &m.total, &m.sum, &m.counts.Inserted, &m.counts.Replaced, &m.counts.Yanked, &m.shared, (*scanTime)(&m.began))
	if errors.Is(err, sql.ErrNoRows) {
		return recoveryMark{}, nil
	}
	return m, err
}

func (m recoveryMark) write(ctx context.Context, tx *transaction, release int64) error {
	_, err := tx.ExecContext(ctx, `REPLACE INTO recoveries (release_id, revision, nonce, done, total, sum, inserted, replaced, yanked, shared, began_at)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, release, m.published.Number, m.published.Nonce, m.done, m.total, m.sum,
		m.counts.Inserted, m.counts.Replaced, m.counts.Yanked, m.shared, millis(m.began))
	return err
}

// deleteMark deletes the mark of a release, if it has one.
func deleteMark(ctx context.Context, tx *transaction, release int64) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM recoveries WHERE release_id = ?`, release)
	return err
}

// AbandonRecovery ends the recovery of a release before its end: its pointer is one that this catalog knows, since the bucket was restored
// from a copy. Rows that were imported stay, and are published with the next revision of the release, and of the other releases of the
// distribution that show some of them.
func (d *DB) AbandonRecovery(ctx context.Context, r catalog.Release, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		releases, err := tx.lockedReleases(ctx, r.Repository, r.Distribution)
		if err != nil {
			return err
		}
		at := slices.IndexFunc(releases, func(row releaseRow) bool { return row.arch == r.Arch })
		if at < 0 {
			return ErrNotFound
		}
		mark, err := readMark(ctx, tx, releases[at].id)
		if err != nil || mark.sum == "" { // an earlier try, or another process, did
			return err
		}
		for _, row := range releases {
			if row.arch != r.Arch && (!mark.shared || row.arch == layout.SRPMS) {
				continue
			}
			if _, err = issueNext(ctx, tx, row.id, now); err == nil {
				err = raiseGeneration(ctx, tx, row.id)
			}
			if err != nil {
				return err
			}
		}
		return deleteMark(ctx, tx, releases[at].id)
	})
	if err != nil {
		return fmt.Errorf("abandon the recovery of %s: %w", r, err)
	}
	return nil
}
