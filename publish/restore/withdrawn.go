package restore

import (
	"context"
	"fmt"
	"iter"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// yanked yields the packages that were withdrawn when the release was published.
func (rd *Release) yanked(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		m, err := tree.ReadManifest(ctx, rd.bucket, rd.release, rd.manifest)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		for k, err := range tree.Withdrawn(ctx, rd.bucket, rd.release, m) {
			if err == nil {
				err = rd.withdrawn(&k)
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// withdrawn checks a row of a list and completes it. The list is not signed: a forged row can at most withdraw
// a package.
func (rd *Release) withdrawn(k *catalog.Package) error {
	id, err := rd.reader.Identity(k.Format, k.Name, k.Version, k.Arch)
	if err != nil {
		return err
	}
	r := rd.release
	switch {
	case k.Repository != r.Repository || k.Distribution != r.Distribution || (k.Format == catalog.DEB) != (r.Arch == ""),
		k.Canonical != id.Canonical, k.State != catalog.Yanked || k.Yank == nil, !tree.IsKeyOf(k.Key, *k),
		k.Variant != "" && k.Variant != layout.VariantOf(k.File.SHA256):
		return fmt.Errorf("%s lists what is no withdrawn package of it: %.300q", rd.manifest, k.Key)
	}
	k.SortKey = id.SortKey
	return nil
}
