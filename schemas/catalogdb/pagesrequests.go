package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A pageAsk asks for the pages of a version, or of all versions of a name if version is empty.
type pageAsk struct {
	name, version string
	at            int64 // since when clients see what changed
	whole         bool  // asked for with all others: it can wait
	alone         bool  // no page but that of the version says what changed
}

// What an INSERT into page_requests does with a request that is there: it keeps the older time. If a process makes the pages
// now, they are to be made once more.
const (
	askAgainSQLite = ` ON CONFLICT (repository_id, name, version) DO UPDATE SET
		again = CASE WHEN taken = '' THEN NULL ELSE MIN(COALESCE(again, excluded.at), excluded.at) END,
		at = MIN(at, excluded.at), whole = MIN(whole, excluded.whole), alone = MIN(alone, excluded.alone), not_before = 0`
	askAgainMySQL = ` ON DUPLICATE KEY UPDATE
		again = CASE WHEN taken = '' THEN NULL ELSE LEAST(COALESCE(again, VALUES(at)), VALUES(at)) END,
		at = LEAST(at, VALUES(at)), whole = LEAST(whole, VALUES(whole)), alone = LEAST(alone, VALUES(alone)), not_before = 0`
	asksPerStatement = 200
)

// askPages requests pages of a repository.
func (tx *transaction) askPages(ctx context.Context, repository int64, asks ...pageAsk) error {
	slices.SortFunc(asks, func(a, b pageAsk) int { // one order for all, against deadlocks
		return cmp.Or(strings.Compare(a.name, b.name), strings.Compare(a.version, b.version), cmp.Compare(a.at, b.at))
	})
	asks = slices.CompactFunc(asks, func(a, b pageAsk) bool { return a.name == b.name && a.version == b.version })
	end := askAgainSQLite
	if tx.forUpdate != "" {
		end = askAgainMySQL
	}
	for some := range slices.Chunk(asks, asksPerStatement) {
		var args []any
		for _, a := range some {
			args = append(args, repository, a.name, a.version, a.at, a.whole, a.alone)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO page_requests (repository_id, name, version, at, whole, alone) VALUES (?, ?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?, ?)`, len(some)-1)+end, args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// askPagesOf requests the pages of the version of a row.
func (tx *transaction) askPagesOf(ctx context.Context, pkg int64, at time.Time) error {
	var repository int64
	a := pageAsk{at: millis(at)}
	err := tx.QueryRowContext(ctx, `SELECT d.repository_id, k.name, k.version FROM packages k JOIN distributions d ON d.id = k.distribution_id
		WHERE k.id = ?`, pkg).Scan(&repository, &a.name, &a.version)
	if err != nil {
		return err
	}
	return tx.askPages(ctx, repository, a)
}

// askFront asks for the front page of a repository to be made.
func (tx *transaction) askFront(ctx context.Context, repository int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE page_states SET `+frontAsked+` WHERE repository_id = ?`, millis(now), repository)
	return err
}

// askSnapshotPages asks for the front page of a repository that has got a snapshot, and what is made with it. With the first one all
// pages are wanted: those of versions link snapshots from then on.
func (tx *transaction) askSnapshotPages(ctx context.Context, repository int64, now time.Time) error {
	if err := tx.ensurePageState(ctx, repository); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, `UPDATE page_states SET wanted = wanted + 1, snapshots = 1 WHERE repository_id = ? AND snapshots = 0`, repository)
	if err != nil {
		return err
	}
	return tx.askFront(ctx, repository, now)
}

// frontAsked is what changes in a row of page_states; its argument is the time.
const frontAsked = `front_since = CASE WHEN front_asked = front_done THEN ? ELSE front_since END, front_asked = front_asked + 1, front_not_before = 0`

// ensurePageState makes the row of a repository exist in page_states.
func (tx *transaction) ensurePageState(ctx context.Context, repository int64) error {
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM page_states WHERE repository_id = ?`, repository).Scan)
	if err == nil && n == 0 {
		_, err = tx.ExecContext(ctx, `INSERT INTO page_states (repository_id, visibility, settings_revision, given_keys, key_list, renderer)
			VALUES (?, '', -1, '', -1, ?)`, repository, layout.PagesRenderer)
	}
	return err
}

// repositoryID returns the row of a repository, or [ErrNotFound].
func repositoryID(ctx context.Context, q querier, r catalog.Repository) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT id FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("repository %s: %w", r, ErrNotFound)
	}
	return id, err
}

// AskPages requests all pages of repositories, each in its own transaction. [DB.QueuePages] finds which those are. Contents that could not
// be read are wanted again. The audit log gets an entry for each repository. The error wraps [ErrNotFound] for an unknown one.
func (d *DB) AskPages(ctx context.Context, repositories []catalog.Repository, now time.Time) error {
	for _, r := range repositories {
		var number int64 // of the request
		err := d.tx(ctx, func(tx *transaction) error {
			id, err := repositoryID(ctx, tx, r)
			if err == nil {
				err = tx.ensurePageState(ctx, id)
			}
			var wanted int64
			if err == nil {
				err = tx.QueryRowContext(ctx, `SELECT wanted FROM page_states WHERE repository_id = ?`+tx.forUpdate, id).Scan(&wanted)
			}
			if err != nil || number > 0 && wanted >= number { // an earlier try went through
				return err
			}
			number = wanted + 1
			if _, err := tx.ExecContext(ctx, `UPDATE page_states SET wanted = ?, `+frontAsked+` WHERE repository_id = ?`, number, millis(now), id); err != nil {
				return err
			}
			if err := tx.wantFailedContents(ctx, id, now); err != nil {
				return err
			}
			return record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionReindex, Target: r.String(), Detail: "reindex --pages"})
		})
		if err != nil {
			return fmt.Errorf("ask for all pages of %s: %w", r, err)
		}
	}
	return nil
}
