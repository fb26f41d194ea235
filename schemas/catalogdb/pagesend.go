package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// The delays after attempts that failed: each is twice the one before.
const (
	firstPageDelay = 10 * time.Second
	maxPageDelay   = time.Hour
)

// pageDelay returns how long pages wait after an attempt, of which there were some before.
func pageDelay(before int) time.Duration {
	return min(firstPageDelay<<min(before, 20), maxPageDelay)
}

// maxPageFault is what the columns of faults hold, in bytes.
const maxPageFault = 2000

// EndPages ends the lease of w, and removes its requests but for those that failed: failed has what people are shown of each, by its ID, and by
// 0 that of the front page. Those wait for their next attempt, longer each time. A request that was made again since w was taken
// stays. A repeat changes nothing. The error wraps [ErrPagesLost] if another process has taken the pages: all of w is asked for once more then.
func (d *DB) EndPages(ctx context.Context, w PageWork, failed map[int64]string, now time.Time) error {
	lost := false
	err := d.tx(ctx, func(tx *transaction) error {
		lost = false
		id, err := repositoryID(ctx, tx, w.Repository)
		if err != nil {
			return err
		}
		s := pageLease{repository: id}
		err = tx.QueryRowContext(ctx, `SELECT lease_token, lease_until, front_attempts, failing, fault FROM page_states WHERE repository_id = ?`+tx.forUpdate, id).
			Scan(&s.token, &s.until, &s.attempts, &s.failing, &s.fault)
		switch {
		case err != nil:
			return err
		case s.token != w.Token:
			lost = true
			return tx.askOnceMore(ctx, id, w, now)
		case s.until == 0:
			return nil // ended, by a commit that went through unreported
		}
		return s.end(ctx, tx, w, failed, now)
	})
	if err == nil && lost {
		err = ErrPagesLost
	}
	if err != nil {
		return fmt.Errorf("end pages of %s: %w", w.Repository, err)
	}
	return nil
}

// askOnceMore asks for what a process has made too late. It replaced no page of newer rows; but it may have written one that those who had taken the pages
// since found as it should be, or not there: they left no trace that a swap meets.
func (tx *transaction) askOnceMore(ctx context.Context, repository int64, w PageWork, now time.Time) error {
	var asks []pageAsk
	front := w.Front
	for _, r := range w.Requests {
		asks = append(asks, pageAsk{name: r.Name, version: r.Version, at: millis(now), alone: r.Alone})
		front = front || !r.Alone
	}
	if err := tx.askPages(ctx, repository, asks...); err != nil || !front {
		return err
	}
	return tx.askFront(ctx, repository, now)
}

// A pageLease is what is stored of the lease on pages, and of attempts that failed.
type pageLease struct {
	repository int64
	token      string
	until      int64
	attempts   int // to make the front page
	failing    int // requests
	fault      string
}

func (s *pageLease) end(ctx context.Context, tx *transaction, w PageWork, failed map[int64]string, now time.Time) error {
	var done []PageRequest
	for _, r := range w.Requests {
		why, bad := failed[r.ID]
		switch {
		case bad && r.Attempts == 0:
			s.failing++
		case !bad && r.Attempts > 0:
			s.failing--
		}
		if !bad {
			done = append(done, r)
			continue
		}
		s.fault = why
		if err := s.delay(ctx, tx, r, why, now); err != nil {
			return err
		}
	}
	if err := s.remove(ctx, tx, done); err != nil {
		return err
	}
	front, args := ``, []any{}
	why, bad := failed[0]
	switch {
	case bad:
		s.fault = why
		if !w.Front { // it was made for its packages; now it is due for itself
			front, args = `, `+frontAsked, []any{millis(now)}
		}
		front, args = front+`, front_not_before = ?, front_attempts = ?`, append(args, millis(now.Add(pageDelay(s.attempts))), s.attempts+1)
	case w.Front: // if it was asked for since, then from now on
		front, args = `, front_done = front_taken, front_since = ?, front_attempts = 0`, []any{millis(now)}
		s.attempts = 0
	}
	if s.failing <= 0 && s.attempts == 0 && !bad {
		s.failing, s.fault = 0, ""
	}
	_, err := tx.ExecContext(ctx, `UPDATE page_states SET lease_owner = '', lease_until = 0, failing = ?, fault = ?`+front+` WHERE repository_id = ?`,
		append(append([]any{s.failing, cut(s.fault, maxPageFault)}, args...), s.repository)...)
	return err
}

