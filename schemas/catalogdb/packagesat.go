package catalogdb

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"repomill/schemas/catalog"
)

// StatesAt returns what clients saw of the releases of a target at a point or, at the zero point, what they see now; its component
// does not matter. A release that was not published yet at a time has revision 0. The error wraps [ErrNotFound], [ErrNotPublished],
// [ErrSeveralReleases], [ErrNoSnapshot] or [ErrInexact].
func (d *DB) StatesAt(ctx context.Context, t catalog.PackageTarget, at Point) (then []PublishedState, err error) {
	err = d.askOnce(ctx, func(q querier) error {
		then = nil
		targets, err := targetDistributions(ctx, q, t)
		if err != nil {
			return err
		}
		n := 0
		for _, dist := range targets {
			n += len(dist.releases)
		}
		if at.Revision != 0 && n > 1 || n == 0 {
			_, err := publishedStates(ctx, q, t, targets, at) // says what is wrong
			return err
		}
		for _, dist := range targets {
			for _, r := range dist.releases {
				s, err := dist.stateAt(ctx, q, t, r, at)
				if err != nil {
					return err
				}
				then = append(then, s)
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find what %s was: %w", t, err)
	}
	return then, nil
}

// stateAt returns what clients saw of one release.
func (t targetDistribution) stateAt(ctx context.Context, q querier, target catalog.PackageTarget, r releaseRow, at Point) (PublishedState, error) {
	s := PublishedState{Release: catalog.Release{Repository: target.Repository, Distribution: t.distribution, Arch: r.arch}, id: r.id}
	if at == (Point{}) {
		s.Revision = r.published
		err := q.QueryRowContext(ctx, `SELECT published_at FROM publications WHERE release_id = ? AND revision = ? AND published_at IS NOT NULL`, r.id, r.published).Scan((*scanTime)(&s.Since))
		if err = notFound(err); errors.Is(err, ErrNotFound) { // another catalog published it
			err = nil
		}
		return s, err
	}
	one := targetDistribution{t.id, t.distribution, []releaseRow{r}}
	then, err := publishedStates(ctx, q, target, []targetDistribution{one}, at)
	if err == nil {
		return then[0], nil
	}
	if !errors.Is(err, ErrNotPublished) || at.At.IsZero() {
		return s, err
	}
	// Its history is whole if this catalog has issued its first revision and all later ones.
	empty, failed := scanID(q.QueryRowContext(ctx, `SELECT CASE WHEN EXISTS (SELECT 1 FROM publications WHERE release_id = ? AND revision = 1)
		AND NOT EXISTS (SELECT 1 FROM publications WHERE release_id = ? AND published_at <= ?)
		AND NOT EXISTS (SELECT 1 FROM foreign_pairs WHERE release_id = ?) THEN 1 ELSE 0 END`, r.id, r.id, millis(at.At), r.id).Scan)
	if failed != nil || empty == 1 {
		return s, failed
	}
	return s, err
}

// PackagesAt yields the packages that some of the given releases of one distribution, [DB.StatesAt], showed at their revisions: those
// of a component, or of all if it is empty. Names ascend; what has one name is in no order. A package has its place, identity, sort key,
// size and SHA-256, and nothing else. It reads in pages, as [DB.List] does; what a published revision shows does not change.
func (d *DB) PackagesAt(ctx context.Context, states []PublishedState, component string) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		if len(states) == 0 {
			return
		}
		for after := (catalog.Package{}); ; {
			page, err := d.pageAt(ctx, states, component, after)
			if err != nil {
				yield(catalog.Package{}, fmt.Errorf("list what %s was: %w", states[0].Release, err))
				return
			}
			for _, k := range page {
				if after = k; !yield(k, nil) {
					return
				}
			}
			if len(page) < listPage {
				return
			}
		}
	}
}

// pageAt returns the next rows behind one, or the first if that has no name.
func (d *DB) pageAt(ctx context.Context, states []PublishedState, component string, after catalog.Package) ([]catalog.Package, error) {
	r := states[0].Release
	where, args := releaseKey, distributionArgs(r)
	if component != "" {
		where, args = where+` AND k.component = ?`, append(args, component)
	}
	if after.Name != "" {
		where += ` AND k.name >= ? AND (k.name > ? OR k.canonical > ? OR k.canonical = ? AND (k.arch > ? OR k.arch = ? AND (k.component > ? OR k.component = ? AND k.variant > ?)))`
		args = append(args, after.Name, after.Name, after.Canonical, after.Canonical, after.Arch, after.Arch, after.Component, after.Component, after.Variant)
	}
	shown := ``
	for i, s := range states {
		if i > 0 {
			shown += ` OR `
		}
		shown += `EXISTS (SELECT 1 FROM visibility v WHERE v.release_id = ? AND v.package_id = k.id AND v.came <= ? AND (v.went IS NULL OR v.went > ?))`
		args = append(args, s.id, s.Revision, s.Revision)
	}
	return list(ctx, d, func(scan func(...any) error) (catalog.Package, error) {
		k := catalog.Package{Repository: r.Repository, Distribution: r.Distribution}
		return k, scan(&k.Component, &k.Name, &k.Version, &k.Canonical, &k.Arch, &k.Variant, &k.SortKey, &k.File.Size, &k.File.SHA256)
	}, `SELECT k.component, k.name, k.version, k.canonical, k.arch, k.variant, k.sort_key, k.size, k.sha256 FROM `+packageTables+`
		WHERE `+where+` AND (`+shown+`) ORDER BY k.name, k.canonical, k.arch, k.component, k.variant LIMIT ?`, append(args, listPage)...)
}

// ByDistribution returns states by the distribution of their releases.
func ByDistribution(states []PublishedState) map[catalog.Distribution][]PublishedState {
	all := map[catalog.Distribution][]PublishedState{}
	for _, s := range states {
		all[s.Release.Distribution] = append(slices.Clip(all[s.Release.Distribution]), s)
	}
	return all
}
