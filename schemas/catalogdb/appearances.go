package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"

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
