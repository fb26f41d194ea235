package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/schemas/member"
)

// DefaultShard is how many rows a shard has, about.
const DefaultShard = 5000

// A Shard is a part of what is to be rendered of a release: some of its indexes, of the rows between two
// borders of segments. Any worker can render it. Its fields are data for a pipeline, whose slices are never
// nil: Java's row coder refuses what Go makes of a nil one.
type Shard struct {
	Job      string // that renders it; a plain word
	Release  string // as [catalog.Release.String] has it
	Revision int64  // of the rows, at which all shards have to find them
	Nonce    string
	Packages int   // of the whole release
	Indexes  []int // which, in the order of the pointer
	Number   int   // of the shard among those of these indexes,
	Of       int   // which are so many
	From, To []byte
}

// A Part is what a shard came to for one index: some members of the index file.
type Part struct {
	Shard Shard // without its range
	Index int
	Key   string // of the object that has the members; empty if there are none
	Stale bool   // the rows have changed since the shards were planned: nothing was made
}

// Shards plans how a job is to render a release, in parts of about size rows.
func (p *Publisher) Shards(ctx context.Context, r catalog.Release, job string, size int) ([]Shard, error) {
	snap, err := p.catalog.Snapshot(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", r, err)
	}
	defer snap.Close() //nolint:errcheck // a read
	plan, err := formatOf(r).plan(snap)
	if err == nil {
		var shards []Shard
		if shards, err = plan.shards(ctx, snap, job, size); err == nil {
			return shards, nil
		}
	}
	return nil, fmt.Errorf("plan %s: %w", r, err)
}

// A lane is indexes that show the same rows, and so can be rendered together.
type lane struct {
	planned
	indexes []int
	shards  []Shard
	rows    int // since the last border
}

// lanes returns the lanes of a plan. All indexes of an RPM release are one.
func (p plan) lanes() []*lane {
	var all []*lane
	for i, x := range p.indexes {
		if x.component == "" && i > 0 {
			all[0].indexes = append(all[0].indexes, i)
			continue
		}
		all = append(all, &lane{planned: x, indexes: []int{i}})
	}
	return all
}

func (p plan) shards(ctx context.Context, snap *catalogdb.Snapshot, job string, size int) ([]Shard, error) {
	lanes := p.lanes()
	packages := 0
	for _, l := range lanes {
		l.begin(snap, []byte{})
	}
	for e, err := range snap.Entries(ctx, catalogdb.Range{Bare: true}) {
		if err != nil {
			return nil, err
		}
		if !p.shows(string(e.Component), string(e.Arch)) {
			return nil, unshown(snap, e)
		}
		packages++
		component, arch, border := string(e.Component), string(e.Arch), member.Border(e.Name, e.Canonical, e.Arch)
		for _, l := range lanes {
			if !l.shows(component, arch) {
				continue
			}
			if l.rows >= size && border {
				l.begin(snap, bytes.Clone(e.SortKey))
			}
			l.rows++
		}
	}
	var all []Shard
	for _, l := range lanes {
		for _, s := range l.shards {
			s.Job, s.Packages, s.Of = job, packages, len(l.shards)
			all = append(all, s)
		}
	}
	return all, nil
}

// begin ends the shard at hand before a sort key, and begins the next one there.
func (l *lane) begin(snap *catalogdb.Snapshot, at []byte) {
	if n := len(l.shards); n > 0 {
		l.shards[n-1].To = at
	}
	l.rows = 0
	l.shards = append(l.shards, Shard{
		Release: snap.Release.String(), Revision: snap.Revision.Number, Nonce: snap.Revision.Nonce,
		Indexes: l.indexes, Number: len(l.shards), From: at, To: []byte{},
	})
}

// RenderShard renders a shard and stores what it comes to, one part for each of its indexes. It needs no
// signing key. A repeat writes the same objects.
func (p *Publisher) RenderShard(ctx context.Context, s Shard) ([]Part, error) {
	parts, err := p.renderShard(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("render part %d of %s: %w", s.Number, s.Release, err)
	}
	return parts, nil
}

