package catalogdb

import (
	"context"

	"repomill/schemas/catalog"
)

// A Change is a row that came into a release, or went out of it.
type Change struct {
	SortKey         []byte
	Arch, Component string
}

// Changes returns the rows that may be other ones than they were at a revision of the release, in any
// order. It reports false if that cannot be told, or if there are more than limit.
func (s *Snapshot) Changes(ctx context.Context, since catalog.Revision, limit int) (changes []Change, known bool, err error) {
	if since == s.Revision {
		return nil, true, nil
	}
	drawn, err := scanID(s.tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM publications WHERE release_id = ? AND revision = ? AND nonce = ?`,
		s.release, since.Number, since.Nonce).Scan)
	if err != nil || drawn == 0 || since.Number > s.Revision.Number {
		return nil, false, err
	}
	for _, where := range []string{`a.revision > ?`, `a.revision < -?`} { // one index range each
		some, err := collect(ctx, s.tx, func(scan func(...any) error) (c Change, err error) {
			return c, scan(&c.SortKey, &c.Arch, &c.Component)
		}, `SELECT k.sort_key, k.arch, k.component FROM appearances a JOIN packages k ON k.id = a.package_id
			WHERE a.release_id = ? AND `+where+` LIMIT ?`, s.release, since.Number, limit+1)
		if err != nil {
			return nil, false, err
		}
		changes = append(changes, some...)
	}
	return changes, len(changes) <= limit, nil
}
