package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// changesRead is how many rows are read for each change that is asked for: some have no file any more, and no page.
const changesRead = 4

// newestRead is how many changes are read of each release, also of one that has not changed for long.
const newestRead = 30

// PageFront returns what the front page says of a repository, read in one transaction, with up to a number of changes. Of each
// release it reads a bounded number of rows, however many there are. The error wraps [ErrNotFound] for an unknown repository.
func (d *DB) PageFront(ctx context.Context, r catalog.Repository, changes int) (f PageFront, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		f = PageFront{}
		id, err := repositoryID(ctx, q, r)
		if err != nil {
			return err
		}
		if f.Settings, err = settings(ctx, q, r); err != nil {
			return err
		}
		if err := q.QueryRowContext(ctx, `SELECT COALESCE(MAX(packages), 0), COALESCE(MAX(names), 0), COALESCE(MAX(snapshots), 0) <> 0 FROM page_states WHERE repository_id = ?`, id).
			Scan(&f.Packages, &f.Names, &f.Snapshots.Ever); err != nil {
			return err
		}
		if f.Snapshots.Ever {
			err := q.QueryRowContext(ctx, `SELECT COUNT(*), COALESCE(MAX(ident), '') FROM snapshots WHERE repository_id = ? AND state = ?`, id, catalog.SnapshotKept).
				Scan(&f.Snapshots.Kept, &f.Snapshots.Newest)
			if err != nil {
				return err
			}
		}
		return f.read(ctx, q, r, changes)
	})
	if err != nil {
		return PageFront{}, fmt.Errorf("read what the pages of %s say: %w", r, err)
	}
	return f, nil
}

// read reads the releases and the changes.
func (f *PageFront) read(ctx context.Context, q querier, r catalog.Repository, changes int) error {
	type row struct {
		id, published int64
		PageRelease
	}
	releases, err := collect(ctx, q, func(scan func(...any) error) (row row, err error) {
		var state ReleaseState
		var nonce sql.NullString
		var since sql.NullInt64
		state, err = scanRelease(func(dest ...any) error { return scan(append(append([]any{&row.id}, dest...), &nonce, &since)...) })
		row.Release, row.Since, row.published = state.Release, optional(since), since.Int64
		row.Revision = catalog.Revision{Number: state.Published, Nonce: nonce.String}
		return row, err
	}, `SELECT r.id, `+releaseColumns+`, u.nonce, u.published_at FROM `+releaseTables+`
		LEFT JOIN publications u ON u.release_id = r.id AND u.revision = r.published_revision WHERE p.owner = ? AND p.name = ?`+releaseOrder, r.Owner, r.Name)
	if err != nil {
		return err
	}
	for _, row := range releases {
		f.Releases = append(f.Releases, row.PageRelease)
	}
	slices.SortStableFunc(releases, func(a, b row) int { return cmp.Compare(b.published, a.published) })
	for _, row := range releases {
		full := len(f.Changes) > 0 && len(f.Changes) == changes
		if changes <= 0 || row.Revision.Number == 0 {
			continue
		}
		limit := changes
		if full && row.published < millis(f.Changes[changes-1].At) {
			limit = min(changes, newestRead)
		}
		some, err := pageChanges(ctx, q, row.id, row.PageRelease, limit)
		if err != nil {
			return err
		}
		f.Newest = append(f.Newest, some[:min(len(some), newestRead)]...)
		f.Changes = append(f.Changes, some...)
		slices.SortStableFunc(f.Changes, newestFirst)
		f.Changes = f.Changes[:min(len(f.Changes), changes)]
	}
	slices.SortStableFunc(f.Newest, newestFirst)
	return nil
}

func newestFirst(a, b PageChange) int {
	return cmp.Or(b.At.Compare(a.At), strings.Compare(a.Package.Name, b.Package.Name), strings.Compare(a.Package.Version, b.Package.Version),
		strings.Compare(a.Package.Arch, b.Package.Arch), strings.Compare(a.Release.String(), b.Release.String()))
}

// pageChanges returns what came into a release, or went, last, if it is known when.
func pageChanges(ctx context.Context, q querier, release int64, r PageRelease, limit int) (changes []PageChange, err error) {
	type row struct {
		revision, at int64
		PageChange
	}
	var rows []row
	for _, turn := range []struct {
		revision, seen string
		state          catalog.PackageState
	}{{`came`, `v.came_at > 0 AND v.went_at IS NULL`, catalog.Active}, {`went`, `v.went_at > 0`, catalog.Yanked}} {
		some, err := collect(ctx, q, func(scan func(...any) error) (c row, err error) {
			c.Release = r.Release
			return c, scanPackage(&c.Package, scan, &c.revision, &c.at)
		}, `SELECT c.revision, c.at, `+packageColumns+` FROM (
				SELECT v.package_id, v.`+turn.revision+` AS revision, v.`+turn.revision+`_at AS at FROM visibility v
				WHERE v.release_id = ? AND v.`+turn.revision+` BETWEEN 1 AND ? AND `+turn.seen+` ORDER BY v.`+turn.revision+` DESC, v.package_id DESC LIMIT ?
			) c JOIN packages k ON k.id = c.package_id JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id
			WHERE k.state = ? AND k.removed < ? ORDER BY c.revision DESC, c.package_id DESC LIMIT ?`,
			release, r.Revision.Number, limit*changesRead, turn.state, fileDeleted, limit)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.revision, a.revision) })
	for _, c := range rows[:min(len(rows), limit)] {
		c.At = instant(c.at)
		changes = append(changes, c.PageChange)
	}
	return changes, nil
}

// PublicRepositories returns the public repositories, in order of their names. It is one query, however many there are.
func (d *DB) PublicRepositories(ctx context.Context) ([]PublicRepository, error) {
	rows, err := list(ctx, d, func(scan func(...any) error) (p PublicRepository, err error) {
		var format sql.NullString
		err = scan(&p.Repository.Owner, &p.Repository.Name, &p.Description, &format)
		if format.Valid {
			p.Formats = []catalog.Format{catalog.Format(format.String)}
		}
		return p, err
	}, `SELECT DISTINCT p.owner, p.name, p.description, d.format FROM repositories p LEFT JOIN distributions d ON d.repository_id = p.id
		WHERE p.visibility = ? AND p.deletion = '[]' ORDER BY p.owner, p.name, d.format`, catalog.Public)
	if err != nil {
		return nil, fmt.Errorf("list public repositories: %w", err)
	}
	var all []PublicRepository
	for _, p := range rows {
		if n := len(all); n > 0 && all[n-1].Repository == p.Repository {
			all[n-1].Formats = append(all[n-1].Formats, p.Formats...)
			continue
		}
		all = append(all, p)
	}
	return all, nil
}
