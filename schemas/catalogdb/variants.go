package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// otherBytes returns the active packages, of all components of its distribution, that have the name, version and architecture of k and
// other bytes; none but in a mutable repository.
func otherBytes(ctx context.Context, q querier, k catalog.Package) ([]packageRow, error) {
	if k.Variant == "" {
		return nil, nil
	}
	return collect(ctx, q, func(scan func(...any) error) (row packageRow, err error) {
		return row, scanPackage(&row.pkg, scan, &row.id, &row.removed)
	}, `SELECT k.id, k.removed > 0, `+packageColumns+` FROM `+packageTables+`
		WHERE `+releaseKey+` AND k.name = ? AND k.canonical = ? AND k.arch = ? AND k.variant <> ? AND k.state = ? ORDER BY k.component, k.id`,
		k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version, k.Name, k.Canonical, k.Arch, k.Variant, catalog.Active)
}

// checkAlone returns an error that wraps [ErrOtherBytes] if a package is active now whose version is active with other bytes, too.
func checkAlone(ctx context.Context, q querier, k catalog.Package) error {
	others, err := otherBytes(ctx, q, k)
	if err == nil && len(others) > 0 {
		err = fmt.Errorf("%s %s %s in %s: %w (sha256 %s, and not %s)", k.Name, k.Version, k.Arch, k.Place(), ErrOtherBytes, others[0].pkg.File.SHA256, k.File.SHA256)
	}
	return err
}

// variantIn returns a package as it would be in another repository, in which its file has another name if only one of both is mutable.
func variantIn(ctx context.Context, q querier, k catalog.Package, r catalog.Repository) (catalog.Package, error) {
	var mutable bool
	if err := q.QueryRowContext(ctx, `SELECT mutable FROM repositories WHERE owner = ? AND name = ?`, r.Owner, r.Name).Scan(&mutable); err != nil {
		return k, notFound(err)
	}
	return withVariant(k, mutable), nil
}

func withVariant(k catalog.Package, mutable bool) catalog.Package {
	if k.Variant = ""; mutable {
		k.Variant = layout.VariantOf(k.File.SHA256)
	}
	return k
}

// OneVariant returns the packages of a selection, of which one of each version of a mutable repository can be active: for all others that
// are withdrawn, Back is [ErrOtherBytes]. The one is what is active or, if nothing is, what was withdrawn last and not replaced.
func (s Selected) OneVariant() []SelectedPackage {
	all := slices.Clone(s.Packages)
	one := map[string]int{} // by version, architecture and distribution
	for i, p := range all {
		k := p.Package
		if k.Variant == "" {
			continue
		}
		key := strings.Join([]string{k.Distribution.String(), k.Name, k.Canonical, k.Arch}, "\x00")
		if j, has := one[key]; !has || outranks(p, all[j]) {
			one[key] = i
		}
	}
	for i := range all {
		k := all[i].Package
		key := strings.Join([]string{k.Distribution.String(), k.Name, k.Canonical, k.Arch}, "\x00")
		if j, has := one[key]; has && i != j && k.State == catalog.Yanked && k.Variant != all[j].Package.Variant {
			all[i].Back = ErrOtherBytes
		}
	}
	return all
}

// outranks reports whether p, rather than q, is what clients should see of a version.
func outranks(p, q SelectedPackage) bool {
	if p.Package.State != q.Package.State {
		return p.Package.State == catalog.Active
	}
	if p.Package.Replaced() != q.Package.Replaced() {
		return q.Package.Replaced()
	}
	return p.went > q.went
}

// readWent reads which revisions withdrew the packages.
func (s *Selected) readWent(ctx context.Context, q querier) error {
	type going struct{ id, revision int64 }
	at := map[int64]int64{}
	for some := range slices.Chunk(s.Packages, selectChunk) {
		where, args := in("package_id", idsOf(some))
		rows, err := collect(ctx, q, func(scan func(...any) error) (g going, err error) { return g, scan(&g.id, &g.revision) },
			`SELECT package_id, COALESCE(MAX(went), 0) FROM visibility WHERE `+where+` GROUP BY package_id`, args...)
		if err != nil {
			return err
		}
		for _, g := range rows {
			at[g.id] = g.revision
		}
	}
	for i := range s.Packages {
		s.Packages[i].went = at[s.Packages[i].id]
	}
	return nil
}
