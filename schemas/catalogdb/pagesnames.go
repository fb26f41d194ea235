package catalogdb

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// pageNameColumns and scanPageName read a line of the list of names.
const pageNameColumns = `name, level, summary, version, formats, at, packages`

func scanPageName(scan func(...any) error) (n PageName, err error) {
	err = scan(&n.Name, &n.Level, &n.Summary, &n.Version, jsonList[catalog.Format]{&n.Formats}, (*scanTime)(&n.At), &n.Packages)
	return n, err
}

// maxPageSummary is what the column of summaries holds, in bytes.
const maxPageSummary = 1000

// PutPageName puts a package into the list of names of a repository, or replaces its line, and reports whether that changed the
// list. The numbers of names and packages of the repository follow in the same transaction. The error wraps [ErrNotFound] for an unknown repository.
func (d *DB) PutPageName(ctx context.Context, r catalog.Repository, n PageName) (changed bool, err error) {
	n.Summary, n.At = cut(n.Summary, maxPageSummary), instant(millis(n.At))
	changed, err = d.changePageName(ctx, r, n.Name, &n)
	if err != nil {
		return false, fmt.Errorf("put %s into the list of %s: %w", n.Name, r, err)
	}
	return changed, nil
}

// DeletePageName takes a package out of the list of names of a repository, and reports whether it was there.
func (d *DB) DeletePageName(ctx context.Context, r catalog.Repository, name string) (gone bool, err error) {
	gone, err = d.changePageName(ctx, r, name, nil)
	if err != nil {
		return false, fmt.Errorf("take %s out of the list of %s: %w", name, r, err)
	}
	return gone, nil
}

// changePageName makes the line of a name what it is to be; none if n is nil. Most lines are right already, which costs a read.
func (d *DB) changePageName(ctx context.Context, r catalog.Repository, name string, n *PageName) (changed bool, err error) {
	var id int64
	right := false
	err = d.ask(ctx, func(q querier) (err error) {
		if id, err = repositoryID(ctx, q, r); err != nil {
			return err
		}
		before, err := pageName(ctx, q, id, name, ``)
		right = samePageName(before, n)
		return err
	})
	if err != nil || right {
		return false, err
	}
	err = d.tx(ctx, func(tx *transaction) error {
		before, err := pageName(ctx, tx, id, name, tx.forUpdate)
		if err != nil || samePageName(before, n) {
			return err // of an earlier try, if not of another process: it has changed
		}
		return tx.replacePageName(ctx, id, name, before, n)
	})
	return err == nil, err
}

