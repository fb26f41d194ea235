package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"repomill/schemas/catalog"
)

// A Placement is one release and what it has, or lacks, of a package.
type Placement struct {
	Release catalog.Release
	Package *catalog.Package // without fragments, in any state; nil if the release has none
	Visible bool             // clients see it, as far as the catalog knows
	Since   *time.Time       // when a revision that has it was first published here; nil if none was, or none is known
}

// Placements answers "is it out, and where not": one row for each release of a repository and each
// version of a package that belongs to it, as listed, or for all of them if version is empty; and one
// without a package for each release that has none.
func (d *DB) Placements(ctx context.Context, r catalog.Repository, name, version string) (all []Placement, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		releases, err := collect(ctx, q, scanReleaseID, `SELECT r.id, `+releaseColumns+` FROM `+releaseTables+` WHERE p.owner = ? AND p.name = ?`+releaseOrder, r.Owner, r.Name)
		if err != nil {
			return err
		}
		all = nil
		for _, row := range releases {
			some, err := row.placements(ctx, q, name, version)
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("place %s in %s: %w", name, r, err)
	}
	return all, nil
}

// A stateRow is a release with its id.
type stateRow struct {
	id    int64
	state ReleaseState
}

func scanReleaseID(scan func(...any) error) (row stateRow, err error) {
	row.state, err = scanRelease(func(dest ...any) error { return scan(append([]any{&row.id}, dest...)...) })
	return row, err
}

// placements returns what one release has of a package.
func (row stateRow) placements(ctx context.Context, q querier, name, version string) ([]Placement, error) {
	r := row.state.Release
	args := append([]any{row.id, row.id}, distributionArgs(r)...)
	dirs, dirArgs := in("k.dir", dirsOf(r.Arch))
	args = append(append(args, dirArgs...), name, version, version)
	found, err := collect(ctx, q, func(scan func(...any) error) (Placement, error) {
		p := Placement{Release: r, Package: &catalog.Package{}}
		var revision int64
		var since sql.NullInt64
		err := scanPackage(p.Package, scan, &revision, &since)
		if p.Visible = visible(p.Package.State, revision, row.state.Published); p.Visible && p.Package.State == catalog.Active && revision > 0 {
			p.Since = optional(since)
		}
		return p, err
	}, `SELECT COALESCE(a.revision, 1), (SELECT MIN(u.published_at) FROM publications u
			WHERE u.release_id = ? AND u.revision >= COALESCE(a.revision, 1)), `+packageColumns+` FROM `+packageTables+`
		LEFT JOIN appearances a ON a.package_id = k.id AND a.release_id = ?
		WHERE `+releaseKey+` AND `+dirs+` AND k.name = ? AND (k.version = ? OR ? = '')
		`+inOrder, args...)
	if err != nil || len(found) == 0 {
		return []Placement{{Release: r}}, err
	}
	return found, nil
}

// visible reports whether clients who see a published revision of a release see a row that came, or
// went, with another.
func visible(state catalog.PackageState, revision, published int64) bool {
	switch state {
	case catalog.Active:
		return published >= revision
	case catalog.Yanked:
		return published < revision
	default:
		return false
	}
}
