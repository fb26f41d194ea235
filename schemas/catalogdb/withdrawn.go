package catalogdb

import (
	"bytes"
	"context"
	"iter"
	"slices"

	"repomill/schemas/catalog"
)

// Withdrawn yields the yanked rows that the release would show if they were active, with sort keys from .. to, without fragments, whether
// their files are still there or not. From is in the range and to is not; empty for no bound. Rows come in the order of their sort keys,
// which rows of several components share.
func (s *Snapshot) Withdrawn(ctx context.Context, from, to []byte) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for in := (Range{From: from, To: to}); ; {
			part, err := s.nextPart(ctx, catalog.Yanked, in)
			if err != nil {
				yield(catalog.Package{}, err)
				return
			}
			if !s.withdrawn(ctx, part, yield) || bytes.Equal(part.To, in.To) {
				return
			}
			in.From = part.To
		}
	}
}

// withdrawn yields the yanked rows of a part.
func (s *Snapshot) withdrawn(ctx context.Context, in Range, yield func(catalog.Package, error) bool) (more bool) {
	where, args := s.condition(catalog.Yanked, in, dirsOf(s.Release.Arch)...)
	rows, err := s.tx.QueryContext(ctx, `SELECT `+packageColumns+` FROM `+packageTables+` WHERE `+where+inOrder, args...)
	if err != nil {
		return yield(catalog.Package{}, err) && false
	}
	defer rows.Close()
	for rows.Next() {
		var k catalog.Package
		err := scanPackage(&k, rows.Scan)
		if !yield(k, err) || err != nil {
			return false
		}
	}
	if err := rows.Err(); err != nil {
		return yield(catalog.Package{}, err) && false
	}
	return true
}

// WithdrawnChanges returns the sort keys, in order, each once, of all rows that [Snapshot.Withdrawn] has and did not have at an earlier
// revision of the release, or the reverse, or has with another record. There may be more keys, of rows that went and came back. It reports
// false if this catalog did not issue that revision, if it is later than the snapshot, or if there are more than limit keys. Between
// snapshots of different generations there may be other changes.
func (s *Snapshot) WithdrawnChanges(ctx context.Context, since catalog.Revision, limit int) (keys [][]byte, known bool, err error) {
	if known, err := s.issued(ctx, since); err != nil || !known {
		return nil, false, err
	}
	// Yank ends a span in the transaction that withdraws a row. Unyank begins one, and leaves its mark: rows that join a release for
	// the first time have none. Rows that a recovery withdraws may have no span, and a recovery raises the generation.
	for _, where := range []string{`v.went > ?`, `v.came > ? AND EXISTS (SELECT 1 FROM unyanks u WHERE u.package_id = k.id)`} {
		some, err := collect(ctx, s.tx, func(scan func(...any) error) (key []byte, err error) { return key, scan(&key) },
			`SELECT k.sort_key FROM visibility v JOIN packages k ON k.id = v.package_id WHERE v.release_id = ? AND `+where+` LIMIT ?`,
			s.release, since.Number, limit+1)
		if err != nil || len(some) > limit {
			return nil, false, err
		}
		keys = append(keys, some...)
	}
	slices.SortFunc(keys, bytes.Compare)
	keys = slices.CompactFunc(keys, bytes.Equal)
	return keys, len(keys) <= limit, nil
}
