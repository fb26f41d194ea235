package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Declaration names what must exist before a package can have a row.
type Declaration struct {
	Repository catalog.Repository
	Distro     layout.Distro
	Component  string // DEB only
	Arch       string // one more architecture (DEB) or directory (RPM); empty, "all" and "noarch" add none
}

// wants returns the settings that a declaration asks of its distribution. The default component is added to one without components
// only: it may have been deleted from others.
func (w Declaration) wants(ctx context.Context, tx *transaction, repository int64) (catalog.DistributionSettings, error) {
	dist := w.Distro.Distribution
	ds := catalog.DistributionSettings{Distribution: dist, Format: w.Distro.Format, Architectures: slices.Clone(w.Distro.Architectures)}
	if w.Distro.Format == catalog.DEB {
		ds.Components = []string{w.Component}
		n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM distributions WHERE repository_id = ? AND os = ? AND version = ? AND components <> '[]'`,
			repository, dist.OS, dist.Version).Scan)
		if err != nil {
			return ds, err
		}
		if n == 0 {
			ds.Components = append(ds.Components, layout.DefaultComponent)
		}
	}
	if w.Arch != "" && w.Arch != "all" && w.Arch != layout.Noarch {
		ds.Architectures = append(ds.Architectures, w.Arch)
	}
	return ds, nil
}

// Declare creates what is missing of a repository, its distribution, component, architecture and releases, in one
// transaction, and returns what it created, in words for a log. A release whose set of components or architectures
// grew gets a new revision; if anything was created, the settings do, too. What exists is not changed otherwise. A
// repeat creates nothing.
func (d *DB) Declare(ctx context.Context, want Declaration, now time.Time) (created []string, err error) {
	nonce := random()
	err = d.tx(ctx, func(tx *transaction) error {
		repository, isNew, err := ensureRepository(ctx, tx, want.Repository, now)
		if err != nil || repository.settings.Revision.Nonce == nonce {
			return err // if it is ours, then an earlier try went through
		}
		if t, del := repository.settings.DeletedTarget(want.Distro.Distribution, want.Component); del != nil {
			return deletedError{t, del}
		}
		created = nil
		if isNew {
			created = append(created, "repository "+want.Repository.String())
		}
		wants, err := want.wants(ctx, tx, repository.id)
		if err != nil {
			return err
		}
		grown, err := ensureDistribution(ctx, tx, repository.id, wants, now)
		if created = append(created, grown...); err != nil || len(created) == 0 {
			return err
		}
		entry := catalog.AuditEntry{Action: catalog.ActionRepoDeclare, Target: want.Repository.String(), Detail: strings.Join(created, ", ")}
		if len(grown) > 0 { // components and architectures are of a distribution
			entry.Target += "/" + want.Distro.Distribution.String()
		}
		if isNew {
			entry.Action = catalog.ActionRepoCreate
		}
		if err := record(ctx, tx, now, entry); err != nil {
			return err
		}
		return repository.issueRevision(ctx, tx, repository.settings.Revision.Number+1, nonce, now)
	})
	if err != nil {
		return nil, fmt.Errorf("declare %s %s: %w", want.Repository, want.Distro.Distribution, err)
	}
	return created, nil
}

// ensureRepository locks a repository, and creates it if it is absent.
func ensureRepository(ctx context.Context, tx *transaction, r catalog.Repository, now time.Time) (row repositoryRow, isNew bool, err error) {
	row, err = lockRepository(ctx, tx, r)
	if !errors.Is(err, ErrNotFound) {
		return row, false, err
	}
	row.settings = catalog.Settings{Repository: r, Visibility: catalog.Public, Origin: r.String(), Label: r.Name}
	row.id, err = insertRepository(ctx, tx, row.settings, now)
	return row, true, err
}

// ensureDistribution creates what is missing of a distribution, its wanted components and architectures, and the
// releases that follow from them. It returns what it created, in words.
func ensureDistribution(ctx context.Context, tx *transaction, repository int64, want catalog.DistributionSettings, now time.Time) (created []string, err error) {
	dist := want.Distribution
	has := catalog.DistributionSettings{Distribution: dist, Format: want.Format}
	var id int64
	err = tx.QueryRowContext(ctx, `SELECT id, format, components, architectures FROM distributions WHERE repository_id = ? AND os = ? AND version = ?`,
		repository, dist.OS, dist.Version).Scan(&id, &has.Format, jsonList[string]{&has.Components}, jsonList[string]{&has.Architectures})
	if errors.Is(err, sql.ErrNoRows) {
		created = append(created, "distribution "+dist.String())
		id, err = insertDistribution(ctx, tx, repository, want.Format, dist, now)
	}
	if err != nil {
		return nil, err
	}
	components, architectures := union(has.Components, want.Components), union(has.Architectures, want.Architectures)
	grown := append(added("component ", has.Components, components), added("architecture ", has.Architectures, architectures)...)
	if len(grown) == 0 {
		return created, nil
	}
	_, err = tx.ExecContext(ctx, `UPDATE distributions SET components = ?, architectures = ? WHERE id = ?`,
		jsonList[string]{&components}, jsonList[string]{&architectures}, id)
	if err != nil {
		return nil, err
	}
	return append(created, grown...), ensureReleases(ctx, tx, id, has.Format, architectures, now)
}

func insertDistribution(ctx context.Context, tx *transaction, repository int64, format catalog.Format, dist catalog.Distribution, now time.Time) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO distributions (repository_id, os, version, format, components, architectures, created_at) VALUES (?, ?, ?, ?, '[]', '[]', ?)`,
		repository, dist.OS, dist.Version, format, millis(now))
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// union returns the union of two sets of names, sorted; empty names are left out.
func union(a, b []string) []string {
	names := slices.Concat(a, b)
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(s string) bool { return s == "" })
}

