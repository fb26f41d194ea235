package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Claim inserts a claimed row for k, and returns it and true. If the identity of k is taken, it returns the row that
// takes it, and false: the row with that identity or, for a DEB, a row of another component with the same name,
// version and architecture that has other bytes, or that is withdrawn while no component has it active. A claimed
// row excludes others exactly as an active one does. A repeated claim returns its own row: compare the digests. A promotion claims the
// row of the same bytes that were withdrawn: it brings them back. by,
// unless it is zero, is the upload that makes the claim: it gets the pusher of k. In a mutable repository a row with other bytes takes
// the identity only if it is active in another component. A row that was replaced, whose file is gone, is claimed again as it is
// by the same bytes.
//
// The error is a [catalog.Rejection] for a fragment that is too large, or a deleted repository, and wraps [ErrNotFound] if the distribution,
// component or architecture is not declared. Of concurrent claims of one identity, one inserts its row.
func (d *DB) Claim(ctx context.Context, k catalog.Package, by catalog.Upload) (holder catalog.Package, claimed bool, err error) {
	fragments, err := packAll(k)
	if err != nil {
		return k, false, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		var id int64
		claimed = false
		holder, id, err = find(ctx, tx, k)
		if err == nil && holder.State == catalog.Claimed && holder.File.SHA256 == k.File.SHA256 {
			return claimedBy(ctx, tx, by, k.Pusher, id)
		}
		if err == nil && holder.Replaced() {
			if claimed, err = claimAgain(ctx, tx, id, k, fragments); err != nil || !claimed {
				return err
			}
			k.Key = holder.Key
			holder = k
			return claimedBy(ctx, tx, by, k.Pusher, id)
		}
		if err == nil && by.Promoted() && holder.State == catalog.Yanked && holder.File.SHA256 == k.File.SHA256 {
			holder, claimed, err = reclaim(ctx, tx, id, k, fragments, by)
			return err
		}
		if !errors.Is(err, ErrNotFound) {
			return err
		}
		distribution, err := lockClaims(ctx, tx, k)
		if err != nil {
			return err
		}
		var blocked bool
		if holder, blocked, err = blocking(ctx, tx, k); err != nil || blocked {
			return err
		}
		if holder, blocked, err = heldElsewhere(ctx, tx, k, by); err != nil || blocked {
			return err
		}
		holder, claimed = k, true
		k.State = catalog.Claimed
		if id, err = insertPackage(ctx, tx, distribution, k, fragments); err != nil {
			return err
		}
		return claimedBy(ctx, tx, by, k.Pusher, id)
	})
	if err != nil {
		return k, false, fmt.Errorf("claim %s %s %s: %w", k.Name, k.Version, k.Arch, err)
	}
	return holder, claimed, nil
}

// lockClaims returns the id of the distribution that is to get package k, locked so that claims of one identity in
// two of its components exclude each other. With one component the identity's unique key is enough, and a shared
// lock keeps the list of components unchanged; with several, claims run one at a time. The error wraps [ErrNotFound]
// if the component or architecture of k is not declared.
func lockClaims(ctx context.Context, tx *transaction, k catalog.Package) (id int64, err error) {
	id, ds, terms, err := lockPlace(ctx, tx, k)
	if err == nil {
		err = checkPlace(k, ds, terms)
	}
	return id, err
}

// lockPlace reads and locks the distribution of package k for [lockClaims]. terms say what is deleted of the repository.
func lockPlace(ctx context.Context, tx *transaction, k catalog.Package) (id int64, ds catalog.DistributionSettings, terms catalog.Settings, err error) {
	id, ds, terms, err = readPlace(ctx, tx, k)
	for locked := ""; err == nil && tx.forUpdate != "" && locked != tx.forUpdate; {
		lock := " LOCK IN SHARE MODE"
		if len(ds.Components) > 1 {
			lock = tx.forUpdate
		}
		if lock == locked {
			break // no component was added before the lock
		}
		locked = lock
		ds, err = readOffered(ctx, tx, id, locked)
	}
	if err == nil && tx.forUpdate != "" { // as it is under the lock
		terms, err = deletions(ctx, tx, k.Repository)
	}
	return id, ds, terms, err
}

// checkPlace returns why package k cannot be claimed in its distribution, or nil.
func checkPlace(k catalog.Package, ds catalog.DistributionSettings, terms catalog.Settings) error {
	t, del := terms.DeletedTarget(k.Distribution, k.Component)
	switch {
	case del != nil:
		return DeletedRejection(t, *del)
	case terms.Mutable != (k.Variant != ""):
		return fmt.Errorf("%s was created while the package was read: it is read again", k.Repository)
	}
	if arch := layout.OfferedArch(k); arch != "" && !slices.Contains(ds.Architectures, arch) {
		return fmt.Errorf("architecture %s of %s %s: %w", arch, k.Repository, k.Distribution, ErrNotFound)
	}
	if k.Format == catalog.DEB && !slices.Contains(ds.Components, k.Component) {
		return fmt.Errorf("component %q of %s %s: %w", k.Component, k.Repository, k.Distribution, ErrNotFound)
	}
	return nil
}

