package catalogdb

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"repomill/schemas/catalog"
)

// ListPackages returns the page of a query's packages that its offset and limit name, and how many there are in all.
// The repository may be one that does not exist: then there are none.
//
// A page costs one walk through the index of packages in order, of each distribution that the query does not exclude; rows
// are read for the page alone. It is one transaction.
func (d *DB) ListPackages(ctx context.Context, q catalog.PackageQuery) (page catalog.PackagePage, err error) {
	err = d.askOnce(ctx, func(db querier) error {
		page = catalog.PackagePage{}
		counts, err := d.countPackages(ctx, db, q)
		if err != nil {
			return err
		}
		offset, left := q.Offset, q.Limit
		for _, c := range counts {
			page.Total += c.packages
			skipped := min(offset, c.packages)
			offset -= skipped
			if left > 0 && skipped < c.packages {
				some, err := d.listOf(ctx, db, c.distribution, q, skipped, left)
				if err != nil {
					return err
				}
				page.Packages, left = append(page.Packages, some...), left-len(some)
			}
		}
		return nil
	})
	if err != nil {
		return page, fmt.Errorf("list the packages of %s: %w", q.Repository, err)
	}
	return page, nil
}

// activityColumns and scanActivity read a repository, the table p, and what has happened in it.
const activityColumns = `p.owner, p.name, p.created_at, (SELECT MAX(u.published_at)
		FROM distributions d JOIN releases r ON r.distribution_id = d.id JOIN publications u ON u.release_id = r.id WHERE d.repository_id = p.id),
	(SELECT COUNT(*) FROM distributions d JOIN packages k ON k.distribution_id = d.id WHERE d.repository_id = p.id AND k.state = ?)`

type activityRow struct {
	repository catalog.Repository
	activity   catalog.Activity
}

func scanActivity(scan func(...any) error) (row activityRow, err error) {
	var published sql.NullInt64
	err = scan(&row.repository.Owner, &row.repository.Name, (*scanTime)(&row.activity.Created), &published, &row.activity.Packages)
	row.activity.Published = optional(published)
	return row, err
}

// Activity returns what has happened in a repository, or [ErrNotFound].
func (d *DB) Activity(ctx context.Context, r catalog.Repository) (a catalog.Activity, err error) {
	err = d.ask(ctx, func(db querier) error {
		row, err := scanActivity(db.QueryRowContext(ctx, `SELECT `+activityColumns+` FROM repositories p WHERE p.owner = ? AND p.name = ?`,
			catalog.Active, r.Owner, r.Name).Scan)
		a = row.activity
		return notFound(err)
	})
	return a, err
}