// added returns the names that are in grown and not in has, with a word before each.
func added(word string, has, grown []string) (words []string) {
	for _, name := range grown {
		if !slices.Contains(has, name) {
			words = append(words, word+name)
		}
	}
	return words
}

// ensureReleases creates the missing releases of a distribution, and revives retired ones. The one release of a DEB
// distribution lists components and architectures: it gets a new revision in any case.
func ensureReleases(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, architectures []string, now time.Time) error {
	arches := architectures
	if format == catalog.DEB {
		arches = []string{""}
	}
	for _, arch := range arches {
		var id int64
		var retired bool
		err := tx.QueryRowContext(ctx, `SELECT id, retired <> 0 FROM releases WHERE distribution_id = ? AND arch = ?`, distribution, arch).Scan(&id, &retired)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			if id, err = insertRelease(ctx, tx, distribution, arch); err != nil {
				return err
			}
		case err != nil:
			return err
		case retired:
			if err := revive(ctx, tx, id); err != nil {
				return err
			}
		case format == catalog.RPM:
			continue
		}
		revision, err := issueNext(ctx, tx, id, now)
		if err == nil && format == catalog.RPM {
			err = showAll(ctx, tx, id, distribution, revision, arch)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func insertRelease(ctx context.Context, tx *transaction, distribution int64, arch string) (int64, error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO releases (distribution_id, arch, revision, nonce, published_revision, fault) VALUES (?, ?, 0, '', 0, '')`, distribution, arch)
	if err != nil {
		return 0, err
	}
	return res.LastInsertId()
}

// distributionID returns the row of a distribution, or [ErrNotFound].
func distributionID(ctx context.Context, q querier, r catalog.Repository, dist catalog.Distribution) (id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`, r.Owner, r.Name, dist.OS, dist.Version).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("distribution %s %s: %w", r, dist, ErrNotFound)
	}
	return id, err
}

// readOffered reads the components and architectures of a distribution; lock ends the SELECT.
func readOffered(ctx context.Context, tx *transaction, distribution int64, lock string) (ds catalog.DistributionSettings, err error) {
	err = tx.QueryRowContext(ctx, `SELECT components, architectures FROM distributions WHERE id = ?`+lock, distribution).
		Scan(jsonList[string]{&ds.Components}, jsonList[string]{&ds.Architectures})
	return ds, err
}

var (
	// ErrInUse is returned for an architecture that cannot be taken out of a repository.
	ErrInUse = errors.New("it is in use")
	// ErrRetired is returned for a package whose architecture was taken out of its repository.
	ErrRetired = errors.New("the repository does not have its architecture any more: add that with repomill repo set --arch first")
)

