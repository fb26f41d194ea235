package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
)

// A Which names packages of a distribution as people do.
type Which struct {
	Repository   catalog.Repository
	Distribution catalog.Distribution
	Name         string
	Version      string // as listed, with its epoch
	Component    string // DEB only; empty: all that have it
	Arch         string // empty: all of that version
}

// String returns "name version [arch] of owner/name os/version[/component]".
func (w Which) String() string {
	s := w.Name + " " + w.Version
	if w.Arch != "" {
		s += " " + w.Arch
	}
	s += " of " + w.Repository.String() + " " + w.Distribution.String()
	if w.Component != "" {
		s += "/" + w.Component
	}
	return s
}

// A packageRow is a row with its id and whether its file is gone, or going.
type packageRow struct {
	id      int64
	removed bool
	pkg     catalog.Package
}

// which returns the published and withdrawn rows that w names, in order of their architectures and components, or [ErrNotFound].
func which(ctx context.Context, q querier, w Which) ([]packageRow, error) {
	args := []any{w.Repository.Owner, w.Repository.Name, w.Distribution.OS, w.Distribution.Version, w.Name, w.Version, catalog.Active, catalog.Yanked}
	where := releaseKey + ` AND k.name = ? AND k.version = ? AND k.state IN (?, ?)`
	if w.Arch != "" {
		where, args = where+` AND k.arch = ?`, append(args, w.Arch)
	}
	if w.Component != "" {
		where, args = where+` AND k.component = ?`, append(args, w.Component)
	}
	rows, err := collect(ctx, q, func(scan func(...any) error) (row packageRow, err error) {
		return row, scanPackage(&row.pkg, scan, &row.id, &row.removed)
	}, `SELECT k.id, k.removed > 0, `+packageColumns+` FROM `+packageTables+` WHERE `+where+` ORDER BY k.arch, k.component`, args...)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: %w", w, ErrNotFound)
	}
	return rows, err
}
