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
func (w *work) versionPages(ctx context.Context, name string, versions []string, fresh bool) (were map[string]bool, err error) {
	were = map[string]bool{}
	var keys []string
	for _, v := range versions {
		keys = append(keys, layout.VersionPageKey(w.repository, name, v))
	}
	slices.Sort(keys)
	for some := range slices.Chunk(slices.Compact(keys), chunk) {
		draw := func(old objects) (pages []model.Page, err error) {
			there, err := w.Catalog.PageVersions(ctx, w.repository, name)
			if err != nil {
				return nil, err
			}
			byKey := map[string][]catalogdb.PageVersion{}
			for _, v := range there {
				key := layout.VersionPageKey(w.repository, name, v.Version)
				byKey[key] = append(byKey[key], v)
			}
			for _, key := range some {
				if old[key].version != "" {
					were[key] = true
				}
				drawn, files, err := w.versionPage(ctx, name, key, byKey[key])
				if err != nil {
					return nil, err
				}
				if err := w.removeFiles(ctx, name, old[key].body, files); err != nil {
					return nil, err
				}
				pages = append(pages, drawn...)
			}
			return pages, nil
		}
		if fresh {
			_, err = w.createAll(ctx, some, draw)
		} else {
			err = w.replace(ctx, some, draw)
		}
		if err != nil {
			return nil, err
		}
	}
	return were, nil
}

// versionPage draws the page of versions that share a key: they differ in the epoch alone. files are the lists of files of its packages,
// also those that are being read now.
func (w *work) versionPage(ctx context.Context, name, key string, versions []catalogdb.PageVersion) (drawn []model.Page, files map[string]bool, err error) {
	files = map[string]bool{}
	if len(versions) == 0 {
		return nil, files, nil
	}
	rows, err := w.Catalog.PagePackages(ctx, w.repository, name, versionsOf(versions), true)
	if err != nil || len(rows) == 0 { // the last one was removed just now
		return nil, files, err
	}
	if err := w.createFiles(ctx, name, rows); err != nil {
		return nil, files, err
	}
	if err := w.wantContents(ctx, rows); err != nil {
		return nil, files, err
	}
	v := model.Version{Version: path.Base(path.Dir(key)), First: versions[0].First}
	for _, row := range rows {
		files[layout.FilesPageKey(w.repository, name, row.File.SHA256)] = true
		v.Packages = append(v.Packages, w.packageOf(row, true))
	}
	return w.html.VersionPage(model.VersionPage{Repository: w.about, Package: name, Version: v}), files, nil
}

func versionsOf(some []catalogdb.PageVersion) []string {
	all := make([]string, len(some))
	for i, v := range some {
		all[i] = v.Version
	}
	return all
}

// packageOf returns what pages say of a row.
func (w *work) packageOf(row catalogdb.PagePackage, withFacts bool) model.Package {
	p := model.Package{Package: row.Package, Files: w.filesOf(row), Phase: row.Phase}
	if row.Contents != nil {
		p.NoFiles = row.Contents.Why
	}
	if withFacts {
		p.Facts = w.factsOf(row)
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
func (w *work) factsOf(row catalogdb.PagePackage) *facts.Facts {
	if row.Format == catalog.DEB {
		f := facts.DEB(row.Stanza)
		if row.Contents != nil {
			f.Changelog = facts.DEBChangelog(row.Contents.Changelog)
		}
		return f
	}
	f, err := facts.RPM(row.Primary, row.Other)
	if err != nil {
		w.Log.Warn("a package says nothing on its page: its row cannot be read", "repository", w.repository.String(), "package", row.Name, "version", row.Version, "error", err)
		return nil
	}
	return f
}