// delay makes a request wait that failed. One that was made again since is due.
func (s *pageLease) delay(ctx context.Context, tx *transaction, r PageRequest, why string, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE page_requests SET attempts = ?, fault = ?, taken = '', not_before = CASE WHEN again IS NULL THEN ? ELSE 0 END, again = NULL
		WHERE id = ? AND taken = ?`, r.Attempts+1, cut(why, maxPageFault), millis(now.Add(pageDelay(r.Attempts))), r.ID, s.token)
	return err
}

// remove removes requests but for those that were made again: they are new ones.
func (s *pageLease) remove(ctx context.Context, tx *transaction, done []PageRequest) error {
	for some := range slices.Chunk(done, maxPerStatement) {
		where, args := in("id", requestIDs(some))
		args = append(args, s.token)
		if _, err := tx.ExecContext(ctx, `DELETE FROM page_requests WHERE `+where+` AND taken = ? AND again IS NULL`, args...); err != nil {
			return err
		}
		if _, err := tx.ExecContext(ctx, `UPDATE page_requests SET at = again, attempts = 0, fault = '', taken = '', again = NULL WHERE `+where+` AND taken = ? AND again IS NOT NULL`, args...); err != nil {
			return err
		}
	}
	return nil
}

// PageStates returns how far the pages of each repository are behind, in order of their names.
func (d *DB) PageStates(ctx context.Context) (all []PageState, err error) {
	all, err = list(ctx, d, func(scan func(...any) error) (s PageState, err error) {
		var requested, published, front *int64
		err = scan(&s.Repository.Owner, &s.Repository.Name, &s.Requests, &s.Whole, &s.Fault, &requested, &published, &front)
		for _, at := range []*int64{requested, published, front} {
			if at != nil && (s.Oldest == nil || *at < millis(*s.Oldest)) {
				t := instant(*at)
				s.Oldest = &t
			}
		}
		return s, err
	}, `SELECT p.owner, p.name, COALESCE(q.requests, 0), COALESCE(s.queued <> s.wanted, 0) <> 0 OR COALESCE(q.whole, 0) > 0, COALESCE(s.fault, ''), q.oldest, b.published_at,
			CASE WHEN s.front_asked <> s.front_done THEN s.front_since END
		FROM repositories p LEFT JOIN page_states s ON s.repository_id = p.id
		LEFT JOIN (SELECT repository_id, COUNT(*) AS requests, MIN(CASE WHEN whole = 0 THEN at END) AS oldest, SUM(whole) AS whole
			FROM page_requests GROUP BY repository_id) q ON q.repository_id = p.id
		LEFT JOIN (SELECT d.repository_id, MIN((SELECT u.published_at FROM publications u WHERE u.release_id = r.id AND u.revision > COALESCE(c.revision, 0)
				AND u.published_at IS NOT NULL ORDER BY u.revision LIMIT 1)) AS published_at
			FROM releases r JOIN distributions d ON d.id = r.distribution_id LEFT JOIN page_cursors c ON c.release_id = r.id
			WHERE r.retired = 0 AND r.published_revision > COALESCE(c.revision, 0) GROUP BY d.repository_id) b ON b.repository_id = p.id
		ORDER BY p.owner, p.name`)
	if err != nil {
		return nil, fmt.Errorf("read how far pages are behind: %w", err)
	}
	return all, nil
}
