package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Stored is an upload whose package is claimed and whose bytes are complete.
type Stored struct {
	Upload  catalog.Upload
	Token   string          // of the lease
	Package catalog.Package // identity; fragments are not needed
	Dirs    []string        // RPM: the directories that have the file
}

// ErrGrown says that a noarch package is missing from an architecture directory that is newer than its copies.
var ErrGrown = errors.New("an architecture directory was added meanwhile")

// Activate makes claimed packages active, in one transaction: every release that changes gets one new
// revision, and every upload waits for the releases that show its package. An upload whose package
// was active already is a duplicate. Uploads whose lease has gone to somebody else are left out.
//
// If a package belongs to a directory that lacks its file, the error wraps [ErrGrown] and nothing is
// changed: read the settings, copy, and come again.
func (d *DB) Activate(ctx context.Context, stored []Stored, now time.Time) error {
	err := d.tx(ctx, func(tx *sql.Tx) error {
		touched := map[int64]bool{}
		waits := map[int64][]int64{} // upload -> releases
		for _, s := range stored {
			upload, releases, changed, err := activate(ctx, tx, s)
			if err != nil {
				return fmt.Errorf("activate %s: %w", s.Upload, err)
			}
			if upload == 0 {
				continue
			}
			waits[upload] = releases
			for _, r := range releases {
				touched[r] = touched[r] || changed
			}
		}
		return wait(ctx, tx, touched, waits, now)
	})
	if err != nil {
		return fmt.Errorf("store rows: %w", err)
	}
	return nil
}

// activate makes one package active. It returns the upload's row, or 0 if its lease is lost, and the
// releases that show the package; changed is false for a duplicate.
func activate(ctx context.Context, tx *sql.Tx, s Stored) (upload int64, releases []int64, changed bool, err error) {
	if upload, err = leased(ctx, tx, s.Upload, s.Token); err != nil || upload == 0 {
		return 0, nil, false, err
	}
	holder, id, err := find(ctx, tx, s.Package)
	if err != nil {
		return 0, nil, false, err
	}
	if releases, err = releasesOf(ctx, tx, s); err != nil {
		return 0, nil, false, err
	}
	outcome := catalog.Duplicate
	if changed = holder.State == catalog.Claimed; changed {
		outcome = catalog.Published
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE id = ?`, catalog.Active, id); err != nil {
			return 0, nil, false, err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', package_id = ? WHERE id = ?`, catalog.Stored, outcome, id, upload)
	return upload, releases, changed, err
}

// releasesOf returns the releases that show a package, in ascending order.
func releasesOf(ctx context.Context, tx *sql.Tx, s Stored) ([]int64, error) {
	k := s.Package
	rows, err := tx.QueryContext(ctx, `SELECT r.id, r.arch FROM `+releaseTables+` WHERE `+releaseKey+` ORDER BY r.id`,
		k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		var arch string
		if err := rows.Scan(&id, &arch); err != nil {
			return nil, err
		}
		if k.Format == catalog.RPM {
			if !slices.Contains(layout.RPMDirs(k.Arch, []string{arch}), arch) {
				continue
			}
			if !slices.Contains(s.Dirs, arch) {
				return nil, fmt.Errorf("%s: %w", arch, ErrGrown)
			}
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// wait draws a revision for each release that changed, and records what each upload waits for.
func wait(ctx context.Context, tx *sql.Tx, touched map[int64]bool, waits map[int64][]int64, now time.Time) error {
	revisions := map[int64]int64{}
	for _, release := range slices.Sorted(maps.Keys(touched)) {
		var err error
		if touched[release] {
			revisions[release], err = advance(ctx, tx, release, 1, now)
		} else {
			var revision int64
			err = tx.QueryRowContext(ctx, `SELECT revision FROM releases WHERE id = ?`, release).Scan(&revision)
			revisions[release] = revision
		}
		if err != nil {
			return err
		}
	}
	for upload, releases := range waits {
		for _, release := range releases {
			if _, err := tx.ExecContext(ctx, `INSERT INTO upload_releases (upload_id, release_id, revision) VALUES (?, ?, ?)`, upload, release, revisions[release]); err != nil {
				return err
			}
		}
	}
	for release := range touched {
		if err := finish(ctx, tx, release, now); err != nil { // duplicates of what is visible already
			return err
		}
	}
	return nil
}
