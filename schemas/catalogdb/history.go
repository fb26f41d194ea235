package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// historyPage is how many rows one transaction of [DB.ForgetHistory] removes from a table. It is a variable for tests.
var historyPage = 1000

// Forgotten is how many rows of each sort [DB.ForgetHistory] has removed.
type Forgotten struct {
	Uploads, Trains, Publications, Pairs, Audit int64
}

// ForgetHistory removes the rows that say what happened before a time, and that nothing needs any more. These stay, however old:
//   - uploads without a final verdict, in staging, of an open release train, of a move that is under way, or whose releases are behind;
//   - the published revision of each release, the first one, those of snapshots, and the last one that was published before the time:
//     it is what clients saw then;
//   - the last pair of settings, and pairs of other catalogs whose revisions are not published over;
//   - entries of the audit log about keys, which say who vouched for them.
//
// Packages stay: a name and version must not come back with other bytes; and with each package, the times when clients saw it.
// Each transaction removes 1,000 rows at most. It may be repeated, and run by several processes at the same time.
func (d *DB) ForgetHistory(ctx context.Context, before time.Time) (f Forgotten, err error) {
	for _, step := range []struct {
		what   string
		count  *int64
		forget func(context.Context, time.Time) (int64, error)
	}{
		{"uploads", &f.Uploads, d.forgetUploads},
		{"release trains", &f.Trains, d.forgetTrains},
		{"published revisions", &f.Publications, d.forgetPublications},
		{"pairs", &f.Pairs, d.forgetPairs},
		{"entries of the audit log", &f.Audit, d.forgetAudit},
	} {
		if *step.count, err = step.forget(ctx, before); err != nil {
			return f, fmt.Errorf("remove old %s: %w", step.what, err)
		}
	}
	return f, nil
}

// An oldRow is a row in the order of its time.
type oldRow struct {
	id, at int64
	needed bool
}

// forgetOld removes the rows that page finds: up to historyPage of those that follow a row, in the order of their time. remove is called
// in a transaction, and returns how many rows it has removed.
func (d *DB) forgetOld(ctx context.Context, page func(q querier, last oldRow) ([]oldRow, error), remove func(tx *transaction, ids []int64) (int64, error)) (n int64, err error) {
	for last := (oldRow{}); ; {
		var rows []oldRow
		err := d.ask(ctx, func(q querier) error {
			rows, err = page(q, last)
			return err
		})
		if err != nil || len(rows) == 0 {
			return n, err
		}
		last = rows[len(rows)-1]
		var ids []int64
		for _, r := range rows {
			if !r.needed {
				ids = append(ids, r.id)
			}
		}
		if len(ids) == 0 {
			continue
		}
		var removed int64
		err = d.tx(ctx, func(tx *transaction) (err error) {
			removed, err = remove(tx, ids)
			return err
		})
		if err != nil {
			return n, err
		}
		n += removed
	}
}

func scanOldRow(scan func(...any) error) (r oldRow, err error) {
	return r, scan(&r.at, &r.id, &r.needed)
}

