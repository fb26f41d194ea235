package publish

import (
	"fmt"
	"slices"
	"time"

	"repomill/publish/apt"
	"repomill/publish/render"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// debIndexes makes the indexes of a codename, under by-hash names, and the text of its Release.
type debIndexes struct{}

// An indexKey selects the packages of an index: a component, and an architecture or "source".
type indexKey struct{ component, arch string }

// name returns the index's uncompressed name below the release's folder.
func (s indexKey) name() string {
	if s.arch == source {
		return s.component + "/source/Sources"
	}
	return s.component + "/binary-" + s.arch + "/Packages"
}

// Special values of an architecture: source packages, and packages for every architecture.
const (
	source = "source"
	all    = "all"
)

// indexKeys returns the keys of the indexes of a distribution, in the order in which Release lists them.
func indexKeys(ds catalog.DistributionSettings) []indexKey {
	var keys []indexKey
	for _, c := range ds.Components {
		for _, a := range architectures(ds) {
			keys = append(keys, indexKey{c, a})
		}
		keys = append(keys, indexKey{c, source})
	}
	return keys
}

// architectures returns the Architectures of a Release file, with "all", which has its own indexes.
func architectures(ds catalog.DistributionSettings) []string {
	return slices.Sorted(slices.Values(append([]string{all}, ds.Architectures...)))
}

// plan puts a package into the index of its architecture or, for "all", into every one.
func (debIndexes) plan(snap *catalogdb.Snapshot) (render.Plan, error) {
	ds, ok := snap.Settings.Find(snap.Release.Distribution)
	if !ok {
		return render.Plan{}, fmt.Errorf("repository %s has no distribution %s", snap.Release.Repository, snap.Release.Distribution)
	}
	p := render.Plan{
		Ending: "\n",
		Head:   func(int, int) []byte { return nil },
		Tail:   func(int) []byte { return nil },
	}
	places := indexKeys(ds)
	for _, s := range places {
		x := render.Planned{Name: s.name(), Component: s.component, Arches: []string{s.arch}}
		if s.arch != all && s.arch != source {
			x.Arches = append(x.Arches, all)
		}
		p.Indexes = append(p.Indexes, x)
	}
	p.Total = func(counts []int) (n int) {
		everywhere := map[string]int{} // packages of "all", by component
		for i, s := range places {
			if s.arch == all {
				everywhere[s.component] = counts[i]
				n += counts[i]
			}
		}
		for i, s := range places {
			if s.arch != all && s.arch != source {
				n += counts[i] - everywhere[s.component]
			}
		}
		return n
	}
	return p, nil
}

func (debIndexes) pointer(snap *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, x extras) []byte {
	ds, _ := snap.Settings.Find(snap.Release.Distribution)
	rel := apt.Release{
		Origin: snap.Settings.Origin, Label: snap.Settings.Label, Codename: snap.Release.Distribution.Version,
		Date: date, Revision: revision, Architectures: architectures(ds), Components: ds.Components,
	}
	if x.publicURL != "" {
		rel.Snapshots = x.publicURL + "/" + layout.SnapshotsOf(snap.Release)
	}
	// The uncompressed indexes are listed for apt, which verifies decompressed text. They are not stored.
	for _, i := range rd.Indexes {
		rel.Files = append(rel.Files,
			apt.File{Path: i.Name, Size: i.Plain.Size, SHA256: i.Plain.SHA256},
			apt.File{Path: i.Name + ".gz", Size: i.Packed.Size, SHA256: i.Packed.SHA256})
	}
	return rel.Render()
}

func (debIndexes) file(r catalog.Release, x *render.Index) indexFile {
	plain := layout.DebDir(r) + "/" + x.Name + ".gz"
	return indexFile{key: layout.ByHashKey(plain, x.Packed.SHA256), plain: plain, index: x}
}
