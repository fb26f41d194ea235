package publish

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// listYanked makes the list of the packages that were withdrawn from a release. It is an object beside
// the manifests, which name it: one line of JSON a package, in order, compressed. Any number of publishes
// that withdraw nothing share one list, so that what a publish writes does not grow with it.
func (d *draft) listYanked(ctx context.Context, dir string, snap *catalogdb.Snapshot) error {
	yanked, err := snap.Yanked(ctx)
	if err != nil || len(yanked) == 0 {
		return err
	}
	d.list, err = render.List(dir, yankedLines(yanked))
	if err != nil {
		return err
	}
	x := d.list.Indexes[0]
	d.yanked = []indexFile{{key: tree.WithdrawnPrefix(snap.Release) + x.Packed.SHA256 + ".json.gz", index: x}}
	return nil
}

// yankedLines yields the line of each withdrawn package.
func yankedLines(yanked []catalog.Package) iter.Seq2[render.Line, error] {
	return func(yield func(render.Line, error) bool) {
		for _, k := range yanked {
			text, err := json.Marshal(k)
			boundary := gzipmember.Boundary([]byte(k.Name), []byte(k.Canonical), []byte(k.Arch))
			if !yield(render.Line{Key: k.SortKey, Boundary: boundary, Text: text}, err) {
				return
			}
		}
	}
}

// yanked yields the packages that were withdrawn when the release was published.
func (rd *reading) yanked(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		m, err := tree.ReadManifest(ctx, rd.bucket, rd.release, rd.manifest)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		for k, err := range tree.Withdrawn(ctx, rd.bucket, m) {
			if err == nil {
				err = rd.withdrawn(&k)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// withdrawn checks a row of a list, which nobody has signed, and completes it. It cannot do worse than to
// withdraw a package.
func (rd *reading) withdrawn(k *catalog.Package) error {
	id, err := rd.reader.Identity(k.Format, k.Name, k.Version, k.Arch)
	if err != nil {
		return err
	}
	r := rd.release
	switch {
	case k.Repository != r.Repository || k.Distribution != r.Distribution || (k.Format == catalog.DEB) != (r.Arch == ""),
		k.Canonical != id.Canonical, k.State != catalog.Yanked || k.Yank == nil, !tree.IsKeyOf(k.Key, *k):
		return fmt.Errorf("%s lists what is no withdrawn package of it: %.300q", rd.manifest, k.Key)
	}
	k.SortKey = id.SortKey
	return nil
}