func (p *Publisher) renderShard(ctx context.Context, s Shard) (parts []Part, err error) {
	r, err := catalog.ParseRelease(s.Release)
	if err != nil {
		return nil, err
	}
	snap, err := p.catalog.Snapshot(ctx, r)
	if err != nil {
		return nil, err
	}
	defer snap.Close() //nolint:errcheck // a read
	plan, err := formatOf(r).plan(snap)
	if err != nil {
		return nil, err
	}
	of := s
	of.From, of.To = []byte{}, []byte{}
	stale := snap.Revision != catalog.Revision{Number: s.Revision, Nonce: s.Nonce} || slices.Max(s.Indexes) >= len(plan.indexes)
	for _, i := range s.Indexes {
		parts = append(parts, Part{Shard: of, Index: i, Stale: stale})
	}
	if stale {
		return parts, nil
	}
	to, err := newSpool(p.renderings.dir)
	if err != nil {
		return nil, err
	}
	defer to.close()
	indexes, err := plan.some(ctx, snap, s, to, p.ensureCopies(ctx, snap))
	if err != nil {
		return nil, err
	}
	snap.Close() //nolint:errcheck // a read; writing to a distant store may take long
	for i, x := range indexes {
		if len(x.rows) == 0 {
			continue
		}
		parts[i].Key = s.key(r, parts[i].Index)
		if err := p.bucket.Create(ctx, layout.ObjectOf(parts[i].Key), x.body()); err != nil && !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
	return parts, nil
}

// key returns where a part lies. It follows from the rows, so that a repeat finds the same bytes there.
func (s Shard) key(r catalog.Release, index int) string {
	rows := hexSum(fmt.Appendf(nil, "%q %q", s.From, s.To))
	return fmt.Sprintf("%s%d-%s.gz", jobPrefix(r, s.Job, s.Revision, s.Nonce), index, rows[:32])
}

// some renders the rows of a shard into a spool.
func (p plan) some(ctx context.Context, snap *catalogdb.Snapshot, s Shard, to *spool, see func(*catalogdb.Entry) error) ([]*index, error) {
	work := newPress(to)
	cutters := make([]*cutter, len(s.Indexes))
	for i := range cutters {
		cutters[i] = &cutter{press: work}
	}
	err := p.cutSome(ctx, snap, s, cutters, see)
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	indexes := make([]*index, len(cutters))
	for i, c := range cutters {
		indexes[i] = &index{spool: to, rows: c.segments}
	}
	return indexes, err
}

func (p plan) cutSome(ctx context.Context, snap *catalogdb.Snapshot, s Shard, cutters []*cutter, see func(*catalogdb.Entry) error) error {
	rows := p.indexes[s.Indexes[0]].in(s.From, s.To)
	rows.Fragments = s.Indexes // an RPM release has one for each index
	for e, err := range snap.Entries(ctx, rows) {
		if err == nil && see != nil {
			err = see(e)
		}
		if err != nil {
			return err
		}
		border := member.Border(e.Name, e.Canonical, e.Arch)
		for i, c := range cutters {
			c.add(p.row(p.indexes[s.Indexes[i]], e, border))
		}
	}
	for _, c := range cutters {
		c.close()
	}
	return nil
}

// Assemble makes one index file of all its parts, in any order, and stores it. If any of them is stale, so
// is the index: ok is false. It needs no signing key. A repeat writes the same file.
func (p *Publisher) Assemble(ctx context.Context, parts []Part) (made PreparedIndex, ok bool, err error) {
	if len(parts) == 0 {
		return made, false, errors.New("assemble: an index without parts")
	}
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Shard.Number, b.Shard.Number) })
	parts = slices.CompactFunc(parts, func(a, b Part) bool { return a.Shard.Number == b.Shard.Number }) // a worker's work may be done twice
	s := parts[0].Shard
	if slices.ContainsFunc(parts, func(x Part) bool { return x.Stale }) {
		return made, false, nil
	}
	if len(parts) != s.Of {
		return made, false, fmt.Errorf("assemble %s: %d of %d parts", s.Release, len(parts), s.Of)
	}
	made, err = p.assemble(ctx, s, parts)
	if errors.Is(err, errStale) {
		return made, false, nil
	}
	if err != nil {
		return made, false, fmt.Errorf("assemble %s: %w", s.Release, err)
	}
	return made, true, nil
}

// errStale says that the rows have changed since the shards were planned.
var errStale = errors.New("the rows have changed")

func (p *Publisher) assemble(ctx context.Context, s Shard, parts []Part) (PreparedIndex, error) {
	r, err := catalog.ParseRelease(s.Release)
	if err != nil {
		return PreparedIndex{}, err
	}
	snap, err := p.catalog.Snapshot(ctx, r)
	if err != nil {
		return PreparedIndex{}, err
	}
	snap.Close() //nolint:errcheck // a read; it is only asked for its settings
	if snap.Revision != (catalog.Revision{Number: s.Revision, Nonce: s.Nonce}) {
		return PreparedIndex{}, errStale
	}
	f := formatOf(r)
	plan, err := f.plan(snap)
	if err != nil {
		return PreparedIndex{}, err
	}
	i := parts[0].Index
	x := &index{name: plan.indexes[i].name, stored: func() io.Reader { return p.members(ctx, plan, i, s.Packages, parts) }}
	if x.packed, x.plain, err = digestsOf(x.body()); err != nil {
		return PreparedIndex{}, err
	}
	_, err = p.createIndexes(ctx, []indexFile{f.file(r, x)}, nil, false)
	return x.prepared(), err
}

// members returns the bytes of an index file.
func (p *Publisher) members(ctx context.Context, plan plan, i, packages int, parts []Part) io.Reader {
	var all []io.Reader
	add := func(text []byte) {
		if text != nil {
			all = append(all, bytes.NewReader(member.Append(nil, text)))
		}
	}
	add(plan.head(i, packages))
	for _, part := range parts {
		if part.Key != "" {
			all = append(all, late(ctx, p.bucket, part.Key))
		}
	}
	add(plan.tail(i))
	if len(all) == 0 { // an index without any text is one empty member
		add([]byte{})
	}
	return io.MultiReader(all...)
}

// digestsOf returns the digests of an index file and of its text.
func digestsOf(file io.Reader) (packed, plain digest, err error) {
	r, w := io.Pipe()
	var g errgroup.Group
	g.Go(func() (err error) {
		packed, err = digestOf(io.TeeReader(file, w))
		w.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		z, err := gzip.NewReader(r)
		if err == nil {
			plain, err = digestOf(z)
		}
		r.CloseWithError(err)
		return err
	})
	return packed, plain, g.Wait()
}
