package catalogdb

import (
	"context"
	"slices"

	"repomill/schemas/catalog"
)

// A targetDistribution is a distribution of a target, with its releases.
type targetDistribution struct {
	id           int64
	distribution catalog.Distribution
	releases     []releaseRow
}

// targetDistributions returns the distributions of a target, in ascending order of their ids.
func targetDistributions(ctx context.Context, q querier, t catalog.PackageTarget) ([]targetDistribution, error) {
	where, args := `p.owner = ? AND p.name = ?`, []any{t.Repository.Owner, t.Repository.Name}
	if !t.Whole() {
		where, args = releaseKey, append(args, t.Distribution.OS, t.Distribution.Version)
	}
	all, err := collect(ctx, q, func(scan func(...any) error) (d targetDistribution, err error) {
		return d, scan(&d.id, &d.distribution.OS, &d.distribution.Version)
	}, `SELECT d.id, d.os, d.version FROM distributions d JOIN repositories p ON p.id = d.repository_id WHERE `+where+` ORDER BY d.id`, args...)
	if err != nil {
		return nil, err
	}
	for i := range all {
		if all[i].releases, err = releasesOf(ctx, q, t.Repository, all[i].distribution); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// lockedTargets is targetDistributions of several targets, with all releases locked: what they show stays as it is.
func (tx *transaction) lockedTargets(ctx context.Context, targets ...catalog.PackageTarget) (found [][]targetDistribution, err error) {
	read := func() error {
		found = nil
		for _, t := range targets {
			some, err := targetDistributions(ctx, tx, t)
			if err != nil {
				return err
			}
			found = append(found, some)
		}
		return nil
	}
	if err := read(); err != nil || tx.forUpdate == "" {
		return found, err
	}
	var distributions, releases []int64
	for _, d := range slices.Concat(found...) {
		distributions = append(distributions, d.id)
	}
	slices.Sort(distributions)
	for _, id := range slices.Compact(distributions) { // as lockDistribution
		if _, err := scanID(tx.QueryRowContext(ctx, `SELECT id FROM distributions WHERE id = ? LOCK IN SHARE MODE`, id).Scan); err != nil {
			return nil, err
		}
	}
	if err := read(); err != nil {
		return nil, err
	}
	for _, d := range slices.Concat(found...) {
		for _, r := range d.releases {
			releases = append(releases, r.id)
		}
	}
	if err := tx.lock(ctx, releases); err != nil {
		return nil, err
	}
	return found, read() // as they are now
}
