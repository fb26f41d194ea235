package pages

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"

	"repomill/publish/pages/model"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// older returns how many pages of older versions there are, of so many versions.
func (m *Maker) older(versions int) int { return max(0, versions/m.limits.list-1) }

// makeName brings the pages of one package up to date, and its row in the list of names, unless the pages of versions alone are asked for.
func (w *work) makeName(ctx context.Context, g group) error {
	fresh, versions := g.fresh, g.versions
	all := len(versions) == 0
	if all {
		left, err := w.leftovers(ctx, g.name)
		if err != nil {
			return err
		}
		fresh, versions = fresh && len(left) == 0, left
	}
	n, err := w.of(ctx, g.name, fresh)
	if err != nil {
		return err
	}
	if all {
		there, err := n.versions(ctx)
		if err != nil {
			return err
		}
		versions = append(versionsOf(there), versions...)
	}
	were, err := n.versionPages(ctx, versions, fresh)
	if err != nil || g.alone {
		return err
	}
	if all {
		versions = nil
	}
	if err := n.listPages(ctx, versions, were, fresh && len(were) == 0); err != nil {
		return err
	}
	return n.nameRow(ctx)
}

// listPages brings the lists of the versions of a package up to date, from that of the first changed version on: a version that came, or
// went, moves those after it. None means all; were are the keys of the pages of versions that were there before. They are made one after the
// other, so that a package with very many versions takes no more memory. If fresh, there is most likely none yet.
func (n *nameWork) listPages(ctx context.Context, changed []string, were map[string]bool, fresh bool) error {
	there, err := n.versions(ctx)
	if err != nil {
		return err
	}
	pages := n.older(len(there))
	from, err := n.firstList(ctx, there, changed, were)
	if err != nil {
		return err
	}
	for number := from; number <= pages; number++ { // the last of them shows that there were so many, so it comes last
		if err := n.olderPage(ctx, number); err != nil {
			return err
		}
	}
	keys := []string{layout.NamePageKey(n.repository, n.name), layout.NameTwinKey(n.repository, n.name), layout.NameFeedKey(n.repository, n.name)}
	draw := func(objects) ([]model.Page, error) {
		l, ok, err := n.list(ctx, 0)
		if err != nil || !ok {
			return nil, err
		}
		return append(n.html.Name(l), n.twin.Name(l), n.twin.NameFeed(l)), nil
	}
	if fresh {
		looked, err := n.createAll(ctx, keys, draw)
		if err != nil || !looked { // the list of the newest versions goes before those of older ones: there are none of those either
			return err
		}
	} else if err := n.replace(ctx, keys, draw); err != nil {
		return err
	}
	return n.removeOlder(ctx, n.name, pages)
}

// firstList returns the number of the first page of older versions that may have changed. If there are more or fewer such pages now than
// objects, all may have: each says how many there are. So may they if a version is gone, or is on another page than before, from wherever it
// was: its first package was removed, and it counts from the next one.
func (n *nameWork) firstList(ctx context.Context, there []catalogdb.PageVersion, changed []string, were map[string]bool) (int, error) {
	pages := n.older(len(there))
	if len(changed) == 0 || pages == 0 {
		return 1, nil
	}
	for number, want := range map[int]bool{pages: true, pages + 1: false} {
		some, all, err := n.hasOlder(ctx, n.name, number)
		if err != nil || some != want || all != want {
			return 1, err
		}
	}
	first := len(there)
	listed := map[int]map[string]bool{} // by page: versions
	for _, v := range changed {
		i := slices.IndexFunc(there, func(o catalogdb.PageVersion) bool { return o.Version == v })
		if i < 0 {
			return 1, nil
		}
		first = min(first, i)
		if !were[layout.VersionPageKey(n.repository, n.name, v)] {
			continue
		}
		number := min(i/n.limits.list+1, pages+1)
		if listed[number] == nil {
			var err error
			if listed[number], err = n.listedOn(ctx, n.name, number, pages); err != nil {
				return 1, err
			}
		}
		if !listed[number][v] {
			return 1, nil
		}
	}
	return min(first/n.limits.list+1, pages+1), nil
}

// listedOn returns the versions that an object lists: that of a page of older versions or, beyond those, of the newest ones.
func (w *work) listedOn(ctx context.Context, name string, number, pages int) (versions map[string]bool, err error) {
	key := layout.NameTwinKey(w.repository, name)
	if number <= pages {
		key = layout.OlderTwinKey(w.repository, name, number)
	}
	body, _, err := tree.ReadSmall(ctx, w.Bucket, key)
	if err != nil {
		return nil, err
	}
	var says struct{ Versions []struct{ Version string } }
	versions = map[string]bool{}
	if json.Unmarshal(body, &says) != nil { // there is none, or of another form
		return versions, nil
	}
	for _, v := range says.Versions {
		versions[v.Version] = true
	}
	return versions, nil
}

// olderPage brings one page of older versions up to date.
func (n *nameWork) olderPage(ctx context.Context, number int) error {
	keys := []string{layout.OlderPageKey(n.repository, n.name, number), layout.OlderTwinKey(n.repository, n.name, number)}
	return n.replace(ctx, keys, func(objects) ([]model.Page, error) {
		l, ok, err := n.list(ctx, number)
		if err != nil || !ok {
			return nil, err
		}
		return append(n.html.Name(l), n.twin.Name(l)), nil
	})
}

