package catalogdb

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"path"

	"repomill/schemas/catalog"
)

// packageColumns and scanPackage read a row without its fragments; the tables are k, d and p.
const (
	packageColumns = `p.owner, p.name, d.os, d.version, d.format, k.component, k.name, k.version, k.canonical, k.arch, k.variant, k.dir,
		k.sort_key, k.object_key, k.size, k.sha256, k.md5, k.uploaded_at, k.state,
		k.pushed_by, k.pushed_job, k.yanked_at, COALESCE(k.yank_reason, ''), k.yanked_by, k.signer, k.embargo`
	packageTables = `packages k` + ofPackages
	ofPackages    = ` JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id`

	// packagesByID are the tables for a list of ids. MariaDB, which alone reads the comment, would look through the whole distribution.
	packagesByID = `packages k /*! FORCE INDEX (PRIMARY) */` + ofPackages
)

// scanPackage reads a row into k; more stands for the columns before those of the package.
func scanPackage(k *catalog.Package, scan func(...any) error, more ...any) error {
	return scanPackageAnd(k, nil, scan, more...)
}

func scanPackageAnd(k *catalog.Package, after []any, scan func(...any) error, before ...any) error {
	var yankedAt sql.NullInt64
	var yank catalog.Yank
	var dir string
	dest := append(before, &k.Repository.Owner, &k.Repository.Name, &k.Distribution.OS, &k.Distribution.Version, &k.Format,
		&k.Component, &k.Name, &k.Version, &k.Canonical, &k.Arch, &k.Variant, &dir,
		&k.SortKey, &k.Key, &k.File.Size, &k.File.SHA256, &k.File.MD5, (*scanTime)(&k.Uploaded), &k.State,
		&k.Pusher.User, &k.Pusher.Job, &yankedAt, &yank.Reason, &yank.By, &k.Signer, &k.Embargo)
	if err := scan(append(dest, after...)...); err != nil {
		return err
	}
	k.Multilib = dir == multilib
	if yankedAt.Valid {
		yank.At = instant(yankedAt.Int64)
		k.Yank = &yank
	}
	return nil
}

// Find returns the row that holds the identity of k (its repository, distribution, component, name, canonical
// version, architecture and variant), without fragments, or [ErrNotFound].
func (d *DB) Find(ctx context.Context, k catalog.Package) (found catalog.Package, err error) {
	err = d.ask(ctx, func(q querier) error {
		found, _, err = find(ctx, q, k)
		return err
	})
	return found, err
}

func find(ctx context.Context, q querier, k catalog.Package) (found catalog.Package, id int64, err error) {
	err = scanPackage(&found, q.QueryRowContext(ctx, `SELECT k.id, `+packageColumns+` FROM `+packageTables+`
		WHERE p.owner = ? AND p.name = ? AND d.os = ? AND d.version = ? AND k.name = ? AND k.canonical = ? AND k.arch = ? AND k.component = ? AND k.variant = ?`,
		k.Repository.Owner, k.Repository.Name, k.Distribution.OS, k.Distribution.Version, k.Name, k.Canonical, k.Arch, k.Component, k.Variant).Scan, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return found, 0, ErrNotFound
	}
	return found, id, err
}

// packAll returns the column values of a row's fragments.
func packAll(k catalog.Package) (fragments []any, err error) {
	fragments = make([]any, 4)
	for i, f := range [][]byte{k.Stanza, k.Primary, k.Filelists, k.Other} {
		if fragments[i], err = pack(f); err != nil {
			return nil, err
		}
	}
	return fragments, nil
}

// What columns hold of text that is only shown, in bytes.
const (
	maxUser = 255
	maxJob  = 2048
)

// factColumns and facts are the columns of a row that say what the package is.
const factColumns = `component, name, version, canonical, arch, variant, dir, sort_key, object_key, file,
	size, sha256, md5, uploaded_at, state, pushed_by, pushed_job, yanked_at, yank_reason, yanked_by, signer, source, phase, embargo,
	stanza, primary_xml, filelists_xml, other_xml`

func facts(k catalog.Package, fragments []any) []any {
	var yankedAt any
	var yank catalog.Yank
	if k.Yank != nil {
		yank = *k.Yank
		yankedAt = millis(yank.At)
	}
	return append([]any{k.Component, k.Name, k.Version, k.Canonical, k.Arch, k.Variant, dirOf(k), k.SortKey, k.Key, path.Base(k.Key),
		k.File.Size, k.File.SHA256, k.File.MD5, millis(k.Uploaded), k.State, cut(k.Pusher.User, maxUser), cut(k.Pusher.Job, maxJob),
		yankedAt, yank.Reason, cut(yank.By, maxUser), k.Signer, sourceColumn(k.Stanza), phaseColumn(k.Stanza), k.Embargo}, fragments...)
}

