package catalogdb

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// insertNeeds records what a package needs by exact version.
func insertNeeds(ctx context.Context, tx *transaction, distribution, pkg int64, needs []catalog.Need) error {
	for some := range slices.Chunk(needs, auditChunk) {
		var args []any
		for _, n := range some {
			args = append(args, distribution, pkg, n.Name, n.From, n.Until)
		}
		_, err := tx.ExecContext(ctx, `REPLACE INTO exact_needs (distribution_id, package_id, name, from_version, until_version) VALUES (?, ?, ?, ?, ?)`+
			strings.Repeat(`, (?, ?, ?, ?, ?)`, len(some)-1), args...)
		if err != nil {
			return err
		}
	}
	return nil
}

// replaceNeeds is insertNeeds for a row that may have other needs.
func replaceNeeds(ctx context.Context, tx *transaction, distribution, pkg int64, needs []catalog.Need) error {
	_, err := tx.ExecContext(ctx, `DELETE FROM exact_needs WHERE distribution_id = ? AND package_id = ?`, distribution, pkg)
	if err != nil {
		return err
	}
	return insertNeeds(ctx, tx, distribution, pkg, needs)
}

// keepNeeded keeps packages that one which stays needs by exact version, and what those need.
func (a *applying) keepNeeded(ctx context.Context) error {
	any, err := collect(ctx, a.q, scanID, `SELECT package_id FROM exact_needs WHERE distribution_id = ? LIMIT 1`, a.distribution.id)
	if err != nil || len(any) == 0 || len(a.leaving) == 0 {
		return err
	}
	at := make(map[int64]int, len(a.leaving)) // numbers of rows that leave
	for i, r := range a.leaving {
		at[r.id] = i
	}
	type need struct{ by, needed int64 }
	var needs []need // of packages that leave, too
	var stay []int64
	if err := a.eachNeed(ctx, func(by, needed int64) {
		if _, leaves := at[needed]; !leaves {
			return
		}
		if _, leaves := at[by]; leaves {
			needs = append(needs, need{by, needed})
		} else {
			stay = append(stay, needed)
		}
	}); err != nil {
		return err
	}
	if len(stay) == 0 {
		return nil
	}
	byID := func(n need, id int64) int { return cmp.Compare(n.by, id) }
	slices.SortFunc(needs, func(n, o need) int { return byID(n, o.by) })
	for len(stay) > 0 {
		id := stay[len(stay)-1]
		stay = stay[:len(stay)-1]
		i, leaves := at[id]
		if !leaves {
			continue
		}
		delete(at, id)
		row := a.leaving[i]
		sum := a.sums[a.dirs[row.dir]]
		sum.leave, sum.bytes = sum.leave-1, sum.bytes-row.size
		a.stayOrLeave(row, KeptNeeded)
		first, _ := slices.BinarySearchFunc(needs, id, byID)
		for _, n := range needs[first:] {
			if n.by != id {
				break
			}
			stay = append(stay, n.needed)
		}
	}
	a.leaving = slices.DeleteFunc(a.leaving, func(r leavingRow) bool { _, leaves := at[r.id]; return !leaves })
	return nil
}

// eachNeed calls f for each active package of the distribution that another one, which is active, too, needs by exact version.
func (a *applying) eachNeed(ctx context.Context, f func(by, needed int64)) error {
	const from = `SELECT n.package_id, k.id FROM exact_needs n JOIN packages b ON b.id = n.package_id AND b.state = ?
		JOIN packages k ON k.distribution_id = n.distribution_id AND k.name = n.name AND k.state = ? AND k.id <> n.package_id AND `
	for _, which := range []string{
		`k.canonical = n.from_version WHERE n.distribution_id = ? AND n.until_version = n.from_version`,
		`k.canonical BETWEEN n.from_version AND n.until_version WHERE n.distribution_id = ? AND n.until_version <> n.from_version`,
	} {
		rows, err := a.q.QueryContext(ctx, from+which, catalog.Active, catalog.Active, a.distribution.id)
		if err != nil {
			return err
		}
		for rows.Next() {
			var by, needed int64
			if err := rows.Scan(&by, &needed); err != nil {
				rows.Close() //nolint:errcheck // the other error counts
				return err
			}
			f(by, needed)
		}
		if err := rows.Err(); err != nil {
			return err
		}
		rows.Close() //nolint:errcheck // it was read to its end
	}
	return nil
}
