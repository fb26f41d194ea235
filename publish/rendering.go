package publish

import (
	"context"
	"fmt"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/member"
)

// A rendering is what the rows of a release come to at a revision: all indexes, in segments that are of
// use again for the next revision.
type rendering struct {
	revision catalog.Revision
	epoch    int    // of the catalog's release, by then
	shape    string // of the plan
	packages int
	indexes  []*index // as planned
	spool    *spool
	closed   bool // it has no segments that could be of use again
}

func (rd *rendering) close() { rd.spool.close() }

// live returns how many bytes of its spool a rendering needs.
func (rd *rendering) live() (n int64) {
	for _, x := range rd.indexes {
		n += x.live()
	}
	return n
}

// renderWhole makes the indexes of a snapshot from its rows alone. Each entry is shown to see first, if
// that is set.
func renderWhole(ctx context.Context, dir string, p plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) (*rendering, error) {
	to, err := newSpool(dir)
	if err != nil {
		return nil, err
	}
	rd := &rendering{revision: snap.Revision, epoch: snap.Epoch, shape: p.shape(), spool: to}
	if err := rd.fill(ctx, p, snap, see); err != nil {
		rd.close()
		return nil, err
	}
	return rd, nil
}

func (rd *rendering) fill(ctx context.Context, p plan, snap *catalogdb.Snapshot, see func(*catalogdb.Entry) error) error {
	work := newPress(rd.spool)
	cutters := make([]*cutter, len(p.indexes))
	for i, x := range p.indexes {
		cutters[i] = &cutter{press: work}
		rd.indexes = append(rd.indexes, &index{name: x.name, spool: rd.spool})
	}
	err := cut(ctx, p, snap, cutters, see)
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		return err
	}
	for i, x := range rd.indexes {
		x.rows = cutters[i].segments
	}
	return rd.finish(p, rd.indexes)
}

// cut gives every row of a snapshot to the cutters of its indexes.
func cut(ctx context.Context, p plan, snap *catalogdb.Snapshot, cutters []*cutter, see func(*catalogdb.Entry) error) error {
	for e, err := range snap.Entries(ctx, catalogdb.Range{}) {
		if err == nil && see != nil {
			err = see(e)
		}
		if err != nil {
			return err
		}
		component, arch := string(e.Component), string(e.Arch)
		border, shown := member.Border(e.Name, e.Canonical, e.Arch), false
		for i, x := range p.indexes {
			if x.shows(component, arch) {
				shown = true
				cutters[i].add(p.row(x, e, border))
			}
		}
		if !shown {
			return unshown(snap, e)
		}
	}
	for _, c := range cutters {
		c.close()
	}
	return nil
}

// unshown says that no index takes an entry.
func unshown(snap *catalogdb.Snapshot, e *catalogdb.Entry) error {
	return fmt.Errorf("row %s of %s is in component %q, which the repository does not have for that architecture", e, snap.Release, e.Component)
}

// shows reports whether any index shows the rows of a component and an architecture.
func (p plan) shows(component, arch string) bool {
	return slices.ContainsFunc(p.indexes, func(x planned) bool { return x.shows(component, arch) })
}

// row returns what an index has of an entry.
func (p plan) row(x planned, e *catalogdb.Entry, border bool) row {
	f := e.Fragments[x.fragment]
	return row{key: e.SortKey, border: border, text: f.Text, ending: p.ending, packed: f.Member}
}

// finish completes those indexes that changed: what stands before and after the rows, and the digests.
// A count that stands in front of all rows changes all indexes.
func (rd *rendering) finish(p plan, changed []*index) error {
	counts := make([]int, len(rd.indexes))
	for i, x := range rd.indexes {
		counts[i] = x.count()
	}
	rd.packages = p.total(counts)
	work := newPress(rd.spool)
	for i, x := range rd.indexes {
		x.head, x.tail = work.one(p.head(i, rd.packages)), work.one(p.tail(i))
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

// spoolSlack is how much garbage a spool may have beyond what is alive. It is a variable for tests.
var spoolSlack = int64(16 << 20)

// compact moves a rendering to a new spool when most of the old one is garbage.
func (rd *rendering) compact(dir string) error {
	if live := rd.live(); rd.spool.size.Load() <= 2*live+spoolSlack {
		return nil
	}
	to, err := newSpool(dir)
	if err != nil {
		return err
	}
	for _, x := range rd.indexes {
		if err := x.moveTo(to); err != nil {
			to.close()
			return err
		}
	}
	rd.spool.close()
	rd.spool = to
	return nil
}
