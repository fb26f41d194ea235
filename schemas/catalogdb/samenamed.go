package catalogdb

import (
	"context"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// nameOf returns what packages of all components and variants share of an identity: name, version and architecture in a distribution.
func nameOf(k catalog.Package) packageName {
	return packageName{distributionKey{k.Repository, k.Distribution}, k.Name, k.Canonical, k.Arch}
}

// A packageName is a name, canonical version and architecture in a distribution.
type packageName struct {
	at                    distributionKey
	name, canonical, arch string
}

// FindAll is [DB.Find] for several packages of immutable repositories, with few questions: found has those that there are, by number.
func (d *DB) FindAll(ctx context.Context, identities []catalog.Package) (found map[int]catalog.Package, err error) {
	err = d.ask(ctx, func(q querier) error {
		there, err := sameNamed(ctx, q, identities)
		found = map[int]catalog.Package{}
		for i, k := range identities {
			for _, row := range there[nameOf(k)] {
				if row.pkg.Component == k.Component && row.pkg.Variant == k.Variant {
					found[i] = row.pkg
				}
			}
		}
		return err
	})
	return found, err
}

// sameNamed returns the rows with the names, versions and architectures of some packages, in order of their components.
func sameNamed(ctx context.Context, q querier, packages []catalog.Package) (map[packageName][]packageRow, error) {
	names, there := map[distributionKey][]packageName{}, map[packageName][]packageRow{}
	for _, k := range packages {
		n := nameOf(k)
		if _, asked := there[n]; !asked {
			there[n], names[n.at] = nil, append(names[n.at], n)
		}
	}
	for at, all := range names {
		for some := range slices.Chunk(all, maxNames) {
			tables, args := namedTables(some)
			_, err := collect(ctx, q, func(scan func(...any) error) (none struct{}, err error) {
				var row packageRow
				if err = scanPackage(&row.pkg, scan, &row.id, &row.removed); err == nil {
					there[nameOf(row.pkg)] = append(there[nameOf(row.pkg)], row)
				}
				return none, err
			}, `SELECT k.id, k.removed > 0, `+packageColumns+` FROM `+tables+` WHERE `+releaseKey+` ORDER BY k.component, k.id`, append(args, at.release()...)...)
			if err != nil {
				return nil, err
			}
		}
	}
	return there, nil
}

// maxNames is how many names one statement asks for.
const maxNames = 32

// namedTables are those of packages with some names, canonical versions and architectures, and their arguments; [releaseKey] has the others. The order
// of the joins is that in which SQLite reads them: it would look through the whole distribution.
func namedTables(names []packageName) (tables string, args []any) {
	for _, n := range names {
		args = append(args, n.name, n.canonical, n.arch)
	}
	size := leastSize(len(names), claimSizes)
	for range size - len(names) {
		args = append(args, "", "", "") // no package has these
	}
	return `repositories p CROSS JOIN distributions d ON d.repository_id = p.id
		CROSS JOIN (SELECT ? AS name, ? AS canonical, ? AS arch` + strings.Repeat(` UNION ALL SELECT ?, ?, ?`, size-1) + `) w
		CROSS JOIN packages k ON k.distribution_id = d.id AND k.name = w.name AND k.canonical = w.canonical AND k.arch = w.arch`, args
}

// release returns the arguments of [releaseKey].
func (k distributionKey) release() []any {
	return []any{k.repository.Owner, k.repository.Name, k.distribution.OS, k.distribution.Version}
}
