package publish

import (
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalogdb"
)

// A plan says which indexes a release has, and which rows they show.
type plan struct {
	indexes []planned
	ending  string                            // after the text of each row
	head    func(i, packages int) []byte      // text before the rows of index i, a member of its own; nil for none
	tail    func(i int) []byte                // and after them
	total   func(counts []int) (packages int) // of the release, from the rows of each index
}

// A planned index takes the rows of a component and of some architectures, or all of a release.
type planned struct {
	name      string
	component string
	arches    []string
	fragment  int // of the entry
}

// shape says what must be the same for segments to be of use again.
func (p plan) shape() string {
	var b strings.Builder
	for _, x := range p.indexes {
		fmt.Fprintf(&b, "%s\n", x.name)
	}
	return b.String()
}

// shows reports whether an index has the rows of a component and an architecture.
func (x planned) shows(component, arch string) bool {
	return x.component == "" || x.component == component && slices.Contains(x.arches, arch)
}

// in returns what to ask the catalog for, to get the rows of an index.
func (x planned) in(from, to []byte) catalogdb.Range {
	return catalogdb.Range{From: from, To: to, Component: x.component, Arches: x.arches, Fragments: []int{x.fragment}}
}
