package pages

import (
	"context"
	"path"
	"slices"

	"repomill/publish/pages/facts"
	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// chunk is how many version pages are read, and then drawn, at a time.
const chunk = 16

// versionPages brings the pages of versions up to date; those of versions that are gone are removed, with the lists of files that they
// link. Versions are as listed, with their epochs; if fresh, none is expected to have a page. were are the keys of those that had a page before.
func (n *nameWork) versionPages(ctx context.Context, versions []string, fresh bool) (were map[string]bool, err error) {
	were = map[string]bool{}
	var keys []string
	for _, v := range versions {
		keys = append(keys, layout.VersionPageKey(n.repository, n.name, v))
	}
	slices.Sort(keys)
	for some := range slices.Chunk(slices.Compact(keys), chunk) {
		draw := func(old objects) (pages []model.Page, err error) {
			there, err := n.versions(ctx)
			if err != nil {
				return nil, err
			}
			byKey := n.byKey(there)
			for _, key := range some {
				if old[key].version != "" {
					were[key] = true
				}
				drawn, files, err := n.versionPage(ctx, key, byKey[key])
				if err != nil {
					return nil, err
				}
				if err := n.removeFiles(ctx, n.name, old[key].body, files); err != nil {
					return nil, err
				}
				pages = append(pages, drawn...)
			}
			return pages, nil
		}
		if fresh {
			_, err = n.createAll(ctx, some, draw)
		} else {
			err = n.replace(ctx, some, draw)
		}
		if err != nil {
			return nil, err
		}
	}
	return were, nil
}

// versionPage draws the page of versions that share a key: they differ in the epoch alone. files are the lists of files of its packages,
// also those that are being read now.
func (n *nameWork) versionPage(ctx context.Context, key string, versions []catalogdb.PageVersion) (drawn []model.Page, files map[string]bool, err error) {
	files = map[string]bool{}
	if len(versions) == 0 {
		return nil, files, nil
	}
	rows, err := n.packages(ctx, versions, true)
	if err != nil || len(rows) == 0 { // the last one was removed just now
		return nil, files, err
	}
	if err := n.createFiles(ctx, rows); err != nil {
		return nil, files, err
	}
	if err := n.wantContents(ctx, rows); err != nil {
		return nil, files, err
	}
	v := model.Version{Version: path.Base(path.Dir(key)), First: versions[0].First}
	for _, row := range rows {
		files[layout.FilesPageKey(n.repository, n.name, row.File.SHA256)] = true
		v.Packages = append(v.Packages, n.packageOf(row, n.factsOf(row)))
	}
	return n.html.VersionPage(model.VersionPage{Repository: n.about, Package: n.name, Version: v}), files, nil
}

// packageOf returns what pages say of a row, with what its package says of itself or nil.
func (w *work) packageOf(row catalogdb.PagePackage, of *facts.Facts) model.Package {
	p := model.Package{Package: row.Package, Files: w.filesOf(row), Phase: row.Phase, Facts: of}
	if row.Contents != nil {
		p.NoFiles = row.Contents.Why
	}
	p.Stanza, p.Primary, p.Filelists, p.Other = nil, nil, nil, nil
	for _, in := range row.In {
		at := model.Placement{Release: in.Release, Since: in.Since, From: in.From, Key: row.Key}
		if row.Format == catalog.RPM {
			at.Key = layout.RPMKey(row.Package, in.Release.Arch)
		}
		p.In = append(p.In, at)
	}
	return p
}

// factsOf returns what a package says of itself; nothing if its fragments cannot be read.
func (n *nameWork) factsOf(row catalogdb.PagePackage) (f *facts.Facts) {
	if row.Format == catalog.DEB {
		f = facts.DEB(row.Stanza)
		if row.Contents != nil {
			f.Changelog = facts.DEBChangelog(row.Contents.Changelog)
		}
	} else {
		var err error
		if f, err = facts.RPM(row.Primary, row.Other); err != nil {
			n.Log.Warn("a package says nothing on its page: its row cannot be read", "repository", n.repository.String(), "package", row.Name, "version", row.Version, "error", err)
			f = nil
		}
	}
	n.said[row.File.SHA256] = line{}
	if f != nil {
		n.said[row.File.SHA256] = line{f.Summary, f.Homepage}
	}
	return f
}
