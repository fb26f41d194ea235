package publish

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"repomill/schemas/catalogdb"
	"repomill/schemas/member"
)

// maxChanges returns how many changed rows are worth looking up one by one: each takes a segment with it.
func (rd *rendering) maxChanges() int { return 100 + rd.packages/256 }

// follow brings a rendering up to the revision of a snapshot, at the cost of the change. It reports false,
// and has done nothing, if everything has to be rendered. After an error the rendering is of no use.
func (rd *rendering) follow(ctx context.Context, dir string, p plan, snap *catalogdb.Snapshot) (followed bool, err error) {
	if rd.shape != p.shape() || rd.epoch != snap.Epoch {
		return false, nil
	}
	changes, known, err := snap.Changes(ctx, rd.revision, rd.maxChanges())
	if err != nil || !known {
		return false, err
	}
	for _, c := range changes {
		if !p.shows(c.Component, c.Arch) { // a whole rendering says what is wrong with it
			return false, nil
		}
	}
	work := newPress(rd.spool)
	var changed []*index
	for i, x := range rd.indexes {
		keys := keysOf(p.indexes[i], changes)
		if len(keys) == 0 {
			continue
		}
		changed = append(changed, x)
		if err = x.rerender(ctx, work, p, p.indexes[i], snap, keys); err != nil {
			break
		}
	}
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err == nil {
		rd.revision = snap.Revision
		err = rd.finish(p, changed)
	}
	if err == nil {
		err = rd.compact(dir)
	}
	return true, err
}

// keysOf returns the sort keys of those changed rows that an index shows or showed, in order.
func keysOf(x planned, changes []catalogdb.Change) (keys [][]byte) {
	for _, c := range changes {
		if x.shows(c.Component, c.Arch) {
			keys = append(keys, c.SortKey)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys
}

// rerender makes those segments of an index anew in which rows changed.
func (x *index) rerender(ctx context.Context, work *press, p plan, in planned, snap *catalogdb.Snapshot, keys [][]byte) error {
	var rows []*segment
	kept := 0
	for _, s := range x.spans(keys) {
		c := &cutter{press: work}
		for e, err := range snap.Entries(ctx, in.in(s.from, s.to)) {
			if err != nil {
				return err
			}
			c.add(p.row(in, e, member.Border(e.Name, e.Canonical, e.Arch)))
		}
		c.close()
		rows = append(append(rows, x.rows[kept:s.first]...), c.segments...)
		kept = s.after
	}
	x.rows = append(rows, x.rows[kept:]...)
	return nil
}

// A span is a run of segments that are to be made anew, of the rows with sort keys from .. to.
type span struct {
	first, after int
	from, to     []byte // nil: no bound
}

// spans returns the segments in which rows with these sort keys, in order, are or were or have to come.
func (x *index) spans(keys [][]byte) (all []span) {
	for _, key := range keys {
		s := x.span(key)
		if n := len(all); n > 0 && all[n-1].meets(s) {
			all[n-1] = all[n-1].join(s)
			continue
		}
		all = append(all, s)
	}
	return all
}

// meets reports whether a span has segments, or room for rows, in common with a later one, or ends where
// that begins: if the border between them goes, they become one.
func (s span) meets(later span) bool {
	return later.first <= s.after || s.to == nil || later.from == nil || bytes.Compare(later.from, s.to) < 0
}

func (s span) join(later span) span {
	if later.first < s.first {
		s.first, s.from = later.first, later.from
	}
	if later.after > s.after {
		s.after, s.to = later.after, later.to
	}
	return s
}

// span returns the segments that a change of the row with a sort key may concern.
func (x *index) span(key []byte) span {
	at := sort.Search(len(x.rows), func(i int) bool { return bytes.Compare(x.rows[i].start, key) > 0 }) - 1
	s := span{first: max(at, 0), after: at + 1}
	switch {
	case at < 0: // before all others
	case bytes.Equal(x.rows[at].start, key): // without it, what follows belongs to the segment before
		if at > 0 && !x.rows[at-1].alone {
			s.first--
		}
	case x.rows[at].alone: // after a row that has its segment to itself
		s.first++
	}
	if (at < 0 || x.rows[at].alone) && s.after < len(x.rows) && !x.rows[s.after].hard {
		s.after++ // it starts where it does because nothing, or such a row, comes before
	}
	switch {
	case s.first <= at:
		s.from = x.rows[s.first].start
	case at >= 0:
		s.from = key
	}
	if s.after < len(x.rows) {
		s.to = x.rows[s.after].start
	}
	return s
}
