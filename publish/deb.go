package publish

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/klauspost/compress/gzip"

	"repomill/publish/apt"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// debFormat publishes a codename: by-hash indexes, InRelease, then Release.gpg, Release and the
// plain-named indexes for clients without by-hash.
type debFormat struct{}

// pause keeps swaps a full second of the store's clock apart: apt asks with If-Modified-Since, whose
// resolution is one second, and would take a second publish in one second for the first.
func (debFormat) pause(old published) time.Duration {
	if !old.exists {
		return 0
	}
	return min(old.modified.Add(time.Second).Sub(old.now), time.Second)
}

// A shelf is the place of an index: a component, and an architecture or "source".
type shelf struct{ component, arch string }

// name returns the index's uncompressed name below the release's folder.
func (s shelf) name() string {
	if s.arch == "source" {
		return s.component + "/source/Sources"
	}
	return s.component + "/binary-" + s.arch + "/Packages"
}

// shelves returns the shelves of a distribution, in the order in which Release lists them.
func shelves(ds catalog.DistributionSettings) []shelf {
	var all []shelf
	for _, c := range ds.Components {
		for _, a := range architectures(ds) {
			all = append(all, shelf{c, a})
		}
		all = append(all, shelf{c, "source"})
	}
	return all
}

// architectures returns what Release lists: "all" has indexes of its own.
func architectures(ds catalog.DistributionSettings) []string {
	return slices.Sorted(slices.Values(append([]string{"all"}, ds.Architectures...)))
}

func (debFormat) render(ctx context.Context, p *Publisher, snap *catalogdb.Snapshot, date time.Time) (d draft, err error) {
	d = draft{release: snap.Release, revision: snap.Revision, date: date}
	ds, ok := snap.Settings.Find(snap.Release.Distribution)
	if !ok {
		return d, fmt.Errorf("repository %s has no distribution %s", snap.Release.Repository, snap.Release.Distribution)
	}
	defer func() {
		if err != nil {
			d.close()
		}
	}()
	indexes := map[shelf]*index{}
	for _, s := range shelves(ds) {
		x, err := newIndex()
		if err != nil {
			return d, err
		}
		indexes[s] = x
		d.indexes = append(d.indexes, indexFile{plain: layout.DebDir(snap.Release) + "/" + s.name() + ".gz", index: x})
	}
	w := newCompressor()
	for k, err := range snap.Packages(ctx) {
		if err != nil {
			return d, err
		}
		if err := addStanza(w, indexes, ds, k); err != nil {
			return d, err
		}
		d.packages++
	}
	for i, x := range d.indexes {
		if err := x.index.finish(w); err != nil {
			return d, err
		}
		d.indexes[i].key = layout.ByHashKey(x.plain, x.index.packed.sum())
	}
	d.pointer = debRelease(snap, ds, indexes, date).Render()
	return d, nil
}

// addStanza puts a package into the index of its architecture or, for "all", of every one.
func addStanza(w *gzip.Writer, indexes map[shelf]*index, ds catalog.DistributionSettings, k catalog.Package) error {
	arches := []string{k.Arch}
	if k.Arch == "all" {
		arches = architectures(ds)
	}
	border := startsSegment(k)
	for _, a := range arches {
		x, ok := indexes[shelf{k.Component, a}]
		if !ok {
			return fmt.Errorf("row %s %s %s is in component %q, which the repository does not have for that architecture", k.Name, k.Version, k.Arch, k.Component)
		}
		if err := x.add(w, border, k.Stanza, []byte("\n")); err != nil {
			return err
		}
	}
	return nil
}

// debRelease describes finished indexes. The uncompressed ones are listed for apt, which verifies what
// it has decompressed, and not stored.
func debRelease(snap *catalogdb.Snapshot, ds catalog.DistributionSettings, indexes map[shelf]*index, date time.Time) apt.Release {
	rel := apt.Release{
		Origin: snap.Settings.Origin, Label: snap.Settings.Label, Codename: snap.Release.Distribution.Version,
		Date: date, Revision: snap.Revision, Architectures: architectures(ds), Components: ds.Components,
	}
	for _, s := range shelves(ds) {
		x := indexes[s]
		rel.Files = append(rel.Files,
			apt.File{Path: s.name(), Size: x.plain.size, SHA256: x.plain.sum()},
			apt.File{Path: s.name() + ".gz", Size: x.packed.size, SHA256: x.packed.sum()})
	}
	return rel
}
