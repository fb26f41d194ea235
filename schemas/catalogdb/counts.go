package catalogdb

import (
	"context"
	"fmt"

	"repomill/schemas/catalog"
)

// CountUnpublishedSettings returns how many repositories have settings that are not in the bucket yet: resolvers use older ones.
func (d *DB) CountUnpublishedSettings(ctx context.Context) (int, error) {
	return d.count(ctx, "unpublished settings", `SELECT COUNT(*) FROM repositories WHERE settings_revision > published_settings_revision OR settings_revision = 0`)
}

// CountFailedReindexes returns how many releases have a latest reindex that failed. One that was asked for since, and has not
// ended, does not count.
func (d *DB) CountFailedReindexes(ctx context.Context) (int, error) {
	return d.count(ctx, "failed reindexes", `SELECT COUNT(*) FROM reindexes WHERE outcome = ? AND done = asked`, OutcomeFailed)
}

func (d *DB) count(ctx context.Context, what, query string, args ...any) (n int, err error) {
	err = d.ask(ctx, func(q querier) error { return q.QueryRowContext(ctx, query, args...).Scan(&n) })
	if err != nil {
		return 0, fmt.Errorf("count %s: %w", what, err)
	}
	return n, nil
}

// CountHeld returns how many packages of a repository wait for release trains.
func (d *DB) CountHeld(ctx context.Context, r catalog.Repository) (n int, err error) {
	err = d.ask(ctx, func(q querier) error {
		return q.QueryRowContext(ctx, `SELECT COUNT(*) FROM `+packageTables+` WHERE p.owner = ? AND p.name = ? AND k.state = ?`, r.Owner, r.Name, catalog.Reserved).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("count what release trains hold of %s: %w", r, err)
	}
	return n, nil
}
