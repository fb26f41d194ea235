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

var (
	// ErrInUse is returned for an architecture that cannot be taken out of a repository.
	ErrInUse = errors.New("it is in use")
	// ErrRetired is returned for a package whose architecture was taken out of its repository.
	ErrRetired = errors.New("the repository does not have its architecture any more: add that with repomill repo set --arch first")
)

// RemoveArch takes an architecture (DEB) or directory (RPM) out of a distribution of a repository, and reports whether
// the distribution had it. If packages of it are there, or it is one that every repository has of that distribution, the
// error wraps [ErrInUse] and nothing is changed.
//
// The next Release of a DEB distribution does not list it. The release of an RPM directory is no longer published: its
// objects stay in the bucket as they are, and nothing leads there. Declared again, it goes on where it was.
func (d *DB) RemoveArch(ctx context.Context, r catalog.Repository, distro layout.Distro, arch string, now time.Time) (removed bool, err error) {
	err = d.tx(ctx, func(tx *transaction) error {
		removed = false
		repository, err := lockRepository(ctx, tx, r)
		if err != nil {
			return err
		}
		id, err := distributionID(ctx, tx, r, distro.Distribution)
		if err != nil {
			return err
		}
		ds, err := readOffer(ctx, tx, id, tx.forUpdate)
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
		return repository.draw(ctx, tx, repository.settings.Revision.Number+1, random(), now)
	})
	if err != nil {
		return false, fmt.Errorf("remove architecture %s of %s %s: %w", arch, r, distro.Distribution, err)
	}
	return removed, nil
}

// checkUnused makes sure that a distribution has no package that an architecture is there for. Those that are
// withdrawn do not count, nor do those that other architectures have, too.
func checkUnused(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, arch string) error {
	where, args := `arch = ?`, []any{arch}
	if format == catalog.RPM {
		dirs := []string{arch}
		if arch == layout.X86 {
			dirs = append(dirs, multilib)
		}
		where, args = in("dir", dirs)
	}
	n, err := scanID(tx.QueryRowContext(ctx, `SELECT COUNT(*) FROM packages WHERE distribution_id = ? AND state IN (?, ?) AND `+where,
		append([]any{distribution, catalog.Active, catalog.Claimed}, args...)...).Scan)
	if err == nil && n > 0 {
		packages := "1 package has it"
		if n > 1 {
			packages = fmt.Sprintf("%d packages have it", n)
		}
		err = fmt.Errorf("%w: %s; withdraw what repomill ls lists of it first", ErrInUse, packages)
	}
	return err
}

// retire has releases follow the loss of an architecture. Nobody waits any more for that of an RPM directory.
func retire(ctx context.Context, tx *transaction, distribution int64, format catalog.Format, arch string, now time.Time) error {
	if format == catalog.DEB {
		arch = ""
	}
	id, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM releases WHERE distribution_id = ? AND arch = ?`+tx.forUpdate, distribution, arch).Scan)
	if err != nil {
		return err
	}
	if format == catalog.DEB {
		_, err := advance(ctx, tx, id, now)
		return err
	}
	waiting, err := collect(ctx, tx, scanID, `SELECT w.upload_id FROM upload_releases w JOIN releases r ON r.id = w.release_id
		WHERE r.id = ? AND w.revision > r.published_revision ORDER BY w.upload_id`, id)
	if err != nil {
		return err
	}
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET retired = 1, published_revision = revision, fault = '' WHERE id = ?`, id); err != nil {
		return err
	}
	return finish(ctx, tx, waiting, now)
}

// revive makes a release that was retired like one that is new: it gets its copies of packages again, and is
// rendered from nothing.
func revive(ctx context.Context, tx *transaction, release int64) error {
	if _, err := tx.ExecContext(ctx, `UPDATE releases SET retired = 0, published_revision = 0 WHERE id = ?`, release); err != nil {
		return err
	}
	return raiseGeneration(ctx, tx, release)
}

// checkOffered makes sure that a package's architecture is there.
func checkOffered(ctx context.Context, tx *transaction, k catalog.Package) error {
	id, err := distributionID(ctx, tx, k.Repository, k.Distribution)
	if err != nil {
		return err
	}
	ds, err := readOffer(ctx, tx, id, "")
	if arch := layout.OfferedArch(k); err == nil && arch != "" && !slices.Contains(ds.Architectures, arch) {
		err = fmt.Errorf("%s: %w", arch, ErrRetired)
	}
	return err
}