// Activities returns what has happened in each repository. It is one query, however many repositories there are.
func (d *DB) Activities(ctx context.Context) (all map[catalog.Repository]catalog.Activity, err error) {
	err = d.ask(ctx, func(db querier) error {
		rows, err := collect(ctx, db, scanActivity, `SELECT `+activityColumns+` FROM repositories p`, catalog.Active)
		all = make(map[catalog.Repository]catalog.Activity, len(rows))
		for _, row := range rows {
			all[row.repository] = row.activity
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the activity of all repositories: %w", err)
	}
	return all, nil
}

// A distributionCount is how many packages a query selects of a distribution.
type distributionCount struct {
	distribution int64
	packages     int
}

func (d *DB) countPackages(ctx context.Context, db querier, q catalog.PackageQuery) ([]distributionCount, error) {
	where, args := distributionCondition(q)
	more, moreArgs := d.packageCondition(q)
	return collect(ctx, db, func(scan func(...any) error) (c distributionCount, err error) {
		return c, scan(&c.distribution, &c.packages)
	}, `SELECT d.id, COUNT(*) FROM repositories p JOIN distributions d ON d.repository_id = p.id JOIN packages k ON k.distribution_id = d.id
		WHERE `+where+more+` GROUP BY d.id, d.os, d.version ORDER BY d.os, d.version`, append(args, moreArgs...)...)
}

// listOf returns packages of one distribution.
func (d *DB) listOf(ctx context.Context, db querier, distribution int64, q catalog.PackageQuery, offset, limit int) ([]catalog.ListedPackage, error) {
	where, args := d.packageCondition(q)
	args = append(append([]any{distribution}, args...), limit, offset)
	type row struct {
		id int64
		catalog.ListedPackage
	}
	rows, err := collect(ctx, db, func(scan func(...any) error) (r row, err error) {
		return r, scanPackage(&r.Package, scan, &r.id)
	}, `SELECT k.id, `+packageColumns+` FROM (
			SELECT k.id FROM packages k WHERE k.distribution_id = ?`+where+` ORDER BY k.dir, k.sort_key, k.component, k.variant LIMIT ? OFFSET ?
		) page JOIN packages k ON k.id = page.id JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id
		ORDER BY k.dir, k.sort_key, k.component, k.variant`, args...)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	ids := make([]int64, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	hidden, err := hiddenPackages(ctx, db, ids)
	if err != nil {
		return nil, err
	}
	page := make([]catalog.ListedPackage, len(rows))
	for i, r := range rows {
		page[i], page[i].Visible = r.ListedPackage, !hidden[r.id]
	}
	return page, nil
}

// hiddenPackages returns those of the active packages that some release does not show yet.
func hiddenPackages(ctx context.Context, db querier, ids []int64) (map[int64]bool, error) {
	where, args := in("v.package_id", ids)
	late, err := collect(ctx, db, func(scan func(...any) error) (int64, error) { return scanID(scan) },
		`SELECT DISTINCT v.package_id FROM visibility v WHERE v.went IS NULL AND v.came_at IS NULL AND `+where, args...)
	hidden := map[int64]bool{}
	for _, id := range late {
		hidden[id] = true
	}
	return hidden, err
}

// GroupPackages returns, for each distribution, name and architecture that a query selects, how many versions there are,
// and how many such groups there are in all.
func (d *DB) GroupPackages(ctx context.Context, q catalog.PackageQuery) (page []catalog.PackageGroup, total int, err error) {
	where, args := distributionCondition(q)
	more, moreArgs := d.packageCondition(q)
	groups := ` FROM repositories p JOIN distributions d ON d.repository_id = p.id JOIN packages k ON k.distribution_id = d.id
		WHERE ` + where + more + ` GROUP BY d.os, d.version, d.format, k.name, k.arch`
	args = append(args, moreArgs...)
	err = d.askOnce(ctx, func(db querier) (err error) {
		if err := db.QueryRowContext(ctx, `SELECT COUNT(*) FROM (SELECT 1`+groups+`) all_groups`, args...).Scan(&total); err != nil {
			return err
		}
		page, err = collect(ctx, db, func(scan func(...any) error) (g catalog.PackageGroup, err error) {
			return g, scan(&g.Distribution.OS, &g.Distribution.Version, &g.Format, &g.Name, &g.Arch, &g.Versions)
		}, `SELECT d.os, d.version, d.format, k.name, k.arch, COUNT(*)`+groups+` ORDER BY d.os, d.version, k.name, k.arch LIMIT ? OFFSET ?`,
			append(args, q.Limit, q.Offset)...)
		return err
	})
	if err != nil {
		err = fmt.Errorf("list the packages of %s: %w", q.Repository, err)
	}
	return page, total, err
}

// distributionCondition selects distributions; the tables are p and d.
func distributionCondition(q catalog.PackageQuery) (where string, args []any) {
	where, args = `p.owner = ? AND p.name = ?`, []any{q.Repository.Owner, q.Repository.Name}
	for _, c := range []struct{ column, value string }{{"d.format", string(q.Format)}, {"d.os", q.OS}, {"d.version", q.OSVersion}} {
		if c.value != "" {
			where, args = where+` AND `+c.column+` = ?`, append(args, c.value)
		}
	}
	return where, args
}

// packageCondition selects active packages; the table is k. It goes behind other conditions.
func (d *DB) packageCondition(q catalog.PackageQuery) (where string, args []any) {
	where, args = ` AND k.state = ?`, []any{catalog.Active}
	if q.Name != "" { // a name has few packages: it is looked up, and not the state
		where, args = ` AND CASE WHEN k.state = ? THEN 1 ELSE 0 END = 1 AND k.name = ?`, append(args, q.Name)
	}
	if q.Arch != "" {
		where, args = where+` AND k.arch = ?`, append(args, q.Arch)
	}
	if q.Version != "" {
		where, args = where+` AND (k.version = ? OR k.version LIKE ? ESCAPE '!')`, append(args, q.Version, "%:"+escapeLike(q.Version))
	}
	if q.File != "" {
		where, args = where+` AND `+d.foldedFile+` LIKE ? ESCAPE '!'`, append(args, "%"+escapeLike(strings.ToLower(q.File))+"%")
	}
	return where, args
}

// escapeLike returns a pattern of LIKE that is s itself.
func escapeLike(s string) string {
	return strings.NewReplacer("!", "!!", "%", "!%", "_", "!_").Replace(s)
}

// PackageFile returns the active package of a distribution whose file has a name, with its fragments, or [ErrNotFound]. Of
// several, in several components or as different builds, it is the first in order.
func (d *DB) PackageFile(ctx context.Context, r catalog.Repository, dist catalog.Distribution, file string) (k catalog.Package, err error) {
	args := append(distributionArgs(catalog.Release{Repository: r, Distribution: dist}), catalog.Active, file)
	err = d.ask(ctx, func(db querier) error {
		found, err := collect(ctx, db, scanWithFragments, `SELECT `+packageColumns+`, k.stanza, k.primary_xml FROM `+packageTables+`
			WHERE `+releaseKey+` AND k.state = ? AND k.file = ?`+inOrder+` LIMIT 1`, args...)
		if err == nil && len(found) == 0 {
			return ErrNotFound
		}
		if err == nil {
			k = found[0]
		}
		return err
	})
	return k, err
}

// scanWithFragments reads a row with the fragments that describe its package to people: the stanza or primary entry.
func scanWithFragments(scan func(...any) error) (k catalog.Package, err error) {
	var columns [2][]byte
	if err := scanPackageAnd(&k, []any{&columns[0], &columns[1]}, scan); err != nil {
		return k, err
	}
	for i, to := range []*[]byte{&k.Stanza, &k.Primary} {
		var f Fragment
		if err := f.unpack(columns[i]); err != nil {
			return k, err
		}
		*to = f.Text
	}
	return k, nil
}
