package publish

import (
	"bytes"
	"context"

	"repomill/publish/render"
	"repomill/publish/restore"
	"repomill/publish/tree"
	"repomill/schemas/catalogdb"
)

// compare sets in res how a rendering differs from the published release.
func (p *Publisher) compare(ctx context.Context, f format, old tree.Published, snap *catalogdb.Snapshot, rd *render.Rendering, seen identities, res *Reindexed) {
	res.Packages, res.Revision = rd.Packages, old.Revision
	published := map[string]tree.Object{}
	for _, x := range old.Indexes {
		published[x.Name] = x.Packed
	}
	for _, x := range rd.Indexes {
		if was := published[x.Name]; was.SHA256 != x.Packed.SHA256 || was.Size != x.Packed.Size {
			res.Files = append(res.Files, x.Name)
			res.Bytes += x.Packed.Size
		}
	}
	res.Different = !old.Exists || !bytes.Equal(tree.SignedText(old.Release, old.Body), f.pointer(snap, rd, old.Revision, old.Date, extras{old.Hints, p.publicURL}))
	switch {
	case !old.Exists:
		res.Added = rd.Packages
	case len(res.Files) > 0:
		var err error
		if res.Added, res.Removed, err = p.difference(ctx, old, seen); err != nil {
			res.Added, res.Removed = -1, -1 // the published indexes cannot be read; --repair writes them again
			p.log.Warn("packages not compared with the published ones", "release", snap.Release.String(), "error", err)
		}
	}
}

// compareWithdrawn makes the list of withdrawn packages from all rows, and sets in res whether the published one of the same revision
// differs. One of another format is not compared. The caller closes the list.
func (p *Publisher) compareWithdrawn(ctx context.Context, snap *catalogdb.Snapshot, old tree.Published, res *Reindexed) (withdrawnList, error) {
	l, err := p.listWithdrawn(ctx, snap, old, true)
	if err != nil || old.Revision != snap.Revision {
		return l, err
	}
	if m, known := p.liveManifest(ctx, old); known && m.WithdrawnFormat == tree.WithdrawnFormat && object(m.Withdrawn) != object(l.object) {
		res.Different = true
	}
	return l, nil
}

// object returns the object, or none for nil.
func object(o *tree.Object) tree.Object {
	if o == nil {
		return tree.Object{}
	}
	return *o
}

// difference counts the packages that the published indexes lack, and those that only they have. It removes common ones from seen.
func (p *Publisher) difference(ctx context.Context, old tree.Published, seen identities) (added, removed int, err error) {
	rd, err := restore.Open(ctx, p.bucket, p.keys.Load().trusted, p.rows, old.Release, old.Body)
	if err != nil {
		return 0, 0, err
	}
	for k, err := range rd.Listed(ctx) {
		if err != nil {
			return 0, 0, err
		}
		if !seen.remove(k.Component, k.Name, k.Version, k.Arch) {
			removed++
		}
	}
	return len(seen.set), removed, nil
}
