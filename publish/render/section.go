package render

import (
	"bytes"
	"context"

	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// A Section is a part of a rendering that can be rendered on its own: some indexes, and the rows between two segment
// boundaries.
type Section struct {
	Indexes  []int  // which, in the order of the plan; all of them show the same rows
	Number   int    // of the section among those of these indexes,
	Of       int    // which are so many
	From, To []byte // sort keys; empty for no bound
}

// A group is indexes that show the same rows, and so are rendered together.
type group struct {
	Planned
	indexes  []int
	sections []Section
	rows     int // since the last boundary
}

// groups returns the groups of a plan. All indexes of an RPM release are one.
func (p Plan) groups() []*group {
	var all []*group
	for i, x := range p.Indexes {
		if x.Component == "" && i > 0 {
			all[0].indexes = append(all[0].indexes, i)
			continue
		}
		all = append(all, &group{Planned: x, indexes: []int{i}})
	}
	return all
}

// Sections divides a rendering into sections of about size rows, and counts the packages of the release.
func (p Plan) Sections(ctx context.Context, snap *catalogdb.Snapshot, size int) (all []Section, packages int, err error) {
	groups := p.groups()
	for _, g := range groups {
		g.begin([]byte{})
	}
	for e, err := range snap.Entries(ctx, catalogdb.Range{Bare: true}) {
		if err != nil {
			return nil, 0, err
		}
		component, arch := string(e.Component), string(e.Arch)
		if !p.Shows(component, arch) {
			return nil, 0, Unshown(snap, e)
		}
		packages++
		boundary := gzipmember.Boundary(e.Name, e.Canonical, e.Arch)
		for _, g := range groups {
			if !g.shows(component, arch) {
				continue
			}
			if g.rows >= size && boundary {
				g.begin(bytes.Clone(e.SortKey))
			}
			g.rows++
		}
	}
	for _, g := range groups {
		for _, s := range g.sections {
			s.Of = len(g.sections)
			all = append(all, s)
		}
	}
	return all, packages, nil
}

// begin ends the open section before a sort key, and begins the next one there.
func (g *group) begin(at []byte) {
	if n := len(g.sections); n > 0 {
		g.sections[n-1].To = at
	}
	g.rows = 0
	g.sections = append(g.sections, Section{Indexes: g.indexes, Number: len(g.sections), From: at, To: []byte{}})
}

// Section renders the rows of a section, as [Whole] does. The result has the indexes of the section, without head, tail and
// digests; [Index.Empty] reports which have no rows. The caller closes it.
func (p Plan) Section(ctx context.Context, dir string, snap *catalogdb.Snapshot, s Section, see func(*catalogdb.Entry) error) (*Rendering, error) {
	to, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	rd := &Rendering{scratch: to}
	work := newCompressor(to)
	segmenters := make([]*segmenter, len(s.Indexes))
	for i := range segmenters {
		segmenters[i] = &segmenter{compressor: work}
	}
	err = p.distributeSection(ctx, snap, s, segmenters, see)
	if waitErr := work.wait(); err == nil {
		err = waitErr
	}
	if err != nil {
		rd.Close()
		return nil, err
	}
	for i, c := range segmenters {
		rd.Indexes = append(rd.Indexes, &Index{Name: p.Indexes[s.Indexes[i]].Name, scratch: to, rows: c.segments})
	}
	return rd, nil
}

func (p Plan) distributeSection(ctx context.Context, snap *catalogdb.Snapshot, s Section, segmenters []*segmenter, see func(*catalogdb.Entry) error) error {
	rows := p.Indexes[s.Indexes[0]].in(s.From, s.To)
	rows.Fragments = s.Indexes // an RPM release has one for each index
	for e, err := range snap.Entries(ctx, rows) {
		if err == nil && see != nil {
			err = see(e)
		}
		if err != nil {
			return err
		}
		boundary := gzipmember.Boundary(e.Name, e.Canonical, e.Arch)
		for i, c := range segmenters {
			c.add(p.row(p.Indexes[s.Indexes[i]], e, boundary))
		}
	}
	for _, c := range segmenters {
		c.close()
	}
	return nil
}
