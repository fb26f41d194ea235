package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A RecoveryState says how many of the published rows of a release the catalog has again ([DB.Recover]).
type RecoveryState struct {
	Done  int64 `json:"done"`
	Total int64 `json:"total"`
}

// String returns "DONE of TOTAL rows", or that it has not begun.
func (s RecoveryState) String() string {
	if s.Total == 0 {
		return "not begun"
	}
	return fmt.Sprintf("%d of %d rows", s.Done, s.Total)
}

// A RecoveringError says that the catalog does not have all packages of a release again: what asks for those that patterns, rules or a point
// select would get a part of them. Nothing is changed. The same command succeeds when the recovery is at its end.
type RecoveringError struct {
	Release catalog.Release
	RecoveryState
	Fault  string // why its last try failed; empty if none did
	Absent string // the exact pattern that selects nothing by now; empty for another reason
}

func (e *RecoveringError) Error() string {
	why := ", and a part of them would be selected"
	if e.Absent != "" {
		why = ", and " + e.Absent + " is not among those that are back"
	}
	return e.State() + why + ": nothing is changed; " + e.Way()
}

// State says in what state the recovery is.
func (e *RecoveringError) State() string {
	fault := ""
	if e.Fault != "" {
		fault = "; the last try failed: " + e.Fault
	}
	return fmt.Sprintf("the packages of %s are being recovered from its published indexes (%s%s)", e.Release, e.RecoveryState, fault)
}

// Way says when to try again.
func (e *RecoveringError) Way() string {
	if e.Fault != "" {
		return "mend that fault, and try again when repomill status says recovering of it no more"
	}
	return "try again when repomill status says recovering of it no more and, if it names a fault there, mend that first"
}

// checkWhole returns a [RecoveringError] if a release of some distributions is being recovered, or is to be.
func checkWhole(ctx context.Context, q querier, r catalog.Repository, targets []targetDistribution) error {
	all, err := recoveringIn(ctx, q, r, targets)
	if err == nil && len(all) > 0 {
		return all[0]
	}
	return err
}

