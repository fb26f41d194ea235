package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// A pageRow is a row that clients see, or saw before it was withdrawn, and its file is still there.
type pageRow struct {
	id        int64
	version   string
	uploaded  time.Time
	withdrawn bool // some clients do not see it any more
	in        []PagePlacement
}

// pageRows returns the rows of a name that pages have, in no order: of some versions, or of all if there are none. What is withdrawn, and
// no client knows that yet, is not.
func pageRows(ctx context.Context, q querier, r catalog.Repository, name string, versions []string) ([]pageRow, error) {
	where, args := ``, []any{r.Owner, r.Name, name, catalog.Active, catalog.Yanked, fileDeleted}
	if len(versions) > 0 {
		condition, some := in("k.version", versions)
		where, args = ` AND `+condition, append(args, some...)
	}
	rows := map[int64]*pageRow{}
	var ids []int64
	_, err := collect(ctx, q, func(scan func(...any) error) (_ struct{}, err error) {
		var k pageRow
		var state catalog.PackageState
		var dir string
		var last span
		p := PagePlacement{Release: catalog.Release{Repository: r}}
		err = scan(&k.id, &k.version, (*scanTime)(&k.uploaded), &state, &dir, &p.Release.Distribution.OS, &p.Release.Distribution.Version, &p.Release.Arch, &last.came, &last.went, &last.cameAt, &last.wentAt)
		if err != nil || !shows(p.Release.Arch, dir) {
			return struct{}{}, err
		}
		gone := last.gone() && state == catalog.Yanked
		if !last.seen() && !gone {
			return struct{}{}, nil
		}
		if p.Since = known(last.cameAt); gone {
			p.Since, p.From = known(last.wentAt), known(last.cameAt)
		}
		row := rows[k.id]
		if row == nil {
			row, ids = &k, append(ids, k.id)
			rows[k.id] = row
		}
		row.withdrawn = row.withdrawn || gone
		row.in = append(row.in, p)
		return struct{}{}, nil
	}, `SELECT k.id, k.version, k.uploaded_at, k.state, k.dir, d.os, d.version, r.arch, `+spanColumns+`
		FROM packages k JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id
		JOIN releases r ON r.distribution_id = d.id AND r.retired = 0 AND r.published_revision > 0`+lastSeenSpan+`
		WHERE p.owner = ? AND p.name = ? AND k.name = ? AND CASE WHEN k.state IN (?, ?) THEN 1 ELSE 0 END = 1 AND k.removed < ?`+where+`
		ORDER BY k.id, r.arch`, args...)
	all := make([]pageRow, len(ids))
	for i, id := range ids {
		all[i] = *rows[id]
	}
	return all, err
}

// PageVersions returns the versions of a package that pages have, in the order in which their first packages were uploaded.
func (d *DB) PageVersions(ctx context.Context, r catalog.Repository, name string) (versions []PageVersion, err error) {
	err = d.ask(ctx, func(q querier) error {
		rows, err := pageRows(ctx, q, r, name, nil)
		first := map[string]time.Time{}
		for _, k := range rows {
			if at, ok := first[k.version]; !ok || k.uploaded.Before(at) {
				first[k.version] = k.uploaded
			}
		}
		versions = make([]PageVersion, 0, len(first))
		for version, at := range first {
			versions = append(versions, PageVersion{version, at})
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list the versions of %s in %s: %w", name, r, err)
	}
	slices.SortFunc(versions, func(a, b PageVersion) int {
		return cmp.Or(a.First.Compare(b.First), strings.Compare(a.Version, b.Version))
	})
	return versions, nil
}

// PagePackages returns the packages of some versions of a name that pages have, of all versions if there are none, by
// distribution, component and architecture, read in one transaction. A package whose withdrawal no client knows yet is active. With
// fragments, they have their stanza, or their entries of primary and other; the list of files is for [DB.PageFilelists].
func (d *DB) PagePackages(ctx context.Context, r catalog.Repository, name string, versions []string, fragments bool) (all []PagePackage, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		all = nil
		rows, err := pageRows(ctx, q, r, name, versions)
		if err != nil {
			return err
		}
		for some := range slices.Chunk(rows, maxPerStatement) {
			found, err := pagePackages(ctx, q, some, fragments)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return addContents(ctx, q, r, all)
	})
	if err != nil {
		return nil, fmt.Errorf("read the packages %s of %s: %w", name, r, err)
	}
	slices.SortFunc(all, func(a, b PagePackage) int {
		return cmp.Or(strings.Compare(a.Distribution.OS, b.Distribution.OS), strings.Compare(a.Distribution.Version, b.Distribution.Version),
			strings.Compare(a.Component, b.Component), strings.Compare(a.Arch, b.Arch), strings.Compare(a.Variant, b.Variant),
			strings.Compare(string(a.SortKey), string(b.SortKey)))
	})
	return all, nil
}

// pagePackages reads the packages of rows, in no order.
func pagePackages(ctx context.Context, q querier, rows []pageRow, fragments bool) ([]PagePackage, error) {
	ids := make([]int64, len(rows))
	of := map[int64]pageRow{}
	for i, row := range rows {
		ids[i], of[row.id] = row.id, row
	}
	columns := `SELECT k.id, k.phase, ` + packageColumns
	if fragments {
		columns += `, k.stanza, k.primary_xml, k.other_xml`
	}
	where, args := in("k.id", ids)
	return collect(ctx, q, func(scan func(...any) error) (p PagePackage, err error) {
		var texts [3][]byte
		var after []any
		if fragments {
			after = []any{&texts[0], &texts[1], &texts[2]}
		}
		if err := scanPackageAnd(&p.Package, after, scan, &p.Row, &p.Phase); err != nil {
			return p, err
		}
		for i, to := range []*[]byte{&p.Stanza, &p.Primary, &p.Other} {
			var f Fragment
			if err := f.unpack(texts[i]); err != nil {
				return p, fmt.Errorf("row %s %s %s: %w", p.Name, p.Version, p.Arch, err)
			}
			*to = f.Text
		}
		if p.In = of[p.Row].in; !of[p.Row].withdrawn {
			p.State, p.Yank = catalog.Active, nil
		}
		return p, nil
	}, columns+` FROM `+packageTables+` WHERE `+where, args...)
}

// PageFilelists returns the list of files of an RPM package that [DB.PagePackages] has returned. The error wraps [ErrNotFound] if its row
// has another file by now.
func (d *DB) PageFilelists(ctx context.Context, p PagePackage) ([]byte, error) {
	var f Fragment
	err := d.ask(ctx, func(q querier) error {
		var column []byte
		err := q.QueryRowContext(ctx, `SELECT filelists_xml FROM packages WHERE id = ? AND sha256 = ?`, p.Row, p.File.SHA256).Scan(&column)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrNotFound
		}
		if err != nil {
			return err
		}
		return f.unpack(column)
	})
	if err != nil {
		return nil, fmt.Errorf("read the files of %s %s %s in %s: %w", p.Name, p.Version, p.Arch, p.Repository, err)
	}
	return f.Text, nil
}