// hasOlder reports whether there is a page of older versions or its twin, and whether there are both: an attempt that failed leaves one.
func (w *work) hasOlder(ctx context.Context, name string, number int) (some, all bool, err error) {
	return w.hasBoth(ctx, layout.OlderPageKey(w.repository, name, number), layout.OlderTwinKey(w.repository, name, number))
}

// hasBoth reports whether there is a page or its twin, and whether there are both.
func (w *work) hasBoth(ctx context.Context, page, twin string) (some, all bool, err error) {
	first, err := w.has(ctx, page)
	if err != nil {
		return false, false, err
	}
	second, err := w.has(ctx, twin)
	return first || second, first && second, err
}

// removeOlder removes the pages of older versions beyond the last one.
func (w *work) removeOlder(ctx context.Context, name string, pages int) error {
	return w.removeNumbered(ctx, pages, func(n int) (page, twin string) {
		return layout.OlderPageKey(w.repository, name, n), layout.OlderTwinKey(w.repository, name, n)
	})
}

// removeNumbered removes numbered pages beyond the last one, and their twins: the highest first, so that none is overlooked after a crash.
func (w *work) removeNumbered(ctx context.Context, pages int, keys func(number int) (page, twin string)) error {
	last := pages
	for {
		page, twin := keys(last + 1)
		some, _, err := w.hasBoth(ctx, page, twin)
		if err != nil {
			return err
		}
		if !some {
			break
		}
		last++
	}
	for n := last; n > pages; n-- {
		page, twin := keys(n)
		if err := w.removeKey(ctx, twin); err != nil {
			return err
		}
		if err := w.removeKey(ctx, page); err != nil {
			return err
		}
	}
	return nil
}

// list returns a list of versions: of a page of older ones, or the newest for 0. There is none if the page has no versions any more.
func (n *nameWork) list(ctx context.Context, number int) (l model.Name, ok bool, err error) {
	there, err := n.versions(ctx)
	if err != nil {
		return l, false, err
	}
	pages := n.older(len(there))
	some := there[pages*n.limits.list:]
	if number > pages || len(some) == 0 {
		return l, false, nil
	}
	l = model.Name{Repository: n.about, Package: n.name, Page: pages + 1, Pages: pages + 1}
	if number > 0 {
		l.Page, some = number, there[(number-1)*n.limits.list:number*n.limits.list]
	}
	rows, err := n.packages(ctx, some, false)
	if err != nil {
		return l, false, err
	}
	byVersion := map[string][]model.Package{}
	for _, row := range rows {
		p := n.packageOf(row, nil)
		byVersion[row.Version] = append(byVersion[row.Version], p)
		for _, in := range p.In {
			if in.Since != nil && in.Since.After(l.AsOf) {
				l.AsOf = *in.Since
			}
		}
	}
	for _, v := range slices.Backward(some) {
		if len(byVersion[v.Version]) > 0 {
			l.Versions = append(l.Versions, model.Version{Version: v.Version, First: v.First, Packages: byVersion[v.Version]})
		}
	}
	says, err := n.says(ctx, ofVersion(rows, some[len(some)-1].Version))
	l.Summary, l.Homepage = says.summary, says.homepage
	return l, err == nil && len(l.Versions) > 0, err
}

// ofVersion returns the packages of one version.
func ofVersion(packages []catalogdb.PagePackage, version string) (some []catalogdb.PagePackage) {
	for _, row := range packages {
		if row.Version == version {
			some = append(some, row)
		}
	}
	return some
}

// nameRow brings the row of the package in the list of names up to date. Nothing but the time of this question says whether the row is newer
// than that of another process: what is kept is not used.
func (n *nameWork) nameRow(ctx context.Context) error {
	n.kept = nil
	there, err := n.versions(ctx)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		_, err := n.Catalog.DeletePageName(ctx, n.repository, n.name)
		return err
	}
	row := catalogdb.PageName{Name: n.name, Version: there[len(there)-1].Version, Level: n.level(n.name)}
	var highest []byte
	var shown []catalogdb.PagePackage // the packages of the version that the row says
	formats := map[catalog.Format]bool{}
	for some := range slices.Chunk(there, n.limits.list) { // memory is that of a page
		packages, err := n.packages(ctx, some, false)
		if err != nil {
			return err
		}
		for _, p := range packages {
			for _, in := range p.In {
				if p.State != catalog.Yanked && in.Since != nil && in.Since.After(row.At) {
					row.At = *in.Since
				}
			}
			formats[p.Format] = true
			if p.State == catalog.Yanked {
				continue
			}
			row.Packages++
			if bytes.Compare(p.SortKey, highest) >= 0 {
				highest, row.Version = p.SortKey, p.Version
			}
		}
		if of := ofVersion(packages, row.Version); len(of) > 0 {
			shown = of
		}
	}
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		if formats[f] {
			row.Formats = append(row.Formats, f)
		}
	}
	says, err := n.says(ctx, shown)
	if err != nil {
		return err
	}
	if row.Summary = says.summary; row.At.IsZero() {
		row.At = there[len(there)-1].First
	}
	_, err = n.Catalog.PutPageName(ctx, n.repository, row)
	return err
}
