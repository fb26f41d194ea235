package client

import (
	"cmp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A whereabouts is where a package is out, and where not.
type whereabouts struct {
	rows   []placement // by release, component and package
	places int         // components of distributions that have the name, in any version
	site   string      // where clients were asked what they see; empty if they were not
	out    int         // of the places, in which it is out for all architectures of the name
}

// locate returns where the packages are that were looked for, and what is known of them where they are not.
func (l lookup) locate(found catalogdb.Located, uploads []catalogdb.PushedUpload) (w whereabouts) {
	named := map[string]bool{} // distributions
	for _, s := range l.spots(found, uploads) {
		if len(s.rows)+len(s.others) == 0 {
			continue
		}
		s.rows = append(s.rows, l.missing(s)...)
		w.rows = append(w.rows, s.rows...)
		named[s.place.Distribution.String()] = true
	}
	for _, ds := range found.Settings.Distributions {
		r := catalog.Release{Repository: found.Settings.Repository, Distribution: ds.Distribution}
		if !named[ds.Distribution.String()] && l.hasPart(r, ds) {
			w.rows = append(w.rows, placement{Release: r.String(), State: placeAbsent, Detail: "nothing of that name was published or pushed here", release: r})
		}
	}
	slices.SortFunc(w.rows, func(a, b placement) int {
		return cmp.Or(cmp.Compare(a.Release, b.Release), cmp.Compare(a.Name, b.Name), slices.Compare(a.pkg.SortKey, b.pkg.SortKey), cmp.Compare(a.Component, b.Component), cmp.Compare(a.Arch, b.Arch))
	})
	w.count()
	return w
}

// count counts the places that have a name, and those of them in which it is out.
func (w *whereabouts) count() {
	rows := map[spot][]placement{}
	for _, row := range w.rows {
		if row.Counts {
			key := spot{row.release.Distribution.String(), row.Component, row.Name}
			rows[key] = append(rows[key], row)
		}
	}
	places := map[spot]bool{}
	for key, some := range rows {
		place := spot{key.distribution, key.component, ""}
		was, counted := places[place]
		places[place] = out(some) && (was || !counted)
	}
	w.places, w.out = len(places), 0
	for _, isOut := range places {
		if isOut {
			w.out++
		}
	}
}

// hasPart reports whether the target has a part of a distribution.
func (l lookup) hasPart(r catalog.Release, ds catalog.DistributionSettings) bool {
	return slices.ContainsFunc(slices.Concat(ds.Components, ds.Architectures), func(part string) bool { return l.covers(r.Repository, r.Distribution, part) })
}

// out reports whether clients see a name in one place: of each of its architectures, some package that was looked for, in all
// releases that it belongs to.
func out(rows []placement) bool {
	type version struct{ arch, version string }
	versions, arches := map[version]bool{}, map[string]bool{}
	for _, row := range rows {
		key := version{row.Arch, row.Version}
		was, known := versions[key]
		versions[key] = row.isOut() && (was || !known)
		arches[row.Arch] = false
	}
	for v, isOut := range versions {
		arches[v.arch] = arches[v.arch] || isOut
	}
	for _, isOut := range arches {
		if !isOut {
			return false
		}
	}
	return true
}

// isOut reports whether clients see the package, as far as the catalog, or with --verify their view, says.
func (row placement) isOut() bool {
	return row.State == placeOut && (row.Seen == nil || row.Seen.State == seenThere)
}

// maxStatusUploads is how many of the newest uploads of each state are searched.
const maxStatusUploads = 5000

// uploads returns the newest uploads of the pattern's packages for each place and file, by the names of the files. What was pushed
// to a distribution that the repository does not have is left out.
func (l lookup) uploads(s catalog.Settings, uploads []catalogdb.PushedUpload) (rows []placement) {
	seen := map[string]bool{}
	for _, u := range uploads { // newest first
		at, rej := layout.ParseStaging(u.Object)
		if rej != nil {
			continue
		}
		ds, declared := s.Find(at.Distribution)
		k, ok := packageOf(u, at.File)
		if !declared || !ok || !l.selects(k) {
			continue
		}
		if ds.Format == catalog.DEB {
			at.Component = cmp.Or(at.Component, layout.DefaultComponent)
		}
		shown := layout.ShownStaging(u.Object)
		if seen[shown] || !l.covers(s.Repository, at.Distribution, cmp.Or(at.Component, dirOfArch(k.Arch))) {
			continue
		}
		seen[shown] = true
		r := catalog.Release{Repository: s.Repository, Distribution: at.Distribution}
		if ds.Format == catalog.RPM {
			r.Arch = dirOfArch(k.Arch)
		}
		row := placement{Release: r.String(), Component: at.Component, Package: k.Name + " " + k.Version + " " + k.Arch, Name: k.Name, Version: k.Version, Arch: k.Arch,
			State: placeReceived, At: &u.Received, Detail: "it waits for a worker, or is being read", Counts: true, release: r, pkg: k}
		if u.State == catalog.Rejected {
			row.State, row.Reason, row.Detail = placeRejected, u.Reason, string(u.Reason)+": "+u.Detail
		}
		rows = append(rows, row)
	}
	return rows
}

// selects reports whether the pattern selects a package whose version may lack its epoch, as in names of files.
func (l lookup) selects(k catalog.Package) bool {
	return l.pattern.Matches(k) || catalog.Pattern{Name: l.pattern.Name, Version: withoutEpoch(l.pattern.Version)}.Matches(k)
}

// packageOf returns the package of an upload: what its row says or, before it has one, what its file is called.
func packageOf(u catalogdb.PushedUpload, file string) (k catalog.Package, ok bool) {
	if p := strings.Fields(u.Package); len(p) == 3 {
		return catalog.Package{Name: p[0], Version: p[1], Arch: p[2]}, true
	}
	return PackageOfFile(file)
}

// PackageOfFile returns name, version without its epoch, and architecture of a package whose file is called as usual:
// NAME_VERSION_ARCH.deb, or NAME-VERSION-RELEASE.ARCH.rpm.
func PackageOfFile(file string) (k catalog.Package, ok bool) {
	file = strings.ReplaceAll(strings.ReplaceAll(file, "%3a", ":"), "%3A", ":")
	if name, is := strings.CutSuffix(file, ".rpm"); is {
		name, k.Arch, _ = cutLast(name, ".")
		name, release, _ := cutLast(name, "-")
		k.Name, k.Version, ok = cutLast(name, "-")
		k.Version += "-" + release
		return k, ok && k.Name != "" && k.Arch != ""
	}
	name, ext, _ := cutLast(file, ".")
	p := strings.Split(name, "_")
	if len(p) != 3 || ext != "deb" && ext != "ddeb" {
		return k, false
	}
	return catalog.Package{Name: p[0], Version: p[1], Arch: p[2]}, true
}

func cutLast(s, sep string) (before, after string, found bool) {
	i := strings.LastIndex(s, sep)
	if i < 0 {
		return s, "", false
	}
	return s[:i], s[i+len(sep):], true
}
