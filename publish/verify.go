package publish

import (
	"context"
	"errors"
	"fmt"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// verify checks the published release as a client would: the signature of the pointer, and the digests of all index files. With
// repair, it reports missing or damaged index files; without, it returns an error for them.
func (p *Publisher) verify(ctx context.Context, f format, old tree.Published, repair bool) (damaged bool, err error) {
	if !old.Exists {
		return false, nil
	}
	key := layout.PointerKey(old.Release)
	if _, err := tree.OpenPointer(ctx, p.bucket, p.keys.Load().trusted, old.Release, old.Body); err != nil {
		if errors.Is(err, tree.ErrForeign) && recorded(ctx, p.bucket, p.keys.Load().trusted, old) { // a torn pair of this instance, which is repaired later
			err = nil
		}
		switch {
		case errors.Is(err, tree.ErrForeign):
			return false, fmt.Errorf("the published release does not verify: %s has no valid signature by a key of --signing-key: it was changed or damaged, or another instance published it", key)
		case err != nil:
			return false, fmt.Errorf("the published release does not verify: %s: %w", key, err)
		}
	}
	var named []tree.Object
	for _, x := range old.Indexes {
		named = append(named, x.Packed)
	}
	for _, o := range append(named, p.withdrawnObjects(ctx, old)...) {
		problem, err := tree.ProblemOf(ctx, p.bucket, o)
		switch {
		case err != nil:
			return false, err
		case problem == "":
		case !repair:
			return false, fmt.Errorf("the published release does not verify: %s, which %s or its manifest names, %s: find out why; --repair writes it again from the rows", o.Key, key, problem)
		default:
			damaged = true
		}
	}
	return damaged, nil
}

// withdrawnObjects returns the objects of the list of withdrawn packages that the manifest of the live pointer names.
func (p *Publisher) withdrawnObjects(ctx context.Context, old tree.Published) (all []tree.Object) {
	m, _ := p.liveManifest(ctx, old)
	if m.Withdrawn == nil {
		return nil
	}
	l, _ := p.liveWithdrawn(ctx, old, m)
	for _, c := range l.Chunks {
		all = append(all, c.Object)
	}
	return append(all, *m.Withdrawn)
}

// restoreIndexes writes missing or damaged index files again, and those of the list of withdrawn packages, if the rows still render to
// them.
func (p *Publisher) restoreIndexes(ctx context.Context, r catalog.Release, rd *render.Rendering, list withdrawnList) (repaired int, err error) {
	files := list.files()
	for _, x := range rd.Indexes {
		files = append(files, formatOf(r).file(r, x))
	}
	for _, file := range files {
		problem, err := tree.ProblemOf(ctx, p.bucket, file.object())
		if err != nil {
			return repaired, err
		}
		if problem == "" {
			continue
		}
		v, err := tree.VersionOf(ctx, p.bucket, file.key)
		if err != nil {
			return repaired, err
		}
		if _, err = p.bucket.Swap(ctx, v, layout.ObjectOf(file.key), file.index.Body()); err != nil {
			return repaired, err
		}
		repaired++
		p.log.Info("index file written again", "key", file.key, "problem", problem)
	}
	return repaired, nil
}
