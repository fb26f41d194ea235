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

// Claim gives the identity of k to it, unless that is taken: then it returns the row in the way and false. That is the
// row that has the identity, or one of another component of the distribution that keeps k out: it has other bytes under the
// name, version and architecture of k, or was withdrawn and is active nowhere. A claimed identity keeps others out exactly
// like an active one. The same claim again finds itself: compare the digests. A fragment that is too large is a
// [catalog.Rejection].
//
// by is the upload that makes the claim; it may be the zero one.
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
			return claimedBy(ctx, tx, by, id)
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
		holder, claimed = k, true
		k.State = catalog.Claimed
		if id, err = insertPackage(ctx, tx, distribution, k, fragments); err != nil {
			return err
		}
		return claimedBy(ctx, tx, by, id)
	})
	if err != nil {
		return k, false, fmt.Errorf("claim %s %s %s: %w", k.Name, k.Version, k.Arch, err)
	}
	return holder, claimed, nil
}

// lockClaims returns the row of a distribution that is about to get package k, and keeps two claims from passing each
// other by in two of its components: with several of them, claims take turns. With one, the identity's unique key is enough,
// as long as the distribution stays like that. What k belongs to has to be there still.
func lockClaims(ctx context.Context, tx *transaction, k catalog.Package) (id int64, err error) {
	if id, err = distributionID(ctx, tx, k.Repository, k.Distribution); err != nil {
		return 0, err
	}
	ds, err := readOffered(ctx, tx, id, "")
	for locked := ""; err == nil && tx.forUpdate != "" && locked != tx.forUpdate; {
		lock := " LOCK IN SHARE MODE"
		if len(ds.Components) > 1 {
			lock = tx.forUpdate
		}
		if lock == locked {
			break // nobody added one before the lock
		}
		locked = lock
		ds, err = readOffered(ctx, tx, id, locked)
	}
	if err != nil {
		return 0, err
	}
	if arch := layout.OfferedArch(k); arch != "" && !slices.Contains(ds.Architectures, arch) {
		return 0, fmt.Errorf("architecture %s of %s %s: %w", arch, k.Repository, k.Distribution, ErrNotFound)
	}
	if k.Format == catalog.DEB && !slices.Contains(ds.Components, k.Component) {
		return 0, fmt.Errorf("component %q of %s %s: %w", k.Component, k.Repository, k.Distribution, ErrNotFound)
	}
	return id, nil
}

// claimedBy notes which upload works on a claimed package.
func claimedBy(ctx context.Context, tx *transaction, by catalog.Upload, pkg int64) error {
	if by == (catalog.Upload{}) {
		return nil
	}
	_, err := tx.ExecContext(ctx, `UPDATE uploads SET package_id = ? WHERE bucket = ? AND object = ? AND generation = ? AND state = ?`,
		pkg, by.Bucket, by.Object, by.Generation, catalog.Received)
	return err
}

// Blocked returns the row of another component that would keep [DB.Claim] from giving k its identity, and whether
// there is one.
func (d *DB) Blocked(ctx context.Context, k catalog.Package) (holder catalog.Package, blocked bool, err error) {
	err = d.ask(ctx, func(q querier) error {
		holder, blocked, err = blocking(ctx, q, k)
		return err
	})
	return holder, blocked, err
}

// blocking is [DB.Blocked]. Other bytes may not have the name in any component. The same bytes may be in several, and a
// withdrawal from one leaves them in the others; but what is withdrawn wherever it was does not come back by another door.
func blocking(ctx context.Context, q querier, k catalog.Package) (holder catalog.Package, blocked bool, err error) {
	rows, err := namesakes(ctx, q, k)
	if err != nil || len(rows) == 0 {
		return k, false, err
	}
	for _, row := range rows {
		if row.pkg.File.SHA256 != k.File.SHA256 {
			return row.pkg, true, nil
		}
	}
	if slices.ContainsFunc(rows, func(row packageRow) bool { return row.pkg.State != catalog.Yanked }) {
		return k, false, nil
	}
	return rows[0].pkg, true, nil
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

// ClaimLeased reports whether an upload that claims a package is being worked on.
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
