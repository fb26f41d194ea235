package publish

import (
	"context"
	"encoding/json"
	"iter"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/gzipmember"
)

// listYanked makes the list of the withdrawn packages of a release: an object beside the manifests, which name it, with one line of
// JSON for each package, in order, compressed. Publishes that withdraw nothing share one list, so that a long list does not make each
// publish write more.
func (d *unsignedRelease) listYanked(ctx context.Context, dir string, snap *catalogdb.Snapshot) error {
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
