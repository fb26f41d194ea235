package html

import (
	"slices"
	"strings"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/schemas/layout"
)

// A relationGroup is packages with equal dependencies.
type relationGroup struct {
	In        string // empty: all packages
	Relations []facts.Relation
}

// relations returns the dependencies of packages. Packages whose dependencies are equal are one group.
func relations(packages []model.Package) (groups []relationGroup) {
	index := map[string]int{}
	var in [][]string
	members := 0
	for _, k := range packages {
		if k.Facts == nil {
			continue
		}
		members++
		id := relationsID(k.Facts.Relations)
		i, ok := index[id]
		if !ok {
			i = len(groups)
			index[id] = i
			groups, in = append(groups, relationGroup{Relations: k.Facts.Relations}), append(in, nil)
		}
		in[i] = append(in[i], k.Distribution.String()+" "+k.Arch)
	}
	if len(groups) == 1 && len(groups[0].Relations) == 0 {
		return nil
	}
	bound(groups)
	if len(groups) == 1 && len(in[0]) == len(packages) {
		return groups
	}
	for i := range groups {
		groups[i].In = listed(in[i])
	}
	return groups
}

// maxRelations bounds in bytes the dependencies on a page: those of very many packages may all differ.
const maxRelations = 2_500_000

// bound leaves out the dependencies that are too many for a page, and counts them.
func bound(groups []relationGroup) {
	left := maxRelations
	for i := range groups {
		groups[i].Relations = slices.Clone(groups[i].Relations)
		for j := range groups[i].Relations {
			r := &groups[i].Relations[j]
			n := 0
			for n < len(r.Items) && left >= len(r.Items[n]) {
				left -= len(r.Items[n])
				n++
			}
			if n < len(r.Items) {
				left = 0
			}
			r.Items, r.More = r.Items[:n], r.More+len(r.Items)-n
		}
	}
}

// relationsID returns a text that is equal for equal dependencies alone.
func relationsID(all []facts.Relation) string {
	var b strings.Builder
	for _, r := range all {
		b.WriteString(r.Kind)
		for _, item := range r.Items {
			b.WriteByte(0)
			b.WriteString(item)
		}
		b.WriteByte(1)
	}
	return b.String()
}

// maxListed is the number of packages that are listed by distribution and architecture.
const maxListed = 24

// listed returns distributions, each with its architectures if those follow a blank: "ubuntu/jammy (amd64, arm64), ubuntu/noble (amd64)".
func listed(packages []string) string {
	if len(packages) > maxListed {
		distributions := map[string]bool{}
		for _, k := range packages {
			d, _, _ := strings.Cut(k, " ")
			distributions[d] = true
		}
		return layout.Counted(len(packages), "package") + " of " + layout.Counted(len(distributions), "distribution")
	}
	var b strings.Builder
	before := ""
	var archs []string
	flush := func() {
		if len(archs) > 0 {
			b.WriteString(" (" + strings.Join(archs, ", ") + ")")
		}
		archs = nil
	}
	for _, k := range packages {
		d, arch, _ := strings.Cut(k, " ")
		if d != before {
			flush()
			if before != "" {
				b.WriteString(", ")
			}
			b.WriteString(d)
			before = d
		}
		if arch != "" {
			archs = append(archs, arch)
		}
	}
	flush()
	return b.String()
}
