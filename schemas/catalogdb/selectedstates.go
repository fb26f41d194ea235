package catalogdb

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"repomill/schemas/catalog"
)

// AppearancesOf is [DB.Appearances] of packages that were selected before, in the states that they have now. The error wraps
// [ErrNotFound] if the catalog has lost one.
func (d *DB) AppearancesOf(ctx context.Context, packages []catalog.Package) (all []Appearance, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		for _, k := range packages {
			row := packageRow{}
			if row.pkg, row.id, err = find(ctx, q, k); err != nil {
				return fmt.Errorf("%s %s %s of %s: %w", k.Name, k.Version, k.Arch, k.Place(), err)
			}
			some, err := appearances(ctx, q, row)
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	return all, err
}

// NotInState returns the first of some packages of one repository that is not in a state now, as it is now, or nil if all are.
// The error wraps [ErrNotFound] if the catalog has lost one. It reads 500 names at a time, in one transaction.
func (d *DB) NotInState(ctx context.Context, packages []catalog.Package, state catalog.PackageState) (other *catalog.Package, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		other = nil
		for some := range slices.Chunk(packages, selectChunk) {
			names := map[string]bool{}
			for _, k := range some {
				names[k.Name] = true
			}
			where, args := in("k.name", slices.Sorted(maps.Keys(names)))
			r := some[0].Repository
			rows, err := collect(ctx, q, func(scan func(...any) error) (k catalog.Package, err error) {
				return k, scan(&k.Distribution.OS, &k.Distribution.Version, &k.Component, &k.Name, &k.Canonical, &k.Arch, &k.Variant, &k.State)
			}, `SELECT d.os, d.version, k.component, k.name, k.canonical, k.arch, k.variant, k.state FROM `+packageTables+` WHERE p.owner = ? AND p.name = ? AND `+where,
				append([]any{r.Owner, r.Name}, args...)...)
			if err != nil {
				return err
			}
			states := map[identity]catalog.PackageState{}
			for _, k := range rows {
				states[identityOf(k)] = k.State
			}
			for _, k := range some {
				is, has := states[identityOf(k)]
				if !has {
					return fmt.Errorf("%s %s %s of %s: %w", k.Name, k.Version, k.Arch, k.Place(), ErrNotFound)
				}
				if is != state {
					k.State = is
					other = &k
					return nil
				}
			}
		}
		return nil
	})
	return other, err
}

// An identity is that of a package in its repository.
type identity struct {
	distribution                              catalog.Distribution
	component, name, canonical, arch, variant string
}

func identityOf(k catalog.Package) identity {
	return identity{k.Distribution, k.Component, k.Name, k.Canonical, k.Arch, k.Variant}
}