// replacePageName replaces a line by another; each may be none.
func (tx *transaction) replacePageName(ctx context.Context, repository int64, name string, before, n *PageName) (err error) {
	packages, names := 0, 0
	if before != nil {
		packages, names = -before.Packages, -1
	}
	switch {
	case n == nil:
		_, err = tx.ExecContext(ctx, `DELETE FROM page_names WHERE repository_id = ? AND name = ?`, repository, name)
	case before == nil:
		_, err = tx.ExecContext(ctx, `INSERT INTO page_names (repository_id, `+pageNameColumns+`) VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
			repository, n.Name, n.Level, n.Summary, n.Version, jsonList[catalog.Format]{&n.Formats}, millis(n.At), n.Packages)
	default:
		_, err = tx.ExecContext(ctx, `UPDATE page_names SET level = ?, summary = ?, version = ?, formats = ?, at = ?, packages = ? WHERE repository_id = ? AND name = ?`,
			n.Level, n.Summary, n.Version, jsonList[catalog.Format]{&n.Formats}, millis(n.At), n.Packages, repository, name)
	}
	if err != nil {
		return err
	}
	if n != nil {
		packages, names = packages+n.Packages, names+1
	}
	if packages == 0 && names == 0 {
		return nil
	}
	for range 2 {
		counted, err := tx.moved(ctx, `UPDATE page_states SET packages = packages + ?, names = names + ? WHERE repository_id = ?`, packages, names, repository)
		if err != nil || counted {
			return err
		}
		if err := tx.ensurePageState(ctx, repository); err != nil {
			return err
		}
	}
	return nil
}

// pageName returns the line of a name, or nil; lock ends the SELECT.
func pageName(ctx context.Context, q querier, repository int64, name, lock string) (*PageName, error) {
	n, err := scanPageName(q.QueryRowContext(ctx, `SELECT `+pageNameColumns+` FROM page_names WHERE repository_id = ? AND name = ?`+lock, repository, name).Scan)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	return &n, err
}

func samePageName(a, b *PageName) bool {
	if a == nil || b == nil {
		return a == b
	}
	return a.Name == b.Name && a.Summary == b.Summary && a.Version == b.Version && slices.Equal(a.Formats, b.Formats) && a.At.Equal(b.At) &&
		a.Packages == b.Packages && a.Level == b.Level
}

// PageNames returns up to limit names of the list of a repository, in the order of their bytes: those of a level, or a higher one,
// from one name up to another, which is left out. An empty name bounds nothing. A repository that does not exist has none.
func (d *DB) PageNames(ctx context.Context, r catalog.Repository, level int, from, to string, limit int) (names []PageName, err error) {
	err = d.askLevels(ctx, r, level, func(q querier, repository int64, levels []int) error {
		names = nil
		terms, args := `name >= ?`, []any{from}
		if to != "" {
			terms, args = terms+` AND name < ?`, append(args, to)
		}
		if level == 0 {
			names, err = collect(ctx, q, scanPageName, `SELECT `+pageNameColumns+` FROM page_names WHERE repository_id = ? AND `+terms+` ORDER BY name LIMIT ?`,
				append(append([]any{repository}, args...), limit)...)
			return err
		}
		for _, level := range levels { // a range of the index each
			some, err := collect(ctx, q, scanPageName, `SELECT `+pageNameColumns+` FROM page_names WHERE repository_id = ? AND level = ? AND `+terms+` ORDER BY name LIMIT ?`,
				append(append([]any{repository, level}, args...), limit)...)
			if err != nil {
				return err
			}
			names = append(names, some...)
		}
		slices.SortFunc(names, func(a, b PageName) int { return strings.Compare(a.Name, b.Name) })
		names = names[:min(len(names), limit)]
		return nil
	})
	return names, err
}

// askLevels calls f with the levels that a list has, from one on, of one moment. It does not call f if the repository does not exist.
func (d *DB) askLevels(ctx context.Context, r catalog.Repository, from int, f func(q querier, repository int64, levels []int) error) error {
	err := d.askOnce(ctx, func(q querier) error {
		id, err := repositoryID(ctx, q, r)
		if errors.Is(err, ErrNotFound) {
			return nil
		}
		var highest int
		if err == nil {
			err = q.QueryRowContext(ctx, `SELECT COALESCE(MAX(level), 0) FROM page_names WHERE repository_id = ?`, id).Scan(&highest)
		}
		if err != nil {
			return err
		}
		var levels []int
		for level := from; level <= highest; level++ {
			levels = append(levels, level)
		}
		return f(q, id, levels)
	})
	if err != nil {
		return fmt.Errorf("read the list of names of %s: %w", r, err)
	}
	return nil
}

// PageBorder returns the name with which the part of a level begins that has a name: the greatest one up to that whose level is
// higher; empty for the first part.
func (d *DB) PageBorder(ctx context.Context, r catalog.Repository, level int, name string) (from string, err error) {
	err = d.askLevels(ctx, r, level+1, func(q querier, repository int64, levels []int) error {
		found, err := bordersOf(ctx, q, repository, levels, `MAX(name)`, `name <= ?`, name)
		if from = ""; len(found) > 0 {
			from = slices.Max(found)
		}
		return err
	})
	return from, err
}

// PageBordersAround returns the names with which the parts begin beside the part of a level that begins with from: nil if there is
// none before, and empty if that is the first one, or if there is none behind.
func (d *DB) PageBordersAround(ctx context.Context, r catalog.Repository, level int, from string) (previous *string, next string, err error) {
	err = d.askLevels(ctx, r, level+1, func(q querier, repository int64, levels []int) error {
		previous, next = nil, ""
		if from != "" {
			found, err := bordersOf(ctx, q, repository, levels, `MAX(name)`, `name < ?`, from)
			if err != nil {
				return err
			}
			border := slices.MaxFunc(append(found, ""), cmp.Compare[string])
			previous = &border
		}
		found, err := bordersOf(ctx, q, repository, levels, `MIN(name)`, `name > ?`, from)
		if len(found) > 0 {
			next = slices.Min(found)
		}
		return err
	})
	return previous, next, err
}

// bordersOf returns the first, or last, name of each level that there is under a condition.
func bordersOf(ctx context.Context, q querier, repository int64, levels []int, which, where, name string) (found []string, err error) {
	for _, level := range levels {
		var border sql.NullString
		err := q.QueryRowContext(ctx, `SELECT `+which+` FROM page_names WHERE repository_id = ? AND level = ? AND `+where, repository, level, name).Scan(&border)
		if err != nil {
			return nil, err
		}
		if border.Valid {
			found = append(found, border.String)
		}
	}
	return found, nil
}
