package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Stored is an upload whose package is claimed and whose bytes are complete.
type Stored struct {
	Upload  catalog.Upload
	Token   string          // of the lease
	Package catalog.Package // identity and file; fragments are not needed
	Dirs    []string        // RPM: the directories that have the file
	Checked catalog.Checked // what was looked at of the payload
}

// ErrDirectoryAdded is returned by [DB.Activate] if an architecture directory was added after a noarch package was
// copied to the others, so that the package's file is missing from it.
var ErrDirectoryAdded = errors.New("an architecture directory was added since")

// Activate makes claimed packages active, in one transaction. Every release that changes gets one new revision, and
// every upload waits for the releases that show its package. An upload of a release train only reserves its identity, and is held. In a mutable
// repository, a package takes the place of the active one with other bytes, in the same revision, unless that was pushed later. An
// upload whose package is active already becomes a duplicate. An upload whose lease another worker has now is skipped. An upload whose package was withdrawn since
// the claim, whose repository was deleted, or that has other bytes since the catalog was restored, is rejected. A repeat changes nothing.
//
// If a package belongs to a directory that lacks its file, the error wraps [ErrDirectoryAdded] and nothing changes:
// read the settings, copy the file, and call again.
func (d *DB) Activate(ctx context.Context, stored []Stored, now time.Time) error {
	err := d.tx(ctx, func(tx *transaction) error {
		releases, err := lockReleasesOf(ctx, tx, stored)
		if err != nil {
			return err
		}
		ordered, err := latestFirst(ctx, tx, stored)
		if err != nil {
			return err
		}
		all, err := newActivator(ctx, tx, ordered, now)
		if err != nil {
			return err
		}
		var changes []packageChange
		for _, s := range ordered {
			some, err := all.activate(ctx, s, releases[distributionOf(s)])
			if err != nil {
				return fmt.Errorf("activate %s: %w", s.Upload, err)
			}
			changes = append(changes, some...)
		}
		if err := all.flush(ctx); err != nil {
			return err
		}
		return recordActivation(ctx, tx, changes, now)
	})
	if err != nil {
		return fmt.Errorf("store rows: %w", err)
	}
	return nil
}

// A distributionKey names a distribution of a repository.
type distributionKey struct {
	repository   catalog.Repository
	distribution catalog.Distribution
}

func distributionOf(s Stored) distributionKey {
	return distributionKey{s.Package.Repository, s.Package.Distribution}
}

// lockReleasesOf locks the releases that show any of the packages. It returns all releases of the packages'
// distributions, in ascending order of their ids.
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

// A packageChange is what a transaction changes of one package, on behalf of an upload if there is one: else upload is 0.
type packageChange struct {
	upload, pkg int64
	releases    []releaseRow // that show the package
	changed     bool         // they did not before
}

// activate makes one package active. releases are those of its distribution. An upload whose lease is lost, or that is rejected or held,
// changes nothing.
func activate(ctx context.Context, tx *transaction, s Stored, releases []releaseRow, now time.Time) ([]packageChange, error) {
	upload, err := leased(ctx, tx, s.Upload, s.Token)
	if err != nil || upload == 0 {
		return nil, err
	}
	gone, err := deletions(ctx, tx, s.Package.Repository)
	if err != nil {
		return nil, err
	}
	if t, del := gone.DeletedTarget(s.Package.Distribution, s.Package.Component); del != nil {
		return nil, reject(ctx, tx, upload, *DeletedRejection(t, *del), now)
	}
	holder, id, err := find(ctx, tx, s.Package)
	if err != nil {
		return nil, err
	}
	if train := layout.TrainOf(s.Upload.Object); train != "" && holder.State != catalog.Active {
		return nil, hold(ctx, tx, s, upload, holder, id, now)
	}
	switch {
	case holder.State == catalog.Dropped:
		return nil, droppedYet(holder)
	case holder.Variant != "":
		return activateVariant(ctx, tx, s, upload, holder, id, releases, now)
	}
	if rej := checkActivatable(s.Package, holder); rej != nil {
		return nil, reject(ctx, tx, upload, *rej, now)
	}
	c := packageChange{upload: upload, pkg: id, changed: holder.State == catalog.Claimed}
	if c.releases, err = releasesShowing(s, releases); err != nil {
		return nil, err
	}
	outcome := catalog.Duplicate
	if c.changed {
		outcome = catalog.Published
		if _, err := tx.ExecContext(ctx, `UPDATE packages SET state = ? WHERE id = ?`, catalog.Active, id); err != nil {
			return nil, err
		}
		if holder.Yank != nil {
			if err := returned(ctx, tx, id, holder, now); err != nil {
				return nil, err
			}
		}
	}
	_, err = tx.ExecContext(ctx, `UPDATE uploads SET state = ?, outcome = ?, detail = '', package_id = ?, checked = ? WHERE id = ?`, catalog.Stored, outcome, id, s.Checked, upload)
	return []packageChange{c}, err
}

// checkActivatable returns why a claimed package cannot become active any more: it was withdrawn, or its identity
// has other bytes. It returns nil if it can.
func checkActivatable(k, holder catalog.Package) *catalog.Rejection {
	name := holder.Name + " " + holder.Version + " " + holder.Arch
	switch {
	case holder.State == catalog.Reserved:
		return ReservedBy(holder)
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

// releasesShowing returns those of the distribution's releases that show a package. The error wraps
// [ErrDirectoryAdded] if one of them lacks its file.
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

// recordActivation issues a revision for each release that changed, and records what each upload waits for.
func recordActivation(ctx context.Context, tx *transaction, changes []packageChange, now time.Time) error {
	var came []int64
	for _, c := range changes {
		if c.changed && c.upload != 0 {
			came = append(came, c.pkg)
		}
	}
	if err := tx.phaseActivated(ctx, came); err != nil {
		return err
	}
	revisions, err := recordChanges(ctx, tx, changes, now)
	if err != nil {
		return err
	}
	var visible []int64  // uploads of what clients may see already: duplicates
	var awaited [][3]any // an upload, a release, its revision
	for _, c := range changes {
		if c.upload == 0 { // it was replaced
			continue
		}
		waits := false
		for _, r := range c.releases {
			revision, issued := revisions[r.id]
			waits = waits || issued // what was issued just now is not published
			awaited = append(awaited, [3]any{c.upload, r.id, max(r.revision, revision)})
		}
		if !waits {
			visible = append(visible, c.upload)
		}
	}
	for some := range sized(awaited) {
		var args []any
		for _, a := range some {
			args = append(args, a[:]...)
		}
		_, err := tx.ExecContext(ctx, `INSERT INTO upload_releases (upload_id, release_id, revision) VALUES (?, ?, ?)`+strings.Repeat(`, (?, ?, ?)`, len(some)-1), args...)
		if err != nil {
			return err
		}
	}
	return finishUploads(ctx, tx, visible, now)
}

// issueForChanged issues a revision for each release that changed, in ascending order of ids, and returns the
// revisions by id.
func issueForChanged(ctx context.Context, tx *transaction, changes []packageChange, now time.Time) (map[int64]int64, error) {
	var ids []int64
	for _, c := range changes {
		for _, r := range c.releases {
			if c.changed {
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
