package publish

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
	"repomill/schemas/layout"
)

// DefaultShard is the usual number of rows of a shard.
const DefaultShard = 5000

// A Shard is a part of a release to render: some of its indexes, for the rows between two segment boundaries. Any worker can render
// it. Its fields are data for a pipeline. Its slices are never nil, because Java's row coder refuses the encoding of a nil slice.
type Shard struct {
	Job      string // name of the job that renders it; a plain word
	Release  string // as [catalog.Release.String] has it
	Revision int64  // of the rows; all shards must find this one
	Nonce    string
	Packages int   // of the whole release
	Indexes  []int // positions of its indexes in the pointer
	Number   int   // of the shard among those of its indexes
	Of       int   // number of the shards of its indexes
	From, To []byte
}

// A Part is the rendered part of one index of a shard: some gzip members of the index file.
type Part struct {
	Shard Shard // without its range
	Index int
	Key   string // of the object with the members; empty if there are none
	Stale bool   // the rows have changed since the shards were planned, and nothing was rendered
}

// Shards divides a release into shards of about size rows for a job.
func (p *Preparer) Shards(ctx context.Context, r catalog.Release, job string, size int) ([]Shard, error) {
	snap, err := p.snapshots.Snapshot(ctx, r)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", r, err)
	}
	defer snap.Close() //nolint:errcheck // a read
	plan, err := formatOf(r).plan(snap)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", r, err)
	}
	sections, packages, err := plan.Sections(ctx, snap, size)
	if err != nil {
		return nil, fmt.Errorf("plan %s: %w", r, err)
	}
	shards := make([]Shard, len(sections))
	for i, s := range sections {
		shards[i] = Shard{
			Job: job, Release: snap.Release.String(), Revision: snap.Revision.Number, Nonce: snap.Revision.Nonce, Packages: packages,
			Indexes: s.Indexes, Number: s.Number, Of: s.Of, From: s.From, To: s.To,
		}
	}
	return shards, nil
}

// section returns the section that the shard renders.
func (s Shard) section() render.Section {
	return render.Section{Indexes: s.Indexes, Number: s.Number, Of: s.Of, From: s.From, To: s.To}
}

// RenderShard renders a shard and stores a part for each of its indexes. It needs no signing key. A repeat writes the same objects,
// and the caller retries errors. If the rows have changed since, it stores nothing and returns stale parts.
func (p *Preparer) RenderShard(ctx context.Context, s Shard) ([]Part, error) {
	parts, err := p.renderShard(ctx, s)
	if err != nil {
		return nil, fmt.Errorf("render part %d of %s: %w", s.Number, s.Release, err)
	}
	return parts, nil
}

func (p *Preparer) renderShard(ctx context.Context, s Shard) (parts []Part, err error) {
	r, err := catalog.ParseRelease(s.Release)
	if err != nil {
		return nil, err
	}
	snap, err := p.snapshots.Snapshot(ctx, r)
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
	stale := snap.Revision != catalog.Revision{Number: s.Revision, Nonce: s.Nonce} || slices.Max(s.Indexes) >= len(plan.Indexes)
	for _, i := range s.Indexes {
		parts = append(parts, Part{Shard: of, Index: i, Stale: stale})
	}
	if stale {
		return parts, nil
	}
	see, wait := ensureCopies(ctx, p.bucket, snap)
	rd, err := plan.Section(ctx, p.renderings.Dir, snap, s.section(), see)
	if copyErr := wait(); copyErr != nil {
		if err == nil {
			rd.Close()
		}
		return nil, copyErr
	}
	if err != nil {
		return nil, err
	}
	defer rd.Close()
	snap.Close() //nolint:errcheck // a read; writing to a distant store may take long
	for i, x := range rd.Indexes {
		if x.Empty() {
			continue
		}
		parts[i].Key = s.key(r, parts[i].Index)
		if err := p.bucket.Create(ctx, layout.ObjectOf(parts[i].Key), x.Body()); err != nil && !errors.Is(err, ErrExists) {
			return nil, err
		}
	}
	return parts, nil
}

// key returns the key of a part. It depends on the job and the range of rows, so that a repeat finds the same bytes.
func (s Shard) key(r catalog.Release, index int) string {
	rows := tree.Sum(fmt.Appendf(nil, "%q %q", s.From, s.To))
	return fmt.Sprintf("%s%d-%s.gz", jobPrefix(r, s.Job, s.Revision, s.Nonce), index, rows[:32])
}

// Assemble joins all parts of one index, given in any order, and stores the index file. ok is false if a part is stale, or if the
// rows have changed since. It needs no signing key. A repeat writes the same file, and the caller retries errors.
func (p *Preparer) Assemble(ctx context.Context, parts []Part) (made PreparedIndex, ok bool, err error) {
	if len(parts) == 0 {
		return made, false, errors.New("assemble: an index without parts")
	}
	parts = slices.Clone(parts)
	slices.SortFunc(parts, func(a, b Part) int { return cmp.Compare(a.Shard.Number, b.Shard.Number) })
	parts = slices.CompactFunc(parts, func(a, b Part) bool { return a.Shard.Number == b.Shard.Number }) // an engine may run an element twice
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

// errStale is returned when the rows have changed since the shards were planned.
var errStale = errors.New("the rows have changed")

func (p *Preparer) assemble(ctx context.Context, s Shard, parts []Part) (PreparedIndex, error) {
	r, err := catalog.ParseRelease(s.Release)
	if err != nil {
		return PreparedIndex{}, err
	}
	snap, err := p.snapshots.Snapshot(ctx, r)
	if err != nil {
		return PreparedIndex{}, err
	}
	snap.Close() //nolint:errcheck // a read; only its revision and settings are used
	if snap.Revision != (catalog.Revision{Number: s.Revision, Nonce: s.Nonce}) {
		return PreparedIndex{}, errStale
	}
	f := formatOf(r)
	plan, err := f.plan(snap)
	if err != nil {
		return PreparedIndex{}, err
	}
	i := parts[0].Index
	x, err := render.Stored(plan.Indexes[i].Name, func() io.Reader { return p.members(ctx, plan, i, s.Packages, parts) })
	if err != nil {
		return PreparedIndex{}, err
	}
	_, err = createIndexes(ctx, p.bucket, []indexFile{f.file(r, x)}, nil, false)
	return preparedIndex(x), err
}

// members returns the bytes of an index file.
func (p *Preparer) members(ctx context.Context, plan render.Plan, i, packages int, parts []Part) io.Reader {
	var all []io.Reader
	add := func(text []byte) {
		if text != nil {
			all = append(all, bytes.NewReader(gzipmember.Append(nil, text)))
		}
	}
	add(plan.Head(i, packages))
	for _, part := range parts {
		if part.Key != "" {
			all = append(all, late(ctx, p.bucket, part.Key))
		}
	}
	add(plan.Tail(i))
	if len(all) == 0 { // an index without any text is one empty member
		add([]byte{})
	}
	return io.MultiReader(all...)
}