// RemoveArch removes an architecture (DEB) or directory (RPM) from a distribution of a repository, in one
// transaction, and reports whether the distribution had it. The error wraps [ErrInUse] if packages have it, or if
// every repository has it in that distribution, and [ErrNotFound] for an unknown repository or distribution: then
// nothing changes.
//
// The next Release of a DEB distribution does not list it. The release of an RPM directory is retired: it is not
// published any more, and its objects stay in the bucket as they are. [DB.Declare] revives it.
func (d *DB) RemoveArch(ctx context.Context, r catalog.Repository, distro layout.Distro, arch string, now time.Time) (removed bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		removed = false
		repository, err := lockRepository(ctx, tx, r)
		if err != nil {
			return err
		}
		if repository.settings.Deleted != nil {
			return deletedRepository(repository.settings)
		}
		id, err := distributionID(ctx, tx, r, distro.Distribution)
		if err != nil {
			return err
		}
		ds, err := readOffered(ctx, tx, id, tx.forUpdate)
		if err != nil || !slices.Contains(ds.Architectures, arch) {
			return err
		}
		if slices.Contains(distro.Architectures, arch) {
			return fmt.Errorf("%w: every repository has it in %s", ErrInUse, distro.Distribution)
		}
		if err := checkUnused(ctx, tx, id, distro.Format, arch); err != nil {
			return err
		}
		architectures := slices.DeleteFunc(ds.Architectures, func(a string) bool { return a == arch })
		if _, err := tx.ExecContext(ctx, `UPDATE distributions SET architectures = ? WHERE id = ?`, jsonList[string]{&architectures}, id); err != nil {
			return err
		}
		removed = true
		if err := retire(ctx, tx, id, distro.Format, arch, now); err != nil {
			return err
		}
		err = record(ctx, tx, now, catalog.AuditEntry{Action: catalog.ActionRepoSet, Target: r.String() + "/" + distro.Distribution.String(), Detail: "architecture " + arch + " removed"})
		if err != nil {
			return err
		}
		return repository.issueRevision(ctx, tx, repository.settings.Revision.Number+1, random(), now)
	})
	if err != nil {
		return false, fmt.Errorf("remove architecture %s of %s %s: %w", arch, r, distro.Distribution, err)
	}
	return removed, nil
}

// checkUnused returns [ErrInUse], wrapped, if active or claimed packages of a distribution need an architecture.
// Withdrawn packages do not count, nor do packages that other architectures have, too.
func checkUnused(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, arch string) error {
	where, args := `arch = ?`, []any{arch}
	if format == catalog.RPM {
		dirs := []string{arch}
		if arch == layout.X86 {
			dirs = append(dirs, multilib)
		}
		where, args = in("dir", dirs)
	}
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND state IN (?, ?, ?) AND `+where,
		append([]any{distribution, catalog.Active, catalog.Claimed, catalog.Reserved}, args...)...).Scan)
	if err == nil && n > 0 {
		packages := "1 package has it"
		if n > 1 {
			packages = fmt.Sprintf("%d packages have it", n)
		}
		err = fmt.Errorf("%w: %s; withdraw what repomill ls lists of it first, with repomill yank", ErrInUse, packages)
	}
	return err
}

// retire applies the removal of an architecture to releases. The DEB release gets a new revision. The release of an
// RPM directory is retired, and uploads that waited for nothing else are finished.
func retire(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, arch string, now time.Time) error {
	if format == catalog.DEB {
		arch = ""
	}
	id, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM releases WHERE distribution_id = ? AND arch = ?`+tx.forUpdate, distribution, arch).Scan)
	if err != nil {
		return err
	}
	if format == catalog.DEB {
		_, err := issueNext(ctx, tx, id, now)
		return err
	}
	waiting, err := collect(ctx, tx, scanID, `SELECT w.upload_id FROM upload_releases w JOIN releases r ON r.id = w.release_id
		WHERE r.id = ? AND w.revision > r.published_revision ORDER BY w.upload_id`, id)
	if err != nil {
		return err
	}
	if err := hideAll(ctx, tx, id, now); err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET retired = 1, published_revision = revision, fault = '' WHERE id = ?`, id); err != nil {
		return err
	}
	return finishUploads(ctx, tx, waiting, now)
}

// revive makes a retired release like a new one: packages are copied to it again, and it is rendered whole.
func revive(ctx context.Context, tx *transaction, release int64) error {
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET retired = 0, published_revision = 0 WHERE id = ?`, release); err != nil {
		return err
	}
	return raiseGeneration(ctx, tx, release)
}

// checkOffered returns [ErrRetired], wrapped, if the architecture of a package was removed from its distribution.
func checkOffered(ctx context.Context, tx *transaction, k catalog.Package) error {
	id, err := distributionID(ctx, tx, k.Repository, k.Distribution)
	if err != nil {
		return err
	}
	if err := checkNotDeleted(ctx, tx, k.Place()); err != nil {
		return err
	}
	ds, err := readOffered(ctx, tx, id, "")
	if arch := layout.OfferedArch(k); err == nil && arch != "" && !slices.Contains(ds.Architectures, arch) {
		err = fmt.Errorf("%s: %w", arch, ErrRetired)
	}
	return err
}
