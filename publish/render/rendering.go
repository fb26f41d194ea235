package render

import (
	"context"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// A Rendering is the indexes of a release at one revision, in segments that the next revision reuses. One goroutine
// at a time uses it.
type Rendering struct {
	Packages int
	Indexes  []*Index // as planned

	release    string
	revision   catalog.Revision
	generation int64  // of the snapshot
	shape      string // of the plan
	scratch    *scratch
	fetched    bool // its files were read from the bucket: it has no segments to reuse

	unsaved int       // rows that have changed since it was saved
	changed time.Time // when its file had changed when it was last put into a cache
}

// Close releases the bytes of all indexes.
func (rd *Rendering) Close() { rd.scratch.close() }

// Fetched reports whether [Fetch] made the rendering of files that the bucket has.
func (rd *Rendering) Fetched() bool { return rd.fetched }

// Reissue changes the revision of a rendering from at to as, which has the same rows and the next generation. A rendering of
// another revision than at is unchanged.
func (rd *Rendering) Reissue(at, as catalog.Revision) {
	if rd.revision == at {
		rd.revision, rd.generation, rd.unsaved = as, rd.generation+1, saveAfter
	}
}

// live returns how many bytes of its scratch file a rendering needs.
func (rd *Rendering) live() (n int64) {
	for _, x := range rd.Indexes {
		n += x.live()
	}
	return n
}

// whole renders the indexes of a snapshot from its rows alone. If see is set, it is called with each entry first; its error ends the
// rendering. It closes the scratch after an error.
func whole(ctx context.Context, to *scratch, p Plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*Rendering, error) {
	rd := &Rendering{
		release: snap.Release.String(), revision: snap.Revision, generation: snap.Generation, shape: p.shape(), scratch: to, unsaved: saveAfter,
	}
	if err := rd.fill(ctx, p, snap, see); err != nil {
		rd.Close()
		return nil, err
	}
	return rd, nil
}

func (rd *Rendering) fill(ctx context.Context, p Plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) error {
	work := p.compressor(rd.scratch)
	segmenters := make([]*segmenter, len(p.Indexes))
	for i, x := range p.Indexes {
		segmenters[i] = &segmenter{compressor: work}
		rd.Indexes = append(rd.Indexes, &Index{Name: x.Name, scratch: rd.scratch})
	}
	err := distribute(ctx, p, snap, segmenters, see)
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return err
	}
	for i, x := range rd.Indexes {
		x.rows = segmenters[i].segments
	}
	return rd.finish(p, rd.Indexes)
}

// distribute adds every row of a snapshot to the segmenters of the indexes that show it.
func distribute(ctx context.Context, p Plan, snap *catalogdb.Snapshot, segmenters []*segmenter, see func(*catalogdb.Entry) error) error {
	for e, err := range snap.Entries(ctx, catalogdb.Range{}) {
		if err == nil && see != nil {
			err = see(e)
		}
		if err != nil {
			return err
		}
		component, arch := string(e.Component), string(e.Arch)
		boundary, shown := gzipmember.Boundary(e.Name, e.Canonical, e.Arch), false
		for i, x := range p.Indexes {
			if x.shows(component, arch) {
				shown = true
				segmenters[i].add(p.row(x, e, boundary))
			}
		}
		if !shown {
			return Unshown(snap, e)
		}
	}
	for _, c := range segmenters {
		c.close()
	}
	return nil
}

// finish completes the changed indexes: head, tail and digests. Heads of other indexes are made again as well, since they may
// have the count of packages.
func (rd *Rendering) finish(p Plan, changed []*Index) error {
	counts := make([]int, len(rd.Indexes))
	for i, x := range rd.Indexes {
		counts[i] = x.count()
	}
	rd.Packages = p.Total(counts)
	work := newCompressor(rd.scratch)
	for i, x := range rd.Indexes {
		x.head, x.tail = work.one(p.Head(i, rd.Packages)), work.one(p.Tail(i))
		if len(x.segments()) == 0 { // an index without any text is one empty member
			x.head = work.one([]byte{})
		}
	}
	if err := work.wait(); err != nil {
		return err
	}
	var g errgroup.Group
	g.SetLimit(runtime.GOMAXPROCS(0))
	for _, x := range changed {
		x.digest(&g)
	}
	return g.Wait()
}

// moveTo moves a rendering to a new scratch file, which it closes after an error. The file before stays as long as a saved description
// names it.
func (rd *Rendering) moveTo(to *scratch) error {
	for _, x := range rd.Indexes {
		if err := x.moveTo(to); err != nil {
			rd.scratch.broken.Store(true) // half of it has moved
			to.close()
			return err
		}
	}
	rd.scratch.close()
	rd.scratch, rd.unsaved = to, saveAfter
	return nil
}