func insertPackage(ctx context.Context, tx *transaction, distribution int64, k catalog.Package, fragments []any) (id int64, err error) {
	res, err := tx.ExecContext(ctx, `INSERT INTO packages (distribution_id, `+factColumns+`)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, append([]any{distribution}, facts(k, fragments)...)...)
	if err == nil {
		id, err = res.LastInsertId()
	}
	if err != nil {
		return 0, err
	}
	return id, insertNeeds(ctx, tx, distribution, id, k.Needs)
}

// releaseCondition is the condition on the rows in a state that a release shows, or did.
func releaseCondition(r catalog.Release, state catalog.PackageState) (where string, args []any) {
	where, args = in("k.dir", dirsOf(r.Arch))
	return releaseKey + ` AND k.state = ? AND ` + where, append(append(distributionArgs(r), state), args...)
}

// inOrder is the order of rows: that of their sort keys, which rows of several components share.
const inOrder = ` ORDER BY k.sort_key, k.component, k.variant`

// packages streams the rows of a release that are in a state, in sort-key order.
func packages(ctx context.Context, q querier, r catalog.Release, state catalog.PackageState, fragments bool) iter.Seq2[catalog.Package, error] {
	columns := packageColumns
	if fragments {
		columns += `, k.stanza, k.primary_xml, k.filelists_xml, k.other_xml`
	}
	return func(yield func(catalog.Package, error) bool) {
		where, args := releaseCondition(r, state)
		rows, err := q.QueryContext(ctx, `SELECT `+columns+` FROM `+packageTables+` WHERE `+where+inOrder, args...)
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		defer rows.Close()
		var buffers [4]Fragment
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
func scanRow(rows *sql.Rows, buffers *[4]Fragment, fragments bool) (k catalog.Package, err error) {
	if !fragments {
		return k, scanPackage(&k, rows.Scan)
	}
	var columns [4]sql.RawBytes
	if err := scanPackageAnd(&k, []any{&columns[0], &columns[1], &columns[2], &columns[3]}, rows.Scan); err != nil {
		return k, err
	}
	for i, f := range []*[]byte{&k.Stanza, &k.Primary, &k.Filelists, &k.Other} {
		if err := buffers[i].unpack(columns[i]); err != nil {
			return k, fmt.Errorf("row %s %s %s: %w", k.Name, k.Version, k.Arch, err)
		}
		if len(buffers[i].Text) > 0 {
			*f = buffers[i].Text
		}
	}
	return k, nil
}

// PackagesNamed returns the rows of one name and format that a repository has, in any state, in order, without
// fragments.
func (d *DB) PackagesNamed(ctx context.Context, r catalog.Repository, f catalog.Format, name string) ([]catalog.Package, error) {
	all, err := list(ctx, d, func(scan func(...any) error) (k catalog.Package, err error) {
		return k, scanPackage(&k, scan)
	}, `SELECT `+packageColumns+` FROM `+packageTables+` WHERE p.owner = ? AND p.name = ? AND d.format = ? AND k.name = ?`+inOrder, r.Owner, r.Name, f, name)
	if err != nil {
		return nil, fmt.Errorf("list the packages %s of %s: %w", name, r, err)
	}
	return all, nil
}

// A PackageSelector selects packages of a distribution by what people call them.
type PackageSelector struct {
	Repository   catalog.Repository
	Distribution catalog.Distribution
	Name         string
	Version      string // as listed, with its epoch
	Component    string // DEB only; empty: all that have it
	Arch         string // empty: all of that version
}

// String returns "name version [arch] of owner/name os/version[/component]".
func (w PackageSelector) String() string {
	s := w.Name + " " + w.Version
	if w.Arch != "" {
		s += " " + w.Arch
	}
	s += " of " + w.Repository.String() + " " + w.Distribution.String()
	if w.Component != "" {
		s += "/" + w.Component
	}
	return s
}

// A packageRow is a row with its id, and whether its file is deleted, or about to be.
type packageRow struct {
	id      int64
	removed bool
	pkg     catalog.Package
}

// selectPackages returns the active and yanked rows that w selects, in order of their architectures and components.
// The error wraps [ErrNotFound] if there are none.
func selectPackages(ctx context.Context, q querier, w PackageSelector) ([]packageRow, error) {
	args := []any{w.Repository.Owner, w.Repository.Name, w.Distribution.OS, w.Distribution.Version, w.Name, w.Version, catalog.Active, catalog.Yanked}
	where := releaseKey + ` AND k.name = ? AND k.version = ? AND k.state IN (?, ?)`
	if w.Arch != "" {
		where, args = where+` AND k.arch = ?`, append(args, w.Arch)
	}
	if w.Component != "" {
		where, args = where+` AND k.component = ?`, append(args, w.Component)
	}
	rows, err := collect(ctx, q, func(scan func(...any) error) (row packageRow, err error) {
		return row, scanPackage(&row.pkg, scan, &row.id, &row.removed)
	}, `SELECT k.id, k.removed > 0, `+packageColumns+` FROM `+packageTables+` WHERE `+where+` ORDER BY k.arch, k.component`, args...)
	if err == nil && len(rows) == 0 {
		err = fmt.Errorf("%s: %w", w, ErrNotFound)
	}
	return rows, err
}