// recoveringIn returns an error for each release of some distributions that is being recovered, or is to be.
func recoveringIn(ctx context.Context, q querier, r catalog.Repository, targets []targetDistribution) (all []*RecoveringError, err error) {
	for _, d := range targets {
		some, err := collect(ctx, q, func(scan func(...any) error) (*RecoveringError, error) {
			e := &RecoveringError{Release: catalog.Release{Repository: r, Distribution: d.distribution}}
			return e, scan(&e.Release.Arch, &e.Fault, &e.Done, &e.Total)
		}, `SELECT r.arch, r.fault, c.done, c.total FROM recoveries c JOIN releases r ON r.id = c.release_id AND r.retired = 0
			WHERE r.distribution_id = ? ORDER BY r.arch`, d.id)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// unheld returns those of some withdrawn packages that a recovery could bring back: no revision after those that are published here withdraws them.
func unheld(ctx context.Context, tx *transaction, packages []SelectedPackage) (all []SelectedPackage, err error) {
	for _, p := range packages {
		for _, r := range p.releases {
			n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM visibility WHERE release_id = ? AND package_id = ? AND went > ?`, r.id, p.id, r.published).Scan)
			if err != nil {
				return nil, err
			}
			if n == 0 {
				all = append(all, p)
				break
			}
		}
	}
	return all, nil
}

// holdWithdrawn has a recovery leave packages withdrawn that are withdrawn here with the next revisions of their releases, also those that were
// before: what is published may still show them. revisions are by release.
func holdWithdrawn(ctx context.Context, tx *transaction, packages []SelectedPackage, revisions map[int64]int64) error {
	of, releases := map[int64][]int64{}, map[int64]releaseRow{}
	for _, p := range packages {
		for _, r := range p.releases {
			of[r.id], releases[r.id] = append(of[r.id], p.id), r
		}
	}
	for _, id := range slices.Sorted(maps.Keys(of)) {
		r, revision := releases[id], revisions[id]
		for some := range slices.Chunk(of[id], selectChunk) {
			ids, args := in("k.id", some)
			// As [recovery.recordShown]: clients may see it, and it is not known since when.
			const unheld = ` AND k.state = ? AND NOT EXISTS (SELECT 1 FROM visibility v WHERE v.release_id = ? AND v.package_id = k.id AND (v.went > ? OR v.came = ?))`
			_, err := tx.ExecContext(ctx, `INSERT INTO visibility (release_id, package_id, came, went, came_at) SELECT ?, k.id, ?, ?, 0 FROM packages k WHERE `+ids+unheld,
				append(append([]any{id, r.published, revision}, args...), catalog.Yanked, id, r.published, r.published)...)
			if err != nil {
				return err
			}
			ids, args = in("package_id", some)
			_, err = tx.ExecContext(ctx, `UPDATE visibility SET went = ?, went_at = NULL, came_at = COALESCE(came_at, 0) WHERE release_id = ? AND came = ? AND went <= ? AND `+ids,
				append([]any{revision, id, r.published, r.published}, args...)...)
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// expected is the digest in the mark of a release whose settings were taken over from the bucket, and whose recovery has not begun.
const expected = "expected"

// expectRecovery marks the releases of a distribution that this catalog never published: most of them are published by another, and until a
// publisher has looked, it is not known that all packages are here.
func expectRecovery(ctx context.Context, tx *transaction, distribution int64, now time.Time) error {
	ids, err := collect(ctx, tx, scanID, `SELECT id FROM releases WHERE distribution_id = ? AND published_revision = 0 AND retired = 0
		AND id NOT IN (SELECT release_id FROM recoveries) ORDER BY id`, distribution)
	for _, id := range ids {
		if err == nil {
			err = recoveryMark{sum: expected, began: now}.write(ctx, tx, id)
		}
	}
	return err
}

// An OtherRecovery is a release of a distribution whose recovery has changed packages that others show, and is not at its end.
type OtherRecovery struct {
	Release catalog.Release
	Fault   string // why its last publish failed; empty if none did
	Lock    ReleaseLock
}

// Failed reports whether the recovery has failed, and is not being tried again at a time.
func (o OtherRecovery) Failed(now time.Time) bool {
	return o.Fault != "" && !o.Lock.HeldByOther("", now)
}

// readOtherRecovery returns a recovery that a snapshot shows a part of, or nil.
func readOtherRecovery(ctx context.Context, q querier, s *Snapshot) (*OtherRecovery, error) {
	o, id := &OtherRecovery{Release: s.Release}, int64(0)
	err := q.QueryRowContext(ctx, `SELECT o.id, o.arch, o.fault FROM recoveries c JOIN releases o ON o.id = c.release_id AND o.retired = 0
		WHERE o.distribution_id = ? AND o.id <> ? AND c.shared <> 0 ORDER BY o.arch LIMIT 1`, s.distribution, s.release).Scan(&id, &o.Release.Arch, &o.Fault)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err == nil {
		o.Lock, err = readLock(ctx, q, id)
	}
	return o, err
}

// lockMarked locks the releases of a distribution, and returns the one of r, the others, and how far the recovery of r is. The error is
// [ErrNotFound] if there is no such release.
func lockMarked(ctx context.Context, tx *transaction, r catalog.Release) (release releaseRow, others []releaseRow, mark recoveryMark, err error) {
	releases, err := tx.lockedReleases(ctx, r.Repository, r.Distribution)
	if err != nil {
		return release, nil, mark, err
	}
	at := slices.IndexFunc(releases, func(row releaseRow) bool { return row.arch == r.Arch })
	if at < 0 {
		return release, nil, mark, ErrNotFound
	}
	release = releases[at] // before it is deleted there
	mark, err = readMark(ctx, tx, release.id)
	return release, slices.Delete(releases, at, at+1), mark, err
}

// PassRecovery has the other releases of a distribution go on without a release whose recovery has failed: they show what it has changed by
// now with their next revision. What it changes when it goes on comes with a later one.
func (d *DB) PassRecovery(ctx context.Context, r catalog.Release, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		release, others, mark, err := lockMarked(ctx, tx, r)
		if err != nil || !mark.shared { // an earlier try, or another process, did
			return err
		}
		if err := advanceShown(ctx, tx, others, now); err != nil {
			return err
		}
		mark.shared = false
		return mark.write(ctx, tx, release.id)
	})
	if err != nil {
		return fmt.Errorf("go on without the recovery of %s: %w", r, err)
	}
	return nil
}

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
// from a copy, or it has none. Rows that were imported stay, and are published with the next revision of the release, and of the other releases of the
// distribution that show some of them.
func (d *DB) AbandonRecovery(ctx context.Context, r catalog.Release, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		release, others, mark, err := lockMarked(ctx, tx, r)
		if err != nil || mark.sum == "" { // an earlier try, or another process, did
			return err
		}
		if mark.sum == expected { // nothing was to be recovered: it was never published
			return deleteMark(ctx, tx, release.id)
		}
		if err = advance(ctx, tx, release, now); err == nil && mark.shared {
			err = advanceShown(ctx, tx, others, now)
		}
		if err != nil {
			return err
		}
		err = record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRecover, Target: r.String(),
			Detail: fmt.Sprintf("ended after %s of the indexes of revision %d, because a revision of this catalog is published: %d packages were missing, %d were replaced, %d withdrawn",
				RecoveryState{int64(mark.done), int64(mark.total)}, mark.published.Number, mark.counts.Inserted, mark.counts.Replaced, mark.counts.Yanked)})
		if err != nil {
			return err
		}
		return deleteMark(ctx, tx, release.id)
	})
	if err != nil {
		return fmt.Errorf("abandon the recovery of %s: %w", r, err)
	}
	return nil
}
