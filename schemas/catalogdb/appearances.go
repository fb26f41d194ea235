package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// multilib is the dir column of a package for 32-bit x86 that x86_64 systems install, too. It is the name of no directory.
const multilib = "i386+x86_64"

// dirOf returns the dir column of a row.
func dirOf(k catalog.Package) string {
	switch {
	case k.Format == catalog.DEB:
		return ""
	case k.Arch == layout.Noarch:
		return layout.Noarch
	case k.Multilib:
		return multilib
	default:
		return layout.RPMDirOf(k.Arch)
	}
}

// dirsOf returns the dir columns of the rows that the release of an architecture shows.
func dirsOf(arch string) []string {
	switch arch {
	case "", layout.SRPMS:
		return []string{arch}
	case layout.I386, layout.X86:
		return []string{arch, layout.Noarch, multilib}
	default:
		return []string{arch, layout.Noarch}
	}
}

// shows reports whether the release of an architecture shows the rows of a dir.
func shows(arch, dir string) bool { return slices.Contains(dirsOf(arch), dir) }

// recordAppearance records the revision with which a package joined a release or, once yanked, left it. It replaces
// an earlier record.
func recordAppearance(ctx context.Context, tx *transaction, pkg, release, revision int64) error {
	res, err := tx.ExecContext(ctx, `UPDATE appearances SET revision = ? WHERE package_id = ? AND release_id = ?`, revision, pkg, release)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n > 0 {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO appearances (package_id, release_id, revision) VALUES (?, ?, ?)`, pkg, release, revision)
	return err
}

// appearanceRevision returns the revision from which clients see a change of a package: the issued one or, if the
// package leaves before it was ever visible, its negative.
func appearanceRevision(ctx context.Context, tx *transaction, pkg int64, r releaseRow, issued int64) (int64, error) {
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM appearances a JOIN packages k ON k.id = a.package_id
		WHERE a.package_id = ? AND a.release_id = ? AND a.revision > ? AND k.state = ?`, pkg, r.id, r.published, catalog.Yanked).Scan)
	if n > 0 {
		issued = -issued
	}
	return issued, err
}

// An Appearance is a package in one of the releases that it belongs to.
type Appearance struct {
	Release   catalog.Release
	Package   catalog.Package // without fragments, active or yanked
	Published bool            // clients see that it came or, yanked, that it went
	Fault     string          // why the last publish of the release failed
}

// Appearances returns the packages that w selects in each release that they belong to, read in one transaction. The
// error wraps [ErrNotFound] if w selects none.
func (d *DB) Appearances(ctx context.Context, w PackageSelector) (all []Appearance, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		rows, err := selectPackages(ctx, q, w)
		if err != nil {
			return err
		}
		for _, row := range rows {
			some, err := appearances(ctx, q, row)
			if err != nil {
				return err
			}
			all = append(all, some...)
		}
		return nil
	})
	if err != nil && !errors.Is(err, ErrNotFound) {
		err = fmt.Errorf("read what clients see of %s: %w", w, err)
	}
	return all, err
}

func appearances(ctx context.Context, q querier, row packageRow) ([]Appearance, error) {
	found, err := collect(ctx, q, func(scan func(...any) error) (Appearance, error) {
		a := Appearance{Package: row.pkg}
		var turn sql.NullInt64 // the revision with which it came or went; negative if it went before it was seen
		s, err := scanRelease(func(dest ...any) error { return scan(append(dest, &a.Fault, &turn)...) })
		a.Release = s.Release
		a.Published = s.Published >= max(turn.Int64, -turn.Int64, 1)
		return a, err
	}, `SELECT `+releaseColumns+`, r.fault, a.revision FROM `+releaseTables+` LEFT JOIN appearances a ON a.release_id = r.id AND a.package_id = ?
		WHERE r.distribution_id = (SELECT distribution_id FROM packages WHERE id = ?)`+releaseOrder, row.id, row.id)
	shown := found[:0]
	for _, a := range found {
		if shows(a.Release.Arch, dirOf(row.pkg)) {
			shown = append(shown, a)
		}
	}
	return shown, err
}

// A Placement is one release and what it has, or lacks, of a package.
type Placement struct {
	Release catalog.Release
	Package *catalog.Package // without fragments, in any state; nil if the release has none
	Visible bool             // clients see it, as far as the catalog knows
	Since   *time.Time       // when a revision that has it was first published here; nil if none was, or none is known
}

// Placements returns where a package is visible and where it is missing, read in one transaction: for each release
// of a repository one placement for each version of the package, or only for the given one, as listed, unless
// version is empty. A release without the package has one placement without it.
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
		return nil, fmt.Errorf("find %s in %s: %w", name, r, err)
	}
	return all, nil
}

// A releaseStateRow is a release with its id.
type releaseStateRow struct {
	id    int64
	state ReleaseState
}

func scanReleaseID(scan func(...any) error) (row releaseStateRow, err error) {
	row.state, err = scanRelease(func(dest ...any) error { return scan(append([]any{&row.id}, dest...)...) })
	return row, err
}

// placements returns what one release has of a package.
func (row releaseStateRow) placements(ctx context.Context, q querier, name, version string) ([]Placement, error) {
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

// visible reports whether clients that see a published revision of a release see a row in a state that it has since
// another revision.
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
