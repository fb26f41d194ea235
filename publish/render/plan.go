package render

import (
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalogdb"
)

// A Plan says which indexes a release has, and which rows each of them shows.
type Plan struct {
	Indexes []Planned
	Ending  string                            // follows the text of each row
	Head    func(i, packages int) []byte      // text before the rows of index i, a gzip member of its own; nil for none
	Tail    func(i int) []byte                // text after them, likewise
	Total   func(counts []int) (packages int) // of the release, from the number of rows in each index
}

// A Planned index shows the rows of a component and of some architectures, or all rows if it names no component.
type Planned struct {
	Name      string // [Index.Name]
	Component string
	Arches    []string
	Fragment  int // which fragment of an entry is its text
}

// shape is equal for plans whose segments may be reused for each other.
func (p Plan) shape() string {
	var b strings.Builder
	for _, x := range p.Indexes {
		fmt.Fprintf(&b, "%s\n", x.Name)
	}
	return b.String()
}

// shows reports whether the index has the rows of a component and an architecture.
func (x Planned) shows(component, arch string) bool {
	return x.Component == "" || x.Component == component && slices.Contains(x.Arches, arch)
}

// in returns the query for the rows of the index between two sort keys.
func (x Planned) in(from, to []byte) catalogdb.Range {
	return catalogdb.Range{From: from, To: to, Component: x.Component, Arches: x.Arches, Fragments: []int{x.Fragment}}
}

// Shows reports whether any index shows the rows of a component and an architecture.
func (p Plan) Shows(component, arch string) bool {
	return slices.ContainsFunc(p.Indexes, func(x Planned) bool { return x.shows(component, arch) })
}

// row returns the row of an entry in an index.
func (p Plan) row(x Planned, e *catalogdb.Entry, boundary bool) row {
	f := e.Fragments[x.Fragment]
	return row{key: e.SortKey, boundary: boundary, text: f.Text, ending: p.Ending, packed: f.Member}
}

// Unshown returns the error for an entry that no index shows.
func Unshown(snap *catalogdb.Snapshot, e *catalogdb.Entry) error {
	return fmt.Errorf("row %s of %s is in component %q, which the repository does not have for that architecture", e, snap.Release, e.Component)
}

// compressor returns a compressor for indexes of the plan. Some of them may have segments with the same text if packages of one architecture
// are in several.
func (p Plan) compressor(to *scratch) *compressor {
	c := newCompressor(to)
	if slices.ContainsFunc(p.Indexes, func(x Planned) bool { return len(x.Arches) > 1 }) {
		return c.share()
	}
	return c
}
