package catalogdb

import (
	"context"
	"errors"
	"slices"

	"repomill/schemas/catalog"
)

// archivesBack returns the archives, of a distribution of a repository (zero for all) and of those, that lead back to another one, which is the
// last of them; nil if none does. Copies stay in their distribution. seen are those on the way.
func archivesBack(ctx context.Context, q querier, to catalog.Repository, from catalog.Settings, of catalog.Distribution, seen []catalog.Repository) ([]catalog.Repository, error) {
	seen = append(seen[:len(seen):len(seen)], from.Repository)
	all := catalog.Distribution{}
	for _, set := range from.Retention {
		at := of
		if at == all {
			at = set.Distribution
		}
		if set.Archive == nil || slices.Contains(seen, set.Archive.Repository) || set.Distribution != all && set.Distribution != at {
			continue
		}
		if set.Archive.Repository == to {
			return append(seen, to), nil
		}
		next, err := settings(ctx, q, set.Archive.Repository)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		if round, err := archivesBack(ctx, q, to, next, at, seen); err != nil || round != nil {
			return round, err
		}
	}
	return nil, nil
}

// archivedIn returns the repositories whose rules of retention name an archive, in order.
func archivedIn(ctx context.Context, q querier, archive catalog.Repository) (all []catalog.Repository, err error) {
	type ruled struct {
		of   catalog.Repository
		sets []catalog.Retention
	}
	rows, err := collect(ctx, q, func(scan func(...any) error) (r ruled, err error) {
		return r, scan(&r.of.Owner, &r.of.Name, jsonList[catalog.Retention]{&r.sets})
	}, `SELECT owner, name, retention FROM repositories WHERE retention <> '[]' ORDER BY owner, name`)
	for _, r := range rows {
		if slices.ContainsFunc(r.sets, func(set catalog.Retention) bool { return set.Archive != nil && set.Archive.Repository == archive }) {
			all = append(all, r.of)
		}
	}
	return all, err
}