// readPlace reads what a distribution offers, and what is deleted of its repository. The error wraps [ErrNotFound].
func readPlace(ctx context.Context, q querier, k catalog.Package) (id int64, ds catalog.DistributionSettings, terms catalog.Settings, err error) {
	terms.Repository = k.Repository
	var list []catalog.Deletion
	err = q.QueryRowContext(ctx, `SELECT d.id, d.components, d.architectures, p.deletion, p.deleted_parts, p.mutable FROM distributions d JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`, k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version).
		Scan(&id, jsonList[string]{&ds.Components}, jsonList[string]{&ds.Architectures}, jsonList[catalog.Deletion]{&list}, jsonList[catalog.DeletedPart]{&terms.DeletedParts}, &terms.Mutable)
	if len(list) > 0 {
		terms.Deleted = &list[0]
	}
	if errors.Is(err, sql.ErrNoRows) {
		err = fmt.Errorf("distribution %s %s: %w", k.Repository, k.Distribution, ErrNotFound)
	}
	return id, ds, terms, err
}

// claimedBy records which upload works on a claimed package, and who pushed it.
func claimedBy(ctx context.Context, tx *transaction, by catalog.Upload, pusher catalog.Pusher, pkg int64) error {
	if by == (catalog.Upload{}) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE uploads SET package_id = ?, pushed_by = ?, pushed_job = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ?`,
		pkg, cut(pusher.User, maxUser), cut(pusher.Job, maxJob), by.Bucket, by.Object, by.Generation, catalog.Received)
	return err
}

// Blocked returns the row of another component that makes [DB.Claim] refuse k, and whether there is one.
func (d *DB) Blocked(ctx context.Context, k catalog.Package) (holder catalog.Package, blocked bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		holder, blocked, err = blocking(ctx, q, k)
		return err
	})
	return holder, blocked, err
}

// blocking is [DB.Blocked]. One name, version and architecture has the same bytes in every component. A withdrawal
// from one component leaves them in the others; bytes that are withdrawn from all components cannot return in a new
// one.
func blocking(ctx context.Context, q querier, k catalog.Package) (holder catalog.Package, blocked bool, err error) {
	rows, err := namesakes(ctx, q, k)
	if k.Variant != "" {
		rows = slices.DeleteFunc(rows, func(row packageRow) bool {
			return row.pkg.Replaced() || row.pkg.File.SHA256 != k.File.SHA256 && row.pkg.State != catalog.Active
		})
	}
	if err != nil {
		return k, false, err
	}
	holder, blocked = blockedBy(k, rows)
	return holder, blocked, nil
}

// blockedBy returns which of the rows of other components keeps k out, and whether one does.
func blockedBy(k catalog.Package, rows []packageRow) (holder catalog.Package, blocked bool) {
	if len(rows) == 0 {
		return k, false
	}
	for _, row := range rows {
		if row.pkg.File.SHA256 != k.File.SHA256 {
			return row.pkg, true
		}
	}
	if slices.ContainsFunc(rows, func(row packageRow) bool { return row.pkg.State != catalog.Yanked }) {
		return k, false
	}
	return rows[0].pkg, true
}

// namesakes returns the rows of other components that have the name, version and architecture of k.
func namesakes(ctx context.Context, q querier, k catalog.Package) ([]packageRow, error) {
	if k.Format != catalog.DEB {
		return nil, nil
	}
	return collect(ctx, q, func(scan func(...any) error) (row packageRow, err error) {
		return row, scanPackage(&row.pkg, scan, &row.id, &row.removed)
	}, `SELECT k.id, k.removed > 0, `+packageColumns+` FROM `+packageTables+`
		WHERE `+releaseKey+` AND k.name = ? AND k.canonical = ? AND k.arch = ? AND k.component <> ? ORDER BY k.component`,
		k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version, k.Name, k.Canonical, k.Arch, k.Component)
}

// ClaimLeased reports whether a worker has a lease on an upload that claims a package. The error is [ErrNotFound] if
// no row has the identity of k.
func (d *DB) ClaimLeased(ctx context.Context, k catalog.Package, now time.Time) (bool, error) {
	var n int
	err := d.ask(ctx, func(q querier) error {
		_, id, err := find(ctx, q, k)
		if err != nil {
			return err
		}
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM uploads WHERE package_id = ? AND state = ? AND lease_until > ?`,
			id, catalog.Received, millis(now)).Scan(&n)
	})
	return n > 0, err
}
