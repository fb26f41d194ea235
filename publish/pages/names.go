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

// name brings the pages of one package up to date, and its row in the list of names, unless the pages of versions alone are asked for.
func (w *work) name(ctx context.Context, g group) error {
	name, versions := g.name, g.versions
	all := len(versions) == 0
	if all {
		there, err := w.Catalog.PageVersions(ctx, w.repository, name)
		if err != nil {
			return err
		}
		left, err := w.leftovers(ctx, name)
		if err != nil {
			return err
		}
		versions = append(versionsOf(there), left...)
	}
	were, err := w.versionPages(ctx, name, versions, g.fresh)
	if err != nil || g.alone {
		return err
	}
	if all {
		versions = nil
	}
	if err := w.listPages(ctx, name, versions, were, g.fresh && len(were) == 0); err != nil {
		return err
	}
	return w.nameRow(ctx, name)
}

// listPages brings the lists of the versions of a package up to date, from that of the first changed version on: a version that came, or
// went, moves those after it. None means all; were are the keys of the pages of versions that were there before. They are made one after the
// other, so that a package with very many versions takes no more memory. If fresh, there is most likely none yet.
func (w *work) listPages(ctx context.Context, name string, changed []string, were map[string]bool, fresh bool) error {
	there, err := w.Catalog.PageVersions(ctx, w.repository, name)
	if err != nil {
		return err
	}
	pages := w.older(len(there))
	from, err := w.firstList(ctx, name, there, changed, were)
	if err != nil {
		return err
	}
	for n := from; n <= pages; n++ { // the last of them shows that there were so many, so it comes last
		if err := w.olderPage(ctx, name, n); err != nil {
			return err
		}
	}
	keys := []string{layout.NamePageKey(w.repository, name), layout.NameTwinKey(w.repository, name), layout.NameFeedKey(w.repository, name)}
	draw := func(objects) ([]model.Page, error) {
		n, ok, err := w.list(ctx, name, 0)
		if err != nil || !ok {
			return nil, err
		}
		return append(w.html.Name(n), w.twin.Name(n), w.twin.NameFeed(n)), nil
	}
	if fresh {
		looked, err := w.createAll(ctx, keys, draw)
		if err != nil || !looked { // the list of the newest versions goes before those of older ones: there are none of those either
			return err
		}
	} else if err := w.replace(ctx, keys, draw); err != nil {
		return err
	}
	return w.removeOlder(ctx, name, pages)
}

// firstList returns the number of the first page of older versions that may have changed. If there are more or fewer such pages now than
// objects, all may have: each says how many there are. So may they if a version is gone, or is on another page than before, from wherever it
// was: its first package was removed, and it counts from the next one.
func (w *work) firstList(ctx context.Context, name string, there []catalogdb.PageVersion, changed []string, were map[string]bool) (int, error) {
	pages := w.older(len(there))
	if len(changed) == 0 || pages == 0 {
		return 1, nil
	}
	for n, want := range map[int]bool{pages: true, pages + 1: false} {
		some, all, err := w.hasOlder(ctx, name, n)
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
		if !were[layout.VersionPageKey(w.repository, name, v)] {
			continue
		}
		n := min(i/w.limits.list+1, pages+1)
		if listed[n] == nil {
			var err error
			if listed[n], err = w.listedOn(ctx, name, n, pages); err != nil {
				return 1, err
			}
		}
		if !listed[n][v] {
			return 1, nil
		}
	}
	return min(first/w.limits.list+1, pages+1), nil
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
func (w *work) olderPage(ctx context.Context, name string, number int) error {
	keys := []string{layout.OlderPageKey(w.repository, name, number), layout.OlderTwinKey(w.repository, name, number)}
	return w.replace(ctx, keys, func(objects) ([]model.Page, error) {
		n, ok, err := w.list(ctx, name, number)
		if err != nil || !ok {
			return nil, err
		}
		return append(w.html.Name(n), w.twin.Name(n)), nil
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
func (w *work) list(ctx context.Context, name string, number int) (n model.Name, ok bool, err error) {
	there, err := w.Catalog.PageVersions(ctx, w.repository, name)
	if err != nil {
		return n, false, err
	}
	pages := w.older(len(there))
	some := there[pages*w.limits.list:]
	if number > pages || len(some) == 0 {
		return n, false, nil
	}
	n = model.Name{Repository: w.about, Package: name, Page: pages + 1, Pages: pages + 1}
	if number > 0 {
		n.Page, some = number, there[(number-1)*w.limits.list:number*w.limits.list]
	}
	newest := some[len(some)-1].Version
	rows, err := w.Catalog.PagePackages(ctx, w.repository, name, versionsOf(some), false)
	if err != nil {
		return n, false, err
	}
	byVersion := map[string][]model.Package{}
	for _, row := range rows {
		p := w.packageOf(row, false)
		byVersion[row.Version] = append(byVersion[row.Version], p)
		for _, in := range p.In {
			if in.Since != nil && in.Since.After(n.AsOf) {
				n.AsOf = *in.Since
			}
		}
	}
	for _, v := range slices.Backward(some) {
		if len(byVersion[v.Version]) > 0 {
			n.Versions = append(n.Versions, model.Version{Version: v.Version, First: v.First, Packages: byVersion[v.Version]})
		}
	}
	n.Summary, n.Homepage, err = w.says(ctx, name, newest)
	return n, err == nil && len(n.Versions) > 0, err
}

// says returns what a version of a package says of itself in one line.
func (w *work) says(ctx context.Context, name, version string) (summary, homepage string, err error) {
	rows, err := w.Catalog.PagePackages(ctx, w.repository, name, []string{version}, true)
	for _, row := range rows {
		if f := w.factsOf(row); f != nil && f.Summary != "" {
			return f.Summary, f.Homepage, nil
		}
	}
	return "", "", err
}

// nameRow brings the row of a package in the list of names up to date.
func (w *work) nameRow(ctx context.Context, name string) error {
	there, err := w.Catalog.PageVersions(ctx, w.repository, name)
	if err != nil {
		return err
	}
	if len(there) == 0 {
		_, err := w.Catalog.DeletePageName(ctx, w.repository, name)
		return err
	}
	n := catalogdb.PageName{Name: name, Version: there[len(there)-1].Version, Level: w.level(name)}
	var highest []byte
	formats := map[catalog.Format]bool{}
	for some := range slices.Chunk(there, w.limits.list) { // memory is that of a page
		rows, err := w.Catalog.PagePackages(ctx, w.repository, name, versionsOf(some), false)
		if err != nil {
			return err
		}
		for _, row := range rows {
			for _, in := range row.In {
				if row.State != catalog.Yanked && in.Since != nil && in.Since.After(n.At) {
					n.At = *in.Since
				}
			}
			formats[row.Format] = true
			if row.State == catalog.Yanked {
				continue
			}
			n.Packages++
			if bytes.Compare(row.SortKey, highest) >= 0 {
				highest, n.Version = row.SortKey, row.Version
			}
		}
	}
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		if formats[f] {
			n.Formats = append(n.Formats, f)
		}
	}
	if n.Summary, _, err = w.says(ctx, name, n.Version); err != nil {
		return err
	}
	if n.At.IsZero() {
		n.At = there[len(there)-1].First
	}
	_, err = w.Catalog.PutPageName(ctx, w.repository, n)
	return err
}
