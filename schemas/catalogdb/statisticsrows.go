package catalogdb

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// fieldColumns are the columns of fields; the tables are c, k, d and p.
var fieldColumns = map[catalog.StatisticsField][]string{
	catalog.ByRepository: {"p.owner", "p.name"}, catalog.ByPackage: {"k.name"}, catalog.ByVersion: {"k.version"}, catalog.ByArch: {"k.arch"},
	catalog.ByDistribution: {"d.os", "d.version"}, catalog.ByDay: {"c.day", "c.months"}, catalog.ByClient: {"c.client"},
	catalog.ByClientVersion: {"c.client_version"}, catalog.ByCountry: {"c.country"}, catalog.ByLegacy: {"c.legacy"},
}

// requestColumns are those of requests, which are of no package.
var requestColumns = map[catalog.StatisticsField][]string{
	catalog.ByRepository: {"p.owner", "p.name"}, catalog.ByDistribution: {"c.distribution"}, catalog.ByDay: {"c.day", "c.months"},
	catalog.ByClient: {"c.client"}, catalog.ByLegacy: {"c.legacy"}, catalog.ByKind: {"c.kind"},
}

// Downloads returns sums of downloads. Without fields it is one row. With days first it is in their order, otherwise the largest
// sum is first.
func (d *DB) Downloads(ctx context.Context, q catalog.StatisticsQuery) ([]catalog.StatisticsRow, error) {
	where, args := statisticsCondition(q)
	for _, c := range []struct{ column, value string }{{"d.format", string(q.Format)}, {"d.os", q.OS}, {"d.version", q.OSVersion}, {"k.name", q.Package}, {"k.arch", q.Arch}} {
		if c.value != "" {
			where, args = where+` AND `+c.column+` = ?`, append(args, c.value)
		}
	}
	if q.Version != "" {
		where, args = where+` AND (k.version = ? OR k.version LIKE ? ESCAPE '!')`, append(args, q.Version, "%:"+escapeLike(q.Version))
	}
	return d.sums(ctx, q, fieldColumns, `SUM(c.downloads)`, `downloads c JOIN packages k ON k.id = c.package_id
		JOIN distributions d ON d.id = k.distribution_id JOIN repositories p ON p.id = d.repository_id`, where, args)
}

// Requests returns sums of other requests of a kind, or of all kinds if it is empty. Conditions on packages are not used.
func (d *DB) Requests(ctx context.Context, q catalog.StatisticsQuery, kind catalog.RequestKind) ([]catalog.StatisticsRow, error) {
	where, args := statisticsCondition(q)
	if kind != "" {
		where, args = where+` AND c.kind = ?`, append(args, string(kind))
	}
	switch {
	case q.OSVersion != "":
		where, args = where+` AND c.distribution = ?`, append(args, q.OS+"/"+q.OSVersion)
	case q.OS != "":
		where, args = where+` AND c.distribution LIKE ? ESCAPE '!'`, append(args, escapeLike(q.OS)+"/%")
	}
	return d.sums(ctx, q, requestColumns, `SUM(c.requests)`, `log_requests c JOIN repositories p ON p.id = c.repository_id`, where, args)
}

// statisticsCondition returns the conditions that all counts have. Both values of months are named, so that the index by day is used.
func statisticsCondition(q catalog.StatisticsQuery) (where string, args []any) {
	where, args = `c.months IN (?, ?) AND c.day >= ?`, []any{daily, monthly, q.Since}
	if q.Until != 0 {
		where, args = where+` AND c.day <= ?`, append(args, q.Until)
	}
	if q.Owner != "" {
		where, args = where+` AND p.owner = ?`, append(args, q.Owner)
	}
	if q.Name != "" {
		where, args = where+` AND p.name = ?`, append(args, q.Name)
	}
	return where, args
}

func (d *DB) sums(ctx context.Context, q catalog.StatisticsQuery, columns map[catalog.StatisticsField][]string, sum, tables, where string, args []any) ([]catalog.StatisticsRow, error) {
	var all []string
	for _, f := range q.By {
		c, ok := columns[f]
		if !ok {
			return nil, fmt.Errorf("statistics have no sums by %s", f)
		}
		all = append(all, c...)
	}
	fields := strings.Join(all, ", ")
	query := `SELECT COALESCE(` + sum + `, 0) FROM ` + tables + ` WHERE ` + where
	if fields != "" {
		query = `SELECT ` + sum + `, ` + fields + ` FROM ` + tables + ` WHERE ` + where + ` GROUP BY ` + fields + ` ORDER BY `
		if q.By[0] == catalog.ByDay {
			query += fields
		} else {
			query += sum + ` DESC, ` + fields
		}
	}
	if q.Limit > 0 {
		query, args = query+` LIMIT ?`, append(args, q.Limit)
	}
	rows, err := list(ctx, d, func(scan func(...any) error) (catalog.StatisticsRow, error) {
		return scanSum(scan, q.By, columns)
	}, query, args...)
	if err != nil {
		return nil, fmt.Errorf("statistics: %w", err)
	}
	return rows, nil
}

// scanSum reads a sum and the columns of fields.
func scanSum(scan func(...any) error, by []catalog.StatisticsField, columns map[catalog.StatisticsField][]string) (row catalog.StatisticsRow, err error) {
	var day, months int64
	texts := make([]string, 0, 2*len(by))
	dest := []any{&row.Count}
	for _, f := range by {
		if f == catalog.ByDay {
			dest = append(dest, &day, &months)
			continue
		}
		for range columns[f] {
			texts = append(texts, "")
			dest = append(dest, &texts[len(texts)-1]) // it has room: the slice never moves
		}
	}
	if err := scan(dest...); err != nil {
		return row, err
	}
	for _, f := range by {
		if f == catalog.ByDay {
			row.Values = append(row.Values, dayText(day, months))
			continue
		}
		n := len(columns[f])
		row.Values = append(row.Values, strings.Join(texts[:n], "/"))
		texts = texts[n:]
	}
	return row, nil
}

// dayText returns a day such as 2026-11-29, or a month such as 2026-11.
func dayText(day, months int64) string {
	t := time.Unix(day*24*60*60, 0).UTC()
	if months == monthly {
		return t.Format("2006-01")
	}
	return t.Format(time.DateOnly)
}
