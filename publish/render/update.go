package render

import (
	"bytes"
	"context"
	"slices"
	"sort"

	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// maxChanges returns how many changed rows are rendered one by one, each with its segment, before a whole rendering is
// cheaper.
func (rd *Rendering) maxChanges() int { return 100 + rd.Packages/256 }

// update brings a rendering to the revision of a snapshot, at the cost of the change. It reports false, and has changed
// nothing, if everything has to be rendered. After an error the caller closes the rendering.
func (rd *Rendering) update(ctx context.Context, p Plan, snap *catalogdb.Snapshot) (updated bool, err error) {
	if rd.shape != p.shape() || rd.generation != snap.Generation {
		return false, nil
	}
	changes, known, err := snap.Changes(ctx, rd.revision, rd.maxChanges())
	if err != nil || !known {
		return false, err
	}
	for _, c := range changes {
		if !p.Shows(c.Component, c.Arch) { // a whole rendering reports it
			return false, nil
		}
	}
	if len(changes) == 0 {
		rd.revision = snap.Revision
		return true, nil
	}
	work := p.compressor(rd.scratch)
	var changed []*Index
	for i, x := range rd.Indexes {
		keys := keysOf(p.Indexes[i], changes)
		if len(keys) == 0 {
			continue
		}
		changed = append(changed, x)
		if err = x.update(ctx, work, p, p.Indexes[i], snap, keys); err != nil {
			break
		}
	}
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err == nil {
		rd.revision = snap.Revision
		rd.unsaved += len(changes)
		err = rd.finish(p, changed)
	}
	return true, err
}

// keysOf returns the sort keys of those changed rows that an index shows or showed, in order.
func keysOf(x Planned, changes []catalogdb.Change) (keys [][]byte) {
	for _, c := range changes {
		if x.shows(c.Component, c.Arch) {
			keys = append(keys, c.SortKey)
		}
	}
	slices.SortFunc(keys, bytes.Compare)
	return keys
}

// update renders those segments again in which rows changed.
func (x *Index) update(ctx context.Context, work *compressor, p Plan, in Planned, snap *catalogdb.Snapshot, keys [][]byte) error {
	var rows []*segment
	kept := 0
	for _, s := range x.spans(keys) {
		c := &segmenter{compressor: work}
		for e, err := range snap.Entries(ctx, in.in(s.from, s.to)) {
			if err != nil {
				return err
			}
			c.add(p.row(in, e, gzipmember.Boundary(e.Name, e.Canonical, e.Arch)))
		}
		c.close()
		rows = append(append(rows, x.rows[kept:s.first]...), c.segments...)
		kept = s.after
	}
	x.rows = append(rows, x.rows[kept:]...)
	return nil
}

// A span is a run of segments to be rendered again, of the rows with sort keys from .. to.
type span struct {
	first, after int
	from, to     []byte // nil: no bound
}

// spans returns the segments in which rows with these sort keys, in order, are or were or have to come.
func (x *Index) spans(keys [][]byte) (all []span) {
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
// that begins: if the boundary between them goes, they become one.
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
func (x *Index) span(key []byte) span {
	at := sort.Search(len(x.rows), func(i int) bool { return bytes.Compare(x.rows[i].start, key) > 0 }) - 1
	s := span{first: max(at, 0), after: at + 1}
	switch {
	case at < 0: // before all others
	case bytes.Equal(x.rows[at].start, key): // without it, what follows belongs to the segment before
		if at > 0 && !x.rows[at-1].oversized {
			s.first--
		}
	case x.rows[at].oversized: // after a row that has its segment to itself
		s.first++
	}
	if (at < 0 || x.rows[at].oversized) && s.after < len(x.rows) && !x.rows[s.after].fixed {
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