func (d *DB) forgetUploads(ctx context.Context, before time.Time) (int64, error) {
	return d.forgetOld(ctx, func(q querier, last oldRow) ([]oldRow, error) {
		return collect(ctx, q, scanOldRow, `SELECT u.received_at, u.id, CASE WHEN u.state IN (?, ?, ?) AND u.staged = ? AND u.verdict_written = 1 AND u.finished_at < ?
				AND NOT EXISTS (SELECT 1 FROM promotions m WHERE m.upload_id = u.id AND m.move = ?)
				AND NOT EXISTS (SELECT 1 FROM train_uploads x JOIN trains t ON t.id = x.train_id WHERE x.upload_id = u.id AND (t.ended_at IS NULL OR t.ended_at >= ?))
				AND NOT EXISTS (SELECT 1 FROM upload_releases w JOIN releases r ON r.id = w.release_id WHERE w.upload_id = u.id AND w.revision > r.published_revision)
				THEN 0 ELSE 1 END
			FROM uploads u WHERE u.received_at >= ? AND u.received_at < ? AND (u.received_at > ? OR u.id > ?) ORDER BY u.received_at, u.id LIMIT ?`,
			catalog.Published, catalog.Duplicate, catalog.Rejected, objectGone, millis(before), catalog.MoveWaiting, millis(before),
			last.at, millis(before), last.at, last.id, historyPage)
	}, func(tx *transaction, ids []int64) (int64, error) {
		where, args := in("upload_id", ids)
		for _, table := range []string{"upload_releases", "promotions", "train_uploads"} {
			if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE `+where, args...); err != nil {
				return 0, err
			}
		}
		where, args = in("id", ids)
		return affected(tx.ExecContext(ctx, `DELETE FROM uploads WHERE `+where, args...))
	})
}

// forgetTrains removes trains that ended before a time, and whose uploads are removed.
func (d *DB) forgetTrains(ctx context.Context, before time.Time) (int64, error) {
	return d.forgetAll(ctx, `DELETE FROM trains WHERE ended_at < ? AND NOT EXISTS (SELECT 1 FROM train_uploads x WHERE x.train_id = trains.id)`, millis(before))
}

func (d *DB) forgetPublications(ctx context.Context, before time.Time) (n int64, err error) {
	releases, err := list(ctx, d, scanID, `SELECT id FROM releases ORDER BY id`)
	for _, release := range releases {
		for more := true; more && err == nil; {
			var removed int64
			err = d.tx(ctx, func(tx *transaction) (err error) {
				removed, more, err = forgetRevisions(ctx, tx, release, before)
				return err
			})
			if err == nil {
				n += removed
			}
		}
	}
	return n, err
}

// forgetRevisions removes up to historyPage old revisions of a release, the oldest first, and reports whether there may be more.
func forgetRevisions(ctx context.Context, tx *transaction, release int64, before time.Time) (n int64, more bool, err error) {
	type publication struct {
		revision, drawn int64
		published       sql.NullInt64
	}
	all, err := collect(ctx, tx, func(scan func(...any) error) (p publication, err error) {
		return p, scan(&p.revision, &p.drawn, &p.published)
	}, `SELECT u.revision, u.drawn_at, u.published_at FROM publications u JOIN releases r ON r.id = u.release_id
		WHERE u.release_id = ? AND u.revision > 1 AND u.revision < r.published_revision
		AND NOT EXISTS (SELECT 1 FROM snapshot_releases s WHERE s.release_id = u.release_id AND s.revision = u.revision)
		ORDER BY u.revision LIMIT ?`, release, historyPage+1)
	if err != nil {
		return 0, false, err
	}
	last := 0 // all before it are removed
	for i, p := range all {
		if p.drawn >= millis(before) || p.published.Valid && p.published.Int64 >= millis(before) {
			break
		}
		if p.published.Valid {
			last = i
		}
	}
	if last == 0 {
		return 0, false, nil
	}
	revisions := make([]int64, last)
	for i, p := range all[:last] {
		revisions[i] = p.revision
	}
	where, args := in("revision", revisions)
	n, err = affected(tx.ExecContext(ctx, `DELETE FROM publications WHERE release_id = ? AND `+where, append([]any{release}, args...)...))
	return n, last == historyPage, err
}

// forgetPairs removes pairs of settings and of foreign pointers that later ones have replaced.
func (d *DB) forgetPairs(ctx context.Context, before time.Time) (n int64, err error) {
	for _, query := range []string{
		`DELETE FROM settings_pairs WHERE drawn_at < ? AND revision < (SELECT p.published_settings_revision FROM repositories p WHERE p.id = settings_pairs.repository_id)`,
		`DELETE FROM foreign_pairs WHERE adopted_at < ? AND revision < (SELECT r.published_revision FROM releases r WHERE r.id = foreign_pairs.release_id)`,
	} {
		removed, err := d.forgetAll(ctx, query, millis(before))
		if n += removed; err != nil {
			return n, err
		}
	}
	return n, nil
}

// affected returns how many rows a statement has changed.
func affected(res sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return res.RowsAffected()
}

func (d *DB) forgetAll(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = d.tx(ctx, func(tx *transaction) (err error) {
		n, err = affected(tx.ExecContext(ctx, query, args...))
		return err
	})
	return n, err
}

func (d *DB) forgetAudit(ctx context.Context, before time.Time) (int64, error) {
	return d.forgetOld(ctx, func(q querier, last oldRow) ([]oldRow, error) {
		return collect(ctx, q, scanOldRow, `SELECT at, id, CASE WHEN action = ? THEN 1 ELSE 0 END FROM audit
			WHERE at >= ? AND at < ? AND (at > ? OR id > ?) ORDER BY at, id LIMIT ?`, catalog.ActionKeys, last.at, millis(before), last.at, last.id, historyPage)
	}, func(tx *transaction, ids []int64) (int64, error) {
		where, args := in("id", ids)
		return affected(tx.ExecContext(ctx, `DELETE FROM audit WHERE `+where, args...))
	})
}
