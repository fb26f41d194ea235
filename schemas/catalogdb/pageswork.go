package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// ErrPagesLost is returned for work on pages whose lease ended, and which another process has taken since.
var ErrPagesLost = errors.New("another process has taken the pages since: nothing is recorded of this attempt")

// frontDue is the condition of repositories whose front page is due; its argument is the time.
const frontDue = `s.front_asked <> s.front_done AND s.front_not_before <= ?`

// PagesBehind returns up to limit repositories with pages to be made that no process makes now, those first whose clients have seen a
// change the longest. Pages that could not be made wait for their next attempt.
//
// It is one query, which looks at one request or two of each repository.
func (d *DB) PagesBehind(ctx context.Context, limit int, now time.Time) ([]catalog.Repository, error) {
	const oldest = `(SELECT q.at FROM page_requests q WHERE q.repository_id = s.repository_id AND q.whole = ? AND q.not_before <= ? ORDER BY q.at, q.id LIMIT 1)`
	at := millis(now)
	all, err := list(ctx, d, func(scan func(...any) error) (r catalog.Repository, err error) {
		return r, scan(&r.Owner, &r.Name)
	}, `SELECT b.owner, b.name FROM (
			SELECT p.owner, p.name, `+oldest+` AS changed, `+oldest+` AS waiting, CASE WHEN `+frontDue+` THEN s.front_since END AS front
			FROM page_states s JOIN repositories p ON p.id = s.repository_id WHERE s.lease_until <= ?
		) b WHERE b.changed IS NOT NULL OR b.waiting IS NOT NULL OR b.front IS NOT NULL
		ORDER BY b.changed IS NULL, COALESCE(b.changed, b.front, b.waiting), b.owner, b.name LIMIT ?`, false, at, true, at, at, at, limit)
	if err != nil {
		return nil, fmt.Errorf("list repositories whose pages are behind: %w", err)
	}
	return all, nil
}

// TakePages acquires a lease on the pages of a repository, and takes up to limit requests: changes before pages that were asked
// for with all others, and of each the oldest first. It reports false if there is nothing to do, or if another process has the lease. The
// error wraps [ErrNotFound] for an unknown repository.
func (d *DB) TakePages(ctx context.Context, r catalog.Repository, l Lease, limit int, now time.Time) (w PageWork, taken bool, err error) {
	token := random()
	err = d.tx(ctx, func(tx *transaction) error {
		w, taken = PageWork{Repository: r, Token: token}, false
		id, err := repositoryID(ctx, tx, r)
		if err != nil {
			return err
		}
		var held string
		var until, asked int64
		err = tx.QueryRowContext(ctx, `SELECT s.lease_token, s.lease_until, s.front_asked, `+frontDue+` FROM page_states s WHERE s.repository_id = ?`+tx.forUpdate, millis(now), id).
			Scan(&held, &until, &asked, &w.Front)
		if errors.Is(err, sql.ErrNoRows) {
			return nil // nothing was queued yet
		}
		if err != nil || until > millis(now) && held != token { // token: by an earlier try
			return err
		}
		if w.Requests, err = nextPageRequests(ctx, tx, id, limit, now); err != nil {
			return err
		}
		if taken = w.Front || len(w.Requests) > 0; !taken {
			return nil
		}
		if err := tx.markTaken(ctx, w); err != nil {
			return err
		}
		front := `front_taken`
		if w.Front {
			front = `front_asked`
		}
		_, err = tx.ExecContext(ctx, `UPDATE page_states SET lease_owner = ?, lease_token = ?, lease_until = ?, front_taken = `+front+` WHERE repository_id = ?`,
			cut(l.Owner, maxUser), token, millis(now.Add(l.For)), id)
		return err
	})
	if err != nil {
		return PageWork{}, false, fmt.Errorf("take pages of %s: %w", r, err)
	}
	return w, taken, nil
}

// nextPageRequests returns the requests that are due, oldest first.
func nextPageRequests(ctx context.Context, q querier, repository int64, limit int, now time.Time) (all []PageRequest, err error) {
	for _, whole := range []bool{false, true} {
		some, err := collect(ctx, q, func(scan func(...any) error) (r PageRequest, err error) {
			return r, scan(&r.ID, &r.Name, &r.Version, (*scanTime)(&r.At), &r.Attempts, &r.Alone, &r.New)
		}, `SELECT id, name, version, at, attempts, alone, NOT EXISTS (SELECT 1 FROM page_names n WHERE n.repository_id = page_requests.repository_id AND n.name = page_requests.name)
			FROM page_requests WHERE repository_id = ? AND whole = ? AND not_before <= ?
			ORDER BY at, id LIMIT ?`, repository, whole, millis(now), limit-len(all))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	slices.SortStableFunc(all, func(a, b PageRequest) int { return a.At.Compare(b.At) })
	return all, nil
}

// markTaken marks the requests of w as taken. What is asked for from now on is to be made once more.
func (tx *transaction) markTaken(ctx context.Context, w PageWork) error {
	for some := range slices.Chunk(w.Requests, maxPerStatement) {
		where, ids := in("id", requestIDs(some))
		if _, err := tx.ExecContext(ctx, `UPDATE page_requests SET taken = ?, again = NULL WHERE `+where, append([]any{w.Token}, ids...)...); err != nil {
			return err
		}
	}
	return nil
}

func requestIDs(requests []PageRequest) []int64 {
	ids := make([]int64, len(requests))
	for i, r := range requests {
		ids[i] = r.ID
	}
	slices.Sort(ids)
	return ids
}

// RenewPages extends the lease on pages. It reports false if the lease has ended, and another process has taken them or w was
// ended or returned.
func (d *DB) RenewPages(ctx context.Context, w PageWork, l Lease, now time.Time) (kept bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		id, err := repositoryID(ctx, tx, w.Repository)
		if err == nil {
			kept, err = tx.moved(ctx, `UPDATE page_states SET lease_until = ? WHERE repository_id = ? AND lease_token = ? AND lease_until > 0`,
				millis(now.Add(l.For)), id, w.Token)
		}
		return err
	})
	if err != nil {
		return false, fmt.Errorf("keep pages of %s: %w", w.Repository, err)
	}
	return kept, nil
}

// ReturnPages ends the lease of w, of which nothing was done. If another process has taken the pages, nothing changes.
func (d *DB) ReturnPages(ctx context.Context, w PageWork) error {
	err := d.tx(ctx, func(tx *transaction) error {
		id, err := repositoryID(ctx, tx, w.Repository)
		if err == nil {
			_, err = tx.ExecContext(ctx, `UPDATE page_states SET lease_until = 0 WHERE repository_id = ? AND lease_token = ?`, id, w.Token)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("give back pages of %s: %w", w.Repository, err)
	}
	return nil
}
