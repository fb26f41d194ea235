package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// A Stored is an upload whose package is claimed and whose bytes are complete.
type Stored struct {
	Upload  catalog.Upload
	Token   string          // of the lease
	Package catalog.Package // identity and file; fragments are not needed
	Dirs    []string        // RPM: the directories that have the file
	Checked catalog.Checked // what was looked at of the payload
}

// ErrDirectoryAdded says that a noarch package is missing from an architecture directory that is newer than its copies.
var ErrDirectoryAdded = errors.New("an architecture directory was added meanwhile")

// Activate makes claimed packages active, in one transaction: every release that changes gets one new
// revision, and every upload waits for the releases that show its package. An upload whose package
// was active already is a duplicate. Uploads whose lease has gone to somebody else are left out; one
// whose package was withdrawn meanwhile, or has other bytes since the catalog was restored, is rejected.
//
// If a package belongs to a directory that lacks its file, the error wraps [ErrDirectoryAdded] and nothing is
// changed: read the settings, copy, and come again.
func (d *DB) Activate(ctx context.Context, stored []Stored, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		releases, err := lockReleasesOf(ctx, tx, stored)
		if err != nil {
			return err
		}
		var changes []packageChange
		for _, s := range stored {
			e, err := activate(ctx, tx, s, releases[distributionOf(s)], now)
			if err != nil {
				return fmt.Errorf("activate %s: %w", s.Upload, err)
			}
			if e.upload != 0 {
				changes = append(changes, e)
			}
		}
		return recordActivation(ctx, tx, changes, now)
	})
	if err != nil {
		return fmt.Errorf("store rows: %w", err)
	}
	return nil
}

// A distributionKey is a distribution of a repository.
type distributionKey struct {
	repository   catalog.Repository
	distribution catalog.Distribution
}

func distributionOf(s Stored) distributionKey {
	return distributionKey{s.Package.Repository, s.Package.Distribution}
}

// lockReleasesOf locks the releases that show any of the packages, and returns all releases of their places, in
// ascending order.
func lockReleasesOf(ctx context.Context, tx *transaction, stored []Stored) (releases map[distributionKey][]releaseRow, err error) {
	releases = map[distributionKey][]releaseRow{}
	var ids []int64
	for _, s := range stored {
		at := distributionOf(s)
		if _, ok := releases[at]; !ok {
			if err := tx.lockDistribution(ctx, at.repository, at.distribution); err != nil {
				return nil, err
			}
			if releases[at], err = releasesOf(ctx, tx, at.repository, at.distribution); err != nil {
				return nil, err
			}
		}
		for _, row := range releases[at] {
			if shows(row.arch, dirOf(s.Package)) {
				ids = append(ids, row.id)
			}
		}
	}
	if err := tx.lock(ctx, ids); err != nil || tx.forUpdate == "" {
		return releases, err
	}
	for at := range releases { // as they are now
		if releases[at], err = releasesOf(ctx, tx, at.repository, at.distribution); err != nil {
			return nil, err
		}
	}
	return releases, nil
}

// A packageChange is what one upload does to the catalog.
type packageChange struct {
	upload, pkg int64
	releases    []releaseRow // that show the package
	changed     bool         // they did not before
}

// activate makes one package active; releases are those of its place. The effect of an upload without a
// lease has no upload.
func activate(ctx context.Context, tx *transaction, s Stored, releases []releaseRow, now time.Time) (packageChange, error) {
	upload, err := leased(ctx, tx, s.Upload, s.Token)
	if err != nil || upload == 0 {
		return packageChange{}, err
	}
	holder, id, err := find(ctx, tx, s.Package)
	if err != nil {
		return packageChange{}, err
	}
	if rej := checkActivatable(s.Package, holder); rej != nil {
		return packageChange{}, reject(ctx, tx, upload, *rej, now)
	}
	e := packageChange{upload: upload, pkg: id, changed: holder.State == catalog.Claimed}
	if e.releases, err = releasesShowing(s, releases); err != nil {
		return packageChange{}, err
	}
	outcome := catalog.Duplicate
	if e.changed {
		outcome = catalog.Published
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE id = ?`, catalog.Active, id); err != nil {
			return packageChange{}, err
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', package_id = ?, checked = ? WHERE id = ?`, catalog.Stored, outcome, id, s.Checked, upload)
	return e, err
}

// checkActivatable says why a package cannot become active any more, although it was claimed or there already
// when it was read.
func checkActivatable(k, holder catalog.Package) *catalog.Rejection {
	name := holder.Name + " " + holder.Version + " " + holder.Arch
	switch {
	case holder.File.SHA256 != k.File.SHA256:
		return conflict(name, k.File.SHA256, holder.File.SHA256)
	case holder.State == catalog.Yanked:
		return &catalog.Rejection{Reason: catalog.YankedIdentity,
			Detail: fmt.Sprintf("%s was withdrawn while this file was on its way; no file takes its name again: raise the version", name)}
	}
	return nil
}

func conflict(name, pushed, published string) *catalog.Rejection {
	return &catalog.Rejection{Reason: catalog.Conflict,
		Detail: fmt.Sprintf("%s is published with other bytes (sha256 %s; this file has %s); raise the version", name, published, pushed)}
}

// releasesShowing returns those of its place's releases that show a package, or [ErrDirectoryAdded] if one of them lacks
// its file.
func releasesShowing(s Stored, releases []releaseRow) (showing []releaseRow, err error) {
	for _, r := range releases {
		if !shows(r.arch, dirOf(s.Package)) {
			continue
		}
		if s.Package.Format == catalog.RPM && !slices.Contains(s.Dirs, r.arch) {
			return nil, fmt.Errorf("%s: %w", r.arch, ErrDirectoryAdded)
		}
		showing = append(showing, r)
	}
	return showing, nil
}

// recordActivation draws a revision for each release that changed, and records what each upload waits for.
func recordActivation(ctx context.Context, tx *transaction, changes []packageChange, now time.Time) error {
	revisions, err := issueForChanged(ctx, tx, changes, now)
	if err != nil {
		return err
	}
	var uploads []int64
	for _, e := range changes {
		uploads = append(uploads, e.upload)
		for _, r := range e.releases {
			revision := max(r.revision, revisions[r.id])
			if _, err := tx.ExecContext(ctx, `INSERT INTO upload_releases (upload_id, release_id, revision) VALUES (?, ?, ?)`, e.upload, r.id, revision); err != nil {
				return err
			}
			if !e.changed {
				continue
			}
			if err := recordAppearance(ctx, tx, e.pkg, r.id, revision); err != nil {
				return err
			}
		}
	}
	return finishUploads(ctx, tx, uploads, now) // duplicates of what is visible already
}

// issueForChanged draws a revision for each release that changed, in ascending order, and returns it.
func issueForChanged(ctx context.Context, tx *transaction, changes []packageChange, now time.Time) (map[int64]int64, error) {
	var ids []int64
	for _, e := range changes {
		for _, r := range e.releases {
			if e.changed {
				ids = append(ids, r.id)
			}
		}
	}
	slices.Sort(ids)
	revisions := map[int64]int64{}
	for _, id := range slices.Compact(ids) {
		revision, err := issueNext(ctx, tx, id, now)
		if err != nil {
			return nil, err
		}
		revisions[id] = revision
	}
	return revisions, nil
}
