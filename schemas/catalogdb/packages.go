package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// packageColumns and scanPackage read a row without its fragments; the tables are k, d and p.
const (
	packageColumns = `p.owner, p.name, d.os, d.version, d.format, k.component, k.name, k.version, k.canonical, k.arch,
		k.sort_key, k.object_key, k.size, k.sha256, k.md5, k.uploaded_at, k.state`
	packageTables = `packages k JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id`
)

func scanPackage(k *catalog.Package) []any {
	return []any{&k.Repository.Owner, &k.Repository.Name, &k.Distribution.OS, &k.Distribution.Version, &k.Format,
		&k.Component, &k.Name, &k.Version, &k.Canonical, &k.Arch,
		&k.SortKey, &k.Key, &k.File.Size, &k.File.SHA256, &k.File.MD5, (*scanTime)(&k.Uploaded), &k.State}
}

type scanTime time.Time

func (t *scanTime) Scan(src any) error {
	ms, ok := src.(int64)
	if !ok {
		return fmt.Errorf("time column has type %T", src)
	}
	*t = scanTime(instant(ms))
	return nil
}

// Find returns the row that holds the identity of k (its repository, distribution, name, canonical
// version and architecture), without fragments, or [ErrNotFound].
func (d *DB) Find(ctx context.Context, k catalog.Package) (catalog.Package, error) {
	found, _, err := find(ctx, d.read, k)
	return found, err
}

func find(ctx context.Context, q querier, k catalog.Package) (found catalog.Package, id int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT k.id, `+packageColumns+` FROM `+packageTables+`
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ? AND k.name = ? AND k.canonical = ? AND k.arch = ?`,
		k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version, k.Name, k.Canonical, k.Arch).
		Scan(append([]any{&id}, scanPackage(&found)...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return found, 0, ErrNotFound
	}
	return found, id, err
}

// Claim gives the identity of k to it, unless the identity is taken: then it returns the row that has
// it and false. A claimed identity keeps others out exactly like an active one. The same claim again
// finds itself: compare the digests. A fragment that is too large is a [catalog.Rejection].
func (d *DB) Claim(ctx context.Context, k catalog.Package) (holder catalog.Package, claimed bool, err error) {
	fragments := make([]any, 4)
	for i, f := range [][]byte{k.Stanza, k.Primary, k.Filelists, k.Other} {
		if fragments[i], err = pack(f); err != nil {
			return k, false, err
		}
	}
	err = d.tx(ctx, func(tx *sql.Tx) error {
		holder, _, err = find(ctx, tx, k)
		if !errors.Is(err, ErrNotFound) {
			claimed = false
			return err
		}
		holder, claimed = k, true
		return insertPackage(ctx, tx, k, fragments)
	})
	if err != nil {
		return k, false, fmt.Errorf("claim %s %s %s: %w", k.Name, k.Version, k.Arch, err)
	}
	return holder, claimed, nil
}

func insertPackage(ctx context.Context, tx *sql.Tx, k catalog.Package, fragments []any) error {
	args := []any{k.Component, k.Name, k.Version, k.Canonical, k.Arch, dirOf(k), k.SortKey, k.Key,
		k.File.Size, k.File.SHA256, k.File.MD5, millis(k.Uploaded), catalog.Claimed}
	args = append(args, fragments...)
	res, err := tx.ExecContext(ctx, `INSERT INTO packages (distribution_id, component, name, version, canonical, arch, dir, sort_key, object_key,
			size, sha256, md5, uploaded_at, state, stanza, primary_xml, filelists_xml, other_xml)
		SELECT d.id, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
		FROM distributions d JOIN repositories p ON p.id = d.repository_id
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ?`,
		append(args, k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version)...)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n != 1 {
		return errors.Join(err, fmt.Errorf("distribution %s %s: %w", k.Repository, k.Distribution, ErrNotFound))
	}
	return nil
}

// dirOf returns the dir column of a row.
func dirOf(k catalog.Package) string {
	switch {
	case k.Format == catalog.DEB:
		return ""
	case k.Arch == layout.Noarch:
		return layout.Noarch
	default:
		return layout.RPMDirOf(k.Arch)
	}
}

// shown is the condition on the rows that a release shows.
func shown(r catalog.Release) (where string, args []any) {
	where, args = releaseKey+` AND k.state = ? AND k.dir `, append(distributionArgs(r), catalog.Active, r.Arch)
	if r.Arch == "" || r.Arch == layout.SRPMS {
		return where + `= ?`, args
	}
	return where + `IN (?, ?)`, append(args, layout.Noarch)
}

// packages streams the active rows of a release in sort-key order.
func packages(ctx context.Context, q querier, r catalog.Release, fragments bool) iter.Seq2[catalog.Package, error] {
	columns := packageColumns
	if fragments {
		columns += `, k.stanza, k.primary_xml, k.filelists_xml, k.other_xml`
	}
	return func(yield func(catalog.Package, error) bool) {
		where, args := shown(r)
		rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM `+packageTables+` WHERE `+where+` ORDER BY k.sort_key`, args...)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		defer rows.Close()
		var buffers [4][]byte
		for rows.Next() {
			k, err := scanRow(rows, &buffers, fragments)
			if !yield(k, err) || err != nil {
				return
			}
		}
		if err := rows.Err(); err != nil {
			yield(catalog.Package{}, err)
		}
	}
}

// scanRow reads one row; its fragments lie in buffers.
func scanRow(rows *sql.Rows, buffers *[4][]byte, fragments bool) (k catalog.Package, err error) {
	dest := scanPackage(&k)
	if !fragments {
		return k, rows.Scan(dest...)
	}
	var columns [4]sql.RawBytes
	for i := range columns {
		dest = append(dest, &columns[i])
	}
	if err := rows.Scan(dest...); err != nil {
		return k, err
	}
	for i, f := range []*[]byte{&k.Stanza, &k.Primary, &k.Filelists, &k.Other} {
		if *f, err = unpack(buffers[i][:0], columns[i]); err != nil {
			return k, fmt.Errorf("row %s %s %s: %w", k.Name, k.Version, k.Arch, err)
		}
		if *f != nil {
			buffers[i] = *f
		}
	}
	return k, nil
}

// Packages returns the active rows that a release shows, in order, without fragments; all versions of
// the given name, or of every name if it is empty.
func (d *DB) Packages(ctx context.Context, r catalog.Release, name string) ([]catalog.Package, error) {
	var all []catalog.Package
	for k, err := range packages(ctx, d.read, r, false) {
		if err != nil {
			return nil, fmt.Errorf("list %s: %w", r, err)
		}
		if name == "" || k.Name == name {
			k.SortKey = nil
			all = append(all, k)
		}
	}
	return all, nil
}
