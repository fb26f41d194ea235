package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// WantSkippedContents asks again for the contents of packages of at most some bytes that an earlier, lower limit left out.
func (d *DB) WantSkippedContents(ctx context.Context, size int64, now time.Time) error {
	err := d.exec(ctx, `UPDATE package_contents SET state = ?, attempts = 0, not_before = ? WHERE state = ? AND size <= ?`, contentsWanted, millis(now), contentsSkipped, size)
	if err != nil {
		return fmt.Errorf("ask for contents that were left out: %w", err)
	}
	return nil
}

// wantFailedContents asks again for the contents of packages of a repository that could not be read: what was wrong may be repaired.
func (tx *transaction) wantFailedContents(ctx context.Context, repository int64, now time.Time) error {
	_, err := tx.ExecContext(ctx, `UPDATE package_contents SET state = ?, attempts = 0, not_before = ? WHERE repository_id = ? AND state = ?`,
		contentsWanted, millis(now), repository, contentsFailed)
	return err
}

// CountWantedContents returns how many packages wait for their contents to be read.
func (d *DB) CountWantedContents(ctx context.Context) (n int64, err error) {
	err = d.ask(ctx, func(q querier) error {
		n, err = scanID(q.QueryRowContext(ctx, `SELECT COUNT(*) FROM package_contents WHERE state = ?`, contentsWanted).Scan)
		return err
	})
	return n, err
}

// dropContents has the list of files of a package deleted, if no row of its repository but this one, whose file goes, has its bytes.
func dropContents(ctx context.Context, tx *transaction, id int64) error {
	var repository int64
	var name, canonical, sum string
	err := tx.QueryRowContext(ctx, `SELECT d.repository_id, k.name, k.canonical, k.sha256 FROM packages k JOIN distributions d ON d.id = k.distribution_id WHERE k.id = ?`, id).
		Scan(&repository, &name, &canonical, &sum)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `UPDATE package_contents SET state = ? WHERE repository_id = ? AND sha256 = ? AND NOT EXISTS (
			SELECT 1 FROM packages k JOIN distributions d ON d.id = k.distribution_id
			WHERE d.repository_id = ? AND k.name = ? AND k.canonical = ? AND k.sha256 = ? AND k.removed < ? AND k.id <> ?)`,
		contentsGone, repository, sum, repository, name, canonical, sum, fileDeleted, id)
	return err
}

// PackageContents returns what is known of the contents of packages of a repository, by SHA-256. Those that wait are left out.
func (d *DB) PackageContents(ctx context.Context, r catalog.Repository, sha256 []string) (known map[string]*Contents, err error) {
	err = d.ask(ctx, func(q querier) error {
		known, err = packageContents(ctx, q, r, sha256)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the contents of packages of %s: %w", r, err)
	}
	return known, nil
}

func packageContents(ctx context.Context, q querier, r catalog.Repository, sha256 []string) (map[string]*Contents, error) {
	known := map[string]*Contents{}
	for some := range slices.Chunk(sha256, contentsBatch) {
		where, args := in("sha256", some)
		_, err := collect(ctx, q, func(scan func(...any) error) (_ struct{}, err error) {
			var sum string
			var changelog []byte
			var c Contents
			if err := scan(&sum, &c.Files, &changelog, &c.Why); err != nil {
				return struct{}{}, err
			}
			var f Fragment
			err = f.unpack(changelog)
			c.Changelog = string(f.Text)
			known[sum] = &c
			return struct{}{}, err
		}, `SELECT sha256, files, changelog, fault FROM package_contents WHERE `+ofRepository+` AND state IN (?, ?, ?) AND `+where,
			append([]any{r.Owner, r.Name, contentsDone, contentsSkipped, contentsFailed}, args...)...)
		if err != nil {
			return nil, err
		}
	}
	return known, nil
}

// addContents gives packages of a repository what is known of their contents.
func addContents(ctx context.Context, q querier, r catalog.Repository, packages []PagePackage) error {
	var sums []string
	for _, k := range packages {
		if k.Format == catalog.DEB {
			sums = append(sums, k.File.SHA256)
		}
	}
	slices.Sort(sums)
	known, err := packageContents(ctx, q, r, slices.Compact(sums))
	for i, k := range packages {
		packages[i].Contents = known[k.File.SHA256]
	}
	return err
}
