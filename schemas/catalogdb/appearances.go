package catalogdb

import (
	"context"
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
		var last span
		s, err := scanRelease(func(dest ...any) error { return scan(append(append(dest, &a.Fault), last.dest()...)...) })
		a.Release = s.Release
		a.Published = s.Published >= max(last.turn(), 1)
		return a, err
	}, `SELECT `+releaseColumns+`, r.fault, `+spanColumns+` FROM `+releaseTables+` JOIN packages k ON k.distribution_id = d.id AND k.id = ?`+lastSpan+releaseOrder, row.id)
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
	args := append([]any{row.id}, distributionArgs(r)...)
	dirs, dirArgs := in("k.dir", dirsOf(r.Arch))
	args = append(append(args, dirArgs...), name, version, version)
	found, err := collect(ctx, q, func(scan func(...any) error) (Placement, error) {
		p := Placement{Release: r, Package: &catalog.Package{}}
		var last span
		err := scanPackage(p.Package, scan, last.dest()...)
		if p.Visible = last.seen(); p.Visible && p.Package.State == catalog.Active {
			p.Since = known(last.cameAt)
		}
		return p, err
	}, `SELECT `+spanColumns+`, `+packageColumns+` FROM `+packageTables+` JOIN releases r ON r.id = ?`+lastSpan+`
		WHERE `+releaseKey+` AND `+dirs+` AND k.name = ? AND (k.version = ? OR ? = '')
		`+inOrder, args...)
	if err != nil || len(found) == 0 {
		return []Placement{{Release: r}}, err
	}
	return found, nil
}
