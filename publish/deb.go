package publish

import (
	"fmt"
	"slices"
	"time"

	"repomill/publish/apt"
	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// debFormat publishes a codename: by-hash indexes, InRelease, then Release.gpg, Release and the
// plain-named indexes for clients without by-hash.
type debFormat struct{}

// pause keeps swaps a full second of the store's clock apart: apt asks with If-Modified-Since, whose
// resolution is one second, and would take a second publish in one second for the first.
func (debFormat) pause(old tree.Published) time.Duration {
	if !old.Exists {
		return 0
	}
	return min(old.Modified.Add(time.Second).Sub(old.Now), time.Second)
}

// A shelf is the place of an index: a component, and an architecture or "source".
type shelf struct{ component, arch string }

// name returns the index's uncompressed name below the release's folder.
func (s shelf) name() string {
	if s.arch == source {
		return s.component + "/source/Sources"
	}
	return s.component + "/binary-" + s.arch + "/Packages"
}

// In place of an architecture: source packages, and packages that belong to every one.
const (
	source = "source"
	all    = "all"
)

// shelves returns the shelves of a distribution, in the order in which Release lists them.
func shelves(ds catalog.DistributionSettings) []shelf {
	var shelves []shelf
	for _, c := range ds.Components {
		for _, a := range architectures(ds) {
			shelves = append(shelves, shelf{c, a})
		}
		shelves = append(shelves, shelf{c, source})
	}
	return shelves
}

// architectures returns what Release lists: "all" has indexes of its own.
func architectures(ds catalog.DistributionSettings) []string {
	return slices.Sorted(slices.Values(append([]string{all}, ds.Architectures...)))
}

// plan puts a package into the index of its architecture or, for "all", into every one.
func (debFormat) plan(snap *catalogdb.Snapshot) (render.Plan, error) {
	ds, ok := snap.Settings.Find(snap.Release.Distribution)
	if !ok {
		return render.Plan{}, fmt.Errorf("repository %s has no distribution %s", snap.Release.Repository, snap.Release.Distribution)
	}
	p := render.Plan{
		Ending: "\n",
		Head:   func(int, int) []byte { return nil },
		Tail:   func(int) []byte { return nil },
	}
	places := shelves(ds)
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

func (debFormat) pointer(snap *catalogdb.Snapshot, rd *render.Rendering, revision catalog.Revision, date time.Time, _ []string) []byte {
	ds, _ := snap.Settings.Find(snap.Release.Distribution)
	rel := apt.Release{
		Origin: snap.Settings.Origin, Label: snap.Settings.Label, Codename: snap.Release.Distribution.Version,
		Date: date, Revision: revision, Architectures: architectures(ds), Components: ds.Components,
	}
	// The uncompressed indexes are listed for apt, which verifies what it has decompressed, and not stored.
	for _, x := range rd.Indexes {
		rel.Files = append(rel.Files,
			apt.File{Path: x.Name, Size: x.Plain.Size, SHA256: x.Plain.SHA256},
			apt.File{Path: x.Name + ".gz", Size: x.Packed.Size, SHA256: x.Packed.SHA256})
	}
	return rel.Render()
}

func (debFormat) file(r catalog.Release, x *render.Index) indexFile {
	plain := layout.DebDir(r) + "/" + x.Name + ".gz"
	return indexFile{key: layout.ByHashKey(plain, x.Packed.SHA256), plain: plain, index: x}
}
