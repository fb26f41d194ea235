package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"repomill/schemas/catalog"
)

// An Appearance is a package in one of the releases that it belongs to.
type Appearance struct {
	Release   catalog.Release
	Package   catalog.Package // without fragments, active or yanked
	Published bool            // clients see that it came or, yanked, that it went
	Fault     string          // why the last publish of the release came to nothing
}

// Appearances returns the packages that w names in each of their releases, or [ErrNotFound].
func (d *DB) Appearances(ctx context.Context, w Which) (all []Appearance, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		rows, err := which(ctx, q, w)
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
