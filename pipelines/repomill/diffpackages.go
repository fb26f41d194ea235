package main

import (
	"bytes"
	"cmp"
	"context"
	"iter"
	"maps"
	"slices"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A diffChange is how a package of B differs from one of A.
type diffChange string

const (
	diffSame     diffChange = "same"
	diffAdded    diffChange = "added"
	diffRemoved  diffChange = "removed"
	diffChanged  diffChange = "changed"  // another version
	diffReplaced diffChange = "replaced" // the same version, with other bytes
)

// A diffItem is one name and architecture in A and in B; From or To is nil if it is not there.
type diffItem struct {
	Change       diffChange   `json:"change"`
	Distribution string       `json:"distribution"`
	Component    string       `json:"component,omitempty"`
	Name         string       `json:"name"`
	Arch         string       `json:"arch"`
	From         *diffVersion `json:"from,omitempty"`
	To           *diffVersion `json:"to,omitempty"`
}

// A diffVersion is a package of A or B.
type diffVersion struct {
	Version string `json:"version"`
	Size    int64  `json:"size"` // of its file, in bytes
	SHA256  string `json:"sha256"`
}

// A diffPair is two distributions that are compared; one of them may be absent.
type diffPair struct {
	name string // of the distribution or, if they differ, of both
	a, b []catalogdb.PublishedState
}

// pairsOf returns which distributions are compared: those of one name, or the two that were named.
func pairsOf(a, b diffSide) (pairs []diffPair, err error) {
	inA, inB := catalogdb.ByDistribution(a.states), catalogdb.ByDistribution(b.states)
	if !a.target.Whole() {
		if rpm := a.states[0].Release.Arch != ""; rpm != (b.states[0].Release.Arch != "") {
			return nil, command.Usage("%s and %s: one is of DEB packages and the other of RPM packages", a.text, b.text)
		}
		name := a.target.Distribution.String()
		if other := b.target.Distribution.String(); other != name {
			name += " -> " + other
		}
		return []diffPair{{name, a.states, b.states}}, nil
	}
	both := maps.Clone(inA)
	maps.Copy(both, inB)
	for d := range both {
		pairs = append(pairs, diffPair{d.String(), inA[d], inB[d]})
	}
	slices.SortFunc(pairs, func(x, y diffPair) int { return cmp.Compare(x.name, y.name) })
	return pairs, nil
}

// compare calls report for each name and architecture, also where nothing differs, in the order of names. It holds what has one name.
func (p diffPair) compare(ctx context.Context, db *catalogdb.DB, componentA, componentB string, report func(diffItem)) error {
	nextA, stopA := iter.Pull2(byName(db.PackagesAt(ctx, p.a, componentA)))
	defer stopA()
	nextB, stopB := iter.Pull2(byName(db.PackagesAt(ctx, p.b, componentB)))
	defer stopB()
	a, err, moreA := nextA()
	if err != nil {
		return err
	}
	b, err, moreB := nextB()
	for moreA || moreB {
		if err != nil {
			return err
		}
		order := 0
		switch {
		case !moreA:
			order = 1
		case !moreB:
			order = -1
		default:
			order = cmp.Compare(a[0].Name, b[0].Name)
		}
		var inA, inB []catalog.Package
		if order <= 0 {
			inA = a
		}
		if order >= 0 {
			inB = b
		}
		p.compareName(inA, inB, componentA != "", report)
		if order <= 0 {
			if a, err, moreA = nextA(); err != nil {
				return err
			}
		}
		if order >= 0 {
			b, err, moreB = nextB()
		}
	}
	return err
}

// byName yields the packages of each name.
func byName(all iter.Seq2[catalog.Package, error]) iter.Seq2[[]catalog.Package, error] {
	return func(yield func([]catalog.Package, error) bool) {
		var some []catalog.Package
		for k, err := range all {
			if err != nil {
				yield(nil, err)
				return
			}
			if len(some) > 0 && some[0].Name != k.Name {
				if !yield(some, nil) {
					return
				}
				some = nil
			}
			some = append(some, k)
		}
		if len(some) > 0 {
			yield(some, nil)
		}
	}
}

// A diffKey is what packages of A and B have in common. Two components are compared without their names.
type diffKey struct{ component, arch string }

// compareName compares the packages of one name.
func (p diffPair) compareName(a, b []catalog.Package, components bool, report func(diffItem)) {
	sort := func(packages []catalog.Package) map[diffKey][]catalog.Package {
		all := map[diffKey][]catalog.Package{}
		for _, k := range packages {
			key := diffKey{k.Component, k.Arch}
			if components {
				key.component = ""
			}
			all[key] = append(all[key], k)
		}
		return all
	}
	inA, inB := sort(a), sort(b)
	keys := maps.Clone(inA)
	maps.Copy(keys, inB)
	for _, key := range slices.SortedFunc(maps.Keys(keys), func(x, y diffKey) int {
		return cmp.Or(cmp.Compare(x.component, y.component), cmp.Compare(x.arch, y.arch))
	}) {
		p.compareVersions(key, inA[key], inB[key], report)
	}
}

// compareVersions compares the versions of one name and architecture. If A and B have none in common, the newest ones are one change.
func (p diffPair) compareVersions(key diffKey, a, b []catalog.Package, report func(diffItem)) {
	item := func(change diffChange, from, to *catalog.Package) {
		i := diffItem{Change: change, Distribution: p.name, Component: key.component, Arch: key.arch}
		if from != nil {
			i.Name, i.From = from.Name, &diffVersion{from.Version, from.File.Size, from.File.SHA256}
		}
		if to != nil {
			i.Name, i.To = to.Name, &diffVersion{to.Version, to.File.Size, to.File.SHA256}
		}
		report(i)
	}
	common := 0
	var onlyA []catalog.Package
	for _, k := range a {
		i := slices.IndexFunc(b, func(o catalog.Package) bool { return o.Canonical == k.Canonical })
		switch {
		case i < 0:
			onlyA = append(onlyA, k)
			continue
		case b[i].File.SHA256 != k.File.SHA256:
			item(diffReplaced, &k, &b[i])
		default:
			item(diffSame, &k, &b[i])
		}
		common++
		b = slices.Concat(b[:i], b[i+1:])
	}
	older := func(x, y catalog.Package) int { return bytes.Compare(x.SortKey, y.SortKey) }
	slices.SortFunc(onlyA, older)
	b = slices.SortedFunc(slices.Values(b), older)
	if n, m := len(onlyA), len(b); common == 0 && n > 0 && m > 0 {
		item(diffChanged, &onlyA[n-1], &b[m-1])
		onlyA, b = onlyA[:n-1], b[:m-1]
	}
	for i := range onlyA {
		item(diffRemoved, &onlyA[i], nil)
	}
	for i := range b {
		item(diffAdded, nil, &b[i])
	}
}
