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
	// Generation rises when [Snapshot.Changes] does not have all that changed: rows were taken over from what is
	// published, or a reindex found other indexes. What was rendered in another generation is not updated but rendered whole.
	Generation int64
	SignedBy   string // how what is published is signed ([DB.Signed]); empty if that is not known
	Hold       Hold
	Settings   catalog.Settings

	tx           *sql.Tx
	distribution int64
	release      int64
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
	err := s.tx.QueryRowContext(ctx, `SELECT r.id, d.id, r.revision, r.nonce, r.published_revision, r.generation, r.signed_by
		FROM `+releaseTables+` WHERE `+releaseKey+` AND r.arch = ?`, append(distributionArgs(s.Release), s.Release.Arch)...).
		Scan(&s.release, &s.distribution, &s.Revision.Number, &s.Revision.Nonce, &s.Published, &s.Generation, &s.SignedBy)
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	if err != nil {
		return err
	}
	if s.Hold, err = hold(ctx, s.tx, s.release); err != nil {
		return err
	}
	s.Settings, err = settings(ctx, s.tx, s.Release.Repository)
	return err
}

// Close ends the view.
func (s *Snapshot) Close() error { return s.tx.Rollback() }

// Count returns how many packages the release shows.
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
