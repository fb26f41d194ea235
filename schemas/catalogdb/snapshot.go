package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"

	"repomill/schemas/catalog"
)

// A Snapshot is one consistent view of a release: its revision, its repository's settings and its rows.
type Snapshot struct {
	Release   catalog.Release
	Revision  catalog.Revision
	Published int64 // the newest revision that the catalog knows to be visible
	Settings  catalog.Settings

	tx *sql.Tx
}

// Snapshot opens a view of a release, on the primary. The caller closes it.
func (d *DB) Snapshot(ctx context.Context, r catalog.Release) (s *Snapshot, err error) {
	err = d.retry(ctx, func() error {
		s, err = d.snapshot(ctx, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("snapshot %s: %w", r, err)
	}
	return s, nil
}

func (d *DB) snapshot(ctx context.Context, r catalog.Release) (*Snapshot, error) {
	tx, err := d.views.BeginTx(ctx, nil)
	if err != nil {
		return nil, err
	}
	s := &Snapshot{Release: r, tx: tx}
	if err = d.checkPrimary(ctx, tx); err == nil {
		err = s.begin(ctx)
	}
	if err != nil {
		tx.Rollback() //nolint:errcheck // a read
		return nil, err
	}
	return s, nil
}

func (s *Snapshot) begin(ctx context.Context) error {
	state, err := scanRelease(s.tx.QueryRowContext(ctx, `SELECT `+releaseColumns+` FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`,
		append(distributionArgs(s.Release), s.Release.Arch)...).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	s.Revision, s.Published = state.Revision, state.Published
	s.Settings, err = settings(ctx, s.tx, s.Release.Repository)
	return err
}

// Close ends the view.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// Count returns how many packages [Snapshot.Packages] will yield.
func (s *Snapshot) Count(ctx context.Context) (int, error) { return count(ctx, s.tx, s.Release) }

// Packages returns the active rows that the release shows, in sort-key order, with their fragments.
// A package is valid until the next one is asked for.
func (s *Snapshot) Packages(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return packages(ctx, s.tx, s.Release, catalog.Active, true)
}

// Yanked returns the yanked rows that the release would show if they were active, in sort-key order,
// without fragments, whether their files are still there or not.
func (s *Snapshot) Yanked(ctx context.Context) ([]catalog.Package, error) {
	var all []catalog.Package
	for k, err := range packages(ctx, s.tx, s.Release, catalog.Yanked, false) {
		if err != nil {
			return nil, err
		}
		all = append(all, k)
	}
	return all, nil
}
