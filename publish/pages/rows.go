package pages

import (
	"context"
	"slices"

	"repomill/publish/pages/model"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A nameWork is the work on the pages of one package. Its methods are not for concurrent calls.
type nameWork struct {
	*work
	name string
	kept *nameRows       // what was read before any page was written, while no page replaces an object
	said map[string]line // by the digests of files: what packages say of themselves
}

// nameRows are the rows of a name.
type nameRows struct {
	versions []catalogdb.PageVersion
	packages []catalogdb.PagePackage // of all versions, with fragments
}

// A line is what a package says of itself in one line.
type line struct{ summary, homepage string }

// of begins the work on a package. The rows of one that has no page yet, and few versions, are read once: a page that is created replaces
// none that was made of newer rows.
func (w *work) of(ctx context.Context, name string, fresh bool) (*nameWork, error) {
	n := &nameWork{work: w, name: name, said: map[string]line{}}
	if !fresh {
		return n, nil
	}
	versions, err := n.versions(ctx)
	if err != nil || len(versions) > chunk || n.older(len(versions)) > 0 { // pages of older versions replace what is there
		return n, err
	}
	packages, err := n.packages(ctx, versions, true)
	if err == nil {
		n.kept = &nameRows{versions, packages}
	}
	return n, err
}

// versions returns the versions of the package, the first upload first.
func (n *nameWork) versions(ctx context.Context) ([]catalogdb.PageVersion, error) {
	if n.kept != nil {
		return n.kept.versions, nil
	}
	return n.Catalog.PageVersions(ctx, n.repository, n.name)
}

// packages returns the packages of versions, at least one, in the order of [Catalog].PagePackages; with fragments if they are asked for.
func (n *nameWork) packages(ctx context.Context, versions []catalogdb.PageVersion, fragments bool) (some []catalogdb.PagePackage, err error) {
	if n.kept == nil {
		return n.Catalog.PagePackages(ctx, n.repository, n.name, versionsOf(versions), fragments)
	}
	wanted := versionsOf(versions)
	for _, row := range n.kept.packages {
		if slices.Contains(wanted, row.Version) {
			some = append(some, row)
		}
	}
	return some, nil
}

// createAll brings the objects of keys up to date, of which most likely there is none: it draws the pages, and creates them. If there is one, or a key
// has no page, it does what replace does, and reports that it has looked.
func (n *nameWork) createAll(ctx context.Context, keys []string, draw func(old objects) ([]model.Page, error)) (looked bool, err error) {
	none := make(objects, len(keys))
	for _, key := range keys {
		none[key] = object{}
	}
	drawn, err := draw(none)
	if err != nil {
		return false, err
	}
	if len(drawn) == len(keys) {
		if err = n.swapAll(ctx, none, drawn); !isConflict(err) {
			return false, err
		}
	}
	n.kept = nil // rows are read after the objects that their pages replace
	return true, n.replace(ctx, keys, draw)
}

// says returns what the first of some packages that says something says of itself in one line. They are the packages of one version.
func (n *nameWork) says(ctx context.Context, packages []catalogdb.PagePackage) (line, error) {
	known := func(row catalogdb.PagePackage) bool { _, ok := n.said[row.File.SHA256]; return ok }
	if i := slices.IndexFunc(packages, func(row catalogdb.PagePackage) bool { return !known(row) }); i >= 0 {
		rows, err := n.packages(ctx, []catalogdb.PageVersion{{Version: packages[i].Version}}, true)
		if err != nil {
			return line{}, err
		}
		for _, row := range rows {
			if !known(row) {
				n.factsOf(row)
			}
		}
	}
	for _, row := range packages {
		if l := n.said[row.File.SHA256]; l.summary != "" {
			return l, nil
		}
	}
	return line{}, nil
}

func versionsOf(some []catalogdb.PageVersion) []string {
	all := make([]string, len(some))
	for i, v := range some {
		all[i] = v.Version
	}
	return all
}

// byKey returns versions by the keys of their pages: those that differ in the epoch alone share one.
func (n *nameWork) byKey(versions []catalogdb.PageVersion) map[string][]catalogdb.PageVersion {
	all := map[string][]catalogdb.PageVersion{}
	for _, v := range versions {
		key := layout.VersionPageKey(n.repository, n.name, v.Version)
		all[key] = append(all[key], v)
	}
	return all
}
