package catalogdb

import (
	"context"
	"fmt"
	"iter"
	"strings"

	"repomill/schemas/catalog"
)

// listPage is how many rows are asked for at a time. It is a variable for tests.
var listPage = 10_000

// List yields the active rows that a release shows, in order, without fragments: all versions of the given name, or
// of every name if it is empty. It reads in pages, so that a slow caller holds no connection; it may or may not see
// a change that is made between two pages.
func (d *DB) List(ctx context.Context, r catalog.Release, name string) iter.Seq2[catalog.Package, error] {
	return d.pages(ctx, r, func(after catalog.Package) ([]catalog.Package, error) {
		if name != "" {
			return d.pageOfName(ctx, r, name, after)
		}
		return d.page(ctx, r, "", after)
	})
}

// ListPrefix is [DB.List] of all names with a prefix.
func (d *DB) ListPrefix(ctx context.Context, r catalog.Release, prefix string) iter.Seq2[catalog.Package, error] {
	return d.pages(ctx, r, func(after catalog.Package) ([]catalog.Package, error) { return d.page(ctx, r, prefix, after) })
}

// pages yields the rows of all pages.
func (d *DB) pages(ctx context.Context, r catalog.Release, next func(after catalog.Package) ([]catalog.Package, error)) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for after := (catalog.Package{}); ; {
			page, err := next(after)
			if err != nil {
				yield(catalog.Package{}, fmt.Errorf("list %s: %w", r, err))
				return
			}
			for _, k := range page {
				after, k.SortKey = k, nil
				if !yield(k, nil) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
		}
	}
}

// behind is the condition for what is behind a row in order; empty for a row without a sort key.
func behind(after catalog.Package) (where string, args []any) {
	if len(after.SortKey) == 0 {
		return "", nil
	}
	return ` AND k.sort_key >= ? AND (k.sort_key > ? OR k.component > ? OR k.component = ? AND k.variant > ?)`,
		[]any{after.SortKey, after.SortKey, after.Component, after.Component, after.Variant}
}

// pageOfName returns the next rows of one name.
func (d *DB) pageOfName(ctx context.Context, r catalog.Release, name string, after catalog.Package) ([]catalog.Package, error) {
	where, args := releaseCondition(r, catalog.Active)
	more, moreArgs := behind(after)
	return list(ctx, d, func(scan func(...any) error) (k catalog.Package, err error) {
		return k, scanPackage(&k, scan)
	}, `SELECT `+packageColumns+` FROM `+packageTables+` WHERE `+where+` AND k.name = ?`+more+inOrder+` LIMIT ?`, append(append(append(args, name), moreArgs...), listPage)...)
}

// page returns the next rows of a release whose names have a prefix. Each directory is read in the order of its index, from the row on
// behind which the page begins, so that the last page costs what the first does.
func (d *DB) page(ctx context.Context, r catalog.Release, prefix string, after catalog.Package) ([]catalog.Package, error) {
	var parts []string
	var args []any
	for i, dir := range dirsOf(r.Arch) {
		where := `k.distribution_id = (SELECT d.id FROM distributions d JOIN repositories p ON p.id = d.repository_id WHERE ` + releaseKey + `) AND k.state = ? AND k.dir = ?`
		args = append(append(args, distributionArgs(r)...), catalog.Active, dir)
		if more, moreArgs := behind(after); more != "" {
			where, args = where+more, append(args, moreArgs...)
		} else if prefix != "" {
			where, args = where+` AND k.sort_key >= ?`, append(args, []byte(prefix)) // it begins with the name
		}
		if n := len(prefix) - 1; n >= 0 && prefix[n] < 0xff {
			where, args = where+` AND k.sort_key < ?`, append(args, append([]byte(prefix[:n]), prefix[n]+1))
		}
		parts = append(parts, fmt.Sprintf(`SELECT * FROM (SELECT k.id, k.sort_key, k.component, k.variant FROM packages k%s WHERE %s%s LIMIT ?) dir%d`, d.inOrder, where, inOrder, i))
		args = append(args, listPage)
	}
	return list(ctx, d, func(scan func(...any) error) (k catalog.Package, err error) {
		return k, scanPackage(&k, scan)
	}, `SELECT `+packageColumns+` FROM (`+strings.Join(parts, ` UNION ALL `)+` ORDER BY sort_key, component, variant LIMIT ?) page
		JOIN packages k ON k.id = page.id`+ofPackages+inOrder, append(args, listPage)...)
}
