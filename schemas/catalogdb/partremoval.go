package catalogdb

import (
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/schemas/catalog"
)

// retirePart takes a distribution or component out of its repository when the files of its packages are removed, and returns what is next.
func (row *deletionRow) retirePart(ctx context.Context, tx *transaction, now time.Time) (removalStep, error) {
	ds, has := row.settings.Find(row.target.Distribution)
	if row.target.Component == "" {
		if !has {
			return removeObjects, nil // an earlier call did
		}
		for _, d := range row.distributions {
			if err := retireDistribution(ctx, tx, d, now); err != nil {
				return waitRemoval, err
			}
		}
	} else {
		if !slices.Contains(ds.Components, row.target.Component) {
			if row.published() {
				return removeObjects, nil
			}
			return waitRemoval, nil // clients may look for its indexes
		}
		if err := row.retireComponent(ctx, tx, ds, now); err != nil {
			return waitRemoval, err
		}
	}
	entry := catalog.AuditEntry{Action: catalog.ActionRepoRemove, Target: row.target.String(), Detail: "the " + row.target.Kind() + " is taken out of its repository"}
	if err := record(ctx, tx, now, entry); err != nil {
		return waitRemoval, err
	}
	if row.target.Component == "" {
		row.settings.Retention = slices.DeleteFunc(slices.Clone(row.settings.Retention), func(r catalog.Retention) bool {
			return r.Distribution == row.target.Distribution
		})
	}
	step := waitRemoval
	if row.target.Component == "" {
		step = removeObjects
	}
	return step, row.change(ctx, tx, row.deleted(), now)
}

// retireComponent takes a component out of its distribution: the next Release does not list it.
func (row *deletionRow) retireComponent(ctx context.Context, tx *transaction, ds catalog.DistributionSettings, now time.Time) error {
	for _, d := range row.distributions {
		if err := dropComponent(ctx, tx, d.id, ds.Components, row.target.Component); err != nil {
			return err
		}
		for _, r := range d.releases {
			if _, err := issueNext(ctx, tx, r.id, now); err != nil {
				return err
			}
		}
	}
	return nil
}

// dropComponent takes a component out of those of a distribution.
func dropComponent(ctx context.Context, tx *transaction, distribution int64, components []string, component string) error {
	left := slices.DeleteFunc(slices.Clone(components), func(c string) bool { return c == component })
	_, err := tx.ExecContext(ctx, `UPDATE distributions SET components = ? WHERE id = ?`, jsonList[string]{&left}, distribution)
	if err == nil {
		_, err = tx.ExecContext(ctx, `DELETE FROM phases WHERE distribution_id = ? AND component = ?`, distribution, component)
	}
	return err
}

// forgetPart removes the record of the deletion of a distribution, with those of its components, or of a component: it can be declared
// as one that never was. Its identities stay taken.
func (row *deletionRow) forgetPart(ctx context.Context, tx *transaction, now time.Time) error {
	row.settings.DeletedParts = slices.DeleteFunc(slices.Clone(row.settings.DeletedParts), func(p catalog.DeletedPart) bool {
		return row.target.Component == "" && p.Distribution == row.target.Distribution
	})
	return row.change(ctx, tx, nil, now)
}

// clearBatch is how many rows one transaction clears. It is a variable for tests.
var clearBatch = 2000

// daysBatch is of how many days one transaction deletes the counts of requests.
const daysBatch = 30

// clearRows removes what the packages of a deleted target have besides their names: index entries, statistics, and what the pages and
// rules know of them. Each transaction changes some rows only, however many there are; a repeat goes on.
func (d *DB) clearRows(ctx context.Context, t catalog.PackageTarget) error {
	var row deletionRow
	err := d.ask(ctx, func(q querier) (err error) {
		row.target = t
		if row.id, err = repositoryID(ctx, q, t.Repository); err == nil {
			row.distributions, err = targetDistributions(ctx, q, t.WithoutComponent())
		}
		return err
	})
	for _, of := range row.distributions {
		if err == nil {
			err = d.clearPackages(ctx, &row, of.id)
		}
	}
	if err != nil {
		return err
	}
	if t.Whole() {
		for table, column := range map[string]string{"page_requests": "id", "page_names": "name", "package_contents": "sha256"} {
			if err := d.inBatches(ctx, table, column, clearBatch, `repository_id = ?`, row.id); err != nil {
				return err
			}
		}
		return d.inBatches(ctx, "log_requests", "day", daysBatch, `repository_id = ?`, row.id)
	}
	if t.Component == "" {
		return d.inBatches(ctx, "log_requests", "day", daysBatch, `repository_id = ? AND distribution = ?`, row.id, t.Distribution.String())
	}
	return nil
}

// clearPackages clears the rows of the target's packages in a distribution, some at a time in the order of their ids.
func (d *DB) clearPackages(ctx context.Context, row *deletionRow, distribution int64) error {
	where, args := row.packages(distribution)
	for last := int64(0); ; {
		var ids []int64
		err := d.tx(ctx, func(tx *transaction) (err error) {
			ids, err = collect(ctx, tx, scanID, `SELECT id FROM packages WHERE `+where+` AND id > ? ORDER BY id LIMIT ?`, append(slices.Clone(args), last, clearBatch)...)
			if err != nil {
				return err
			}
			for some := range slices.Chunk(ids, maxPerStatement) {
				if err := clearSome(ctx, tx, distribution, some); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("clear rows of packages: %w", err)
		}
		if len(ids) < clearBatch {
			return nil
		}
		last = ids[len(ids)-1]
	}
}

// clearSome clears the rows of some packages of a distribution.
func clearSome(ctx context.Context, tx *transaction, distribution int64, some []int64) error {
	of, args := in("package_id", some)
	for _, s := range []struct {
		query string
		args  []any
	}{
		{`UPDATE packages SET stanza = NULL, primary_xml = NULL, filelists_xml = NULL, other_xml = NULL WHERE ` + inID(some), args},
		{`DELETE FROM downloads WHERE ` + of, args},
		{`DELETE FROM exact_needs WHERE distribution_id = ? AND ` + of, append([]any{distribution}, args...)},
	} {
		if _, err := tx.ExecContext(ctx, s.query, s.args...); err != nil {
			return err
		}
	}
	return nil
}

// inBatches deletes the rows of a table that a condition selects, those of some values of a column at a time.
func (d *DB) inBatches(ctx context.Context, table, column string, some int, where string, args ...any) error {
	query := `DELETE FROM ` + table + ` WHERE ` + where + ` AND ` + column + ` IN (SELECT ` + column + ` FROM (SELECT DISTINCT ` + column + ` FROM ` + table +
		` WHERE ` + where + ` ORDER BY ` + column + ` LIMIT ?) x)`
	for {
		n := int64(0)
		err := d.tx(ctx, func(tx *transaction) error {
			res, err := tx.ExecContext(ctx, query, append(slices.Concat(args, args), some)...)
			if err == nil {
				n, err = res.RowsAffected()
			}
			return err
		})
		if err != nil {
			return fmt.Errorf("clear %s: %w", table, err)
		}
		if n == 0 {
			return nil
		}
	}
}
