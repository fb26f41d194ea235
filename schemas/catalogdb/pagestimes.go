package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"math"
)

// publishTimes finds when clients first saw a revision: some revisions are never published, but a later one is. Asked for in
// ascending order, it looks up each publication once.
type publishTimes map[int64]publishedSpan // by release

// A publishedSpan is a publication, and the first revision that is known to have been seen with it.
type publishedSpan struct {
	from, revision int64
	at             sql.NullInt64
}

// of returns when a revision of a release was published here; nothing if it was not, or the time is not known.
func (t publishTimes) of(ctx context.Context, q querier, release, revision int64) (sql.NullInt64, error) {
	if s, ok := t[release]; ok && s.from <= revision && revision <= s.revision {
		return s.at, nil
	}
	s := publishedSpan{from: revision}
	err := q.QueryRowContext(ctx, `SELECT revision, published_at FROM publications WHERE release_id = ? AND revision >= ? AND published_at IS NOT NULL ORDER BY revision LIMIT 1`,
		release, revision).Scan(&s.revision, &s.at)
	if errors.Is(err, sql.ErrNoRows) {
		s.revision, err = math.MaxInt64, nil
	}
	if err == nil {
		t[release] = s
	}
	return s.at, err
}
