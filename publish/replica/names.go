package replica

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// history is the prefix of the keys of all manifests.
const history = ".history/"

// names returns the repositories and releases of both buckets, in order: those of settings, and those of manifests. A release
// whose settings have not arrived has manifests.
func (c *checker) names(ctx context.Context) (repositories []catalog.Repository, releases []catalog.Release, err error) {
	found, all := map[catalog.Repository]bool{}, map[catalog.Release]bool{}
	if err := namesIn(ctx, c.replica, found, all); err != nil {
		return nil, nil, fmt.Errorf("list the replica: %w", err)
	}
	if c.primary != nil {
		if err := namesIn(ctx, c.primary, found, all); err != nil {
			c.fault(err)
			c.primary = nil
		}
	}
	repositories = slices.SortedFunc(maps.Keys(found), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) })
	releases = slices.SortedFunc(maps.Keys(all), func(a, b catalog.Release) int { return cmp.Compare(a.String(), b.String()) })
	return repositories, releases, nil
}

func namesIn(ctx context.Context, b Bucket, found map[catalog.Repository]bool, all map[catalog.Release]bool) error {
	declared, err := tree.Repositories(ctx, b)
	if err != nil {
		return err
	}
	for _, r := range declared {
		found[r] = true
		s, err := tree.ReadSettings(ctx, b, r)
		if err != nil {
			continue // a problem of the repository
		}
		for _, release := range releasesOf(s.Settings) {
			all[release] = true
		}
	}
	last := ""
	return b.List(ctx, history, func(key string, _ layout.Meta) error {
		name := path.Dir(strings.TrimPrefix(key, history))
		if name == last {
			return nil
		}
		last = name
		if r, err := catalog.ParseRelease(name); err == nil {
			found[r.Repository], all[r] = true, true
		}
		return nil
	})
}

// releasesOf returns the releases that settings declare.
func releasesOf(s catalog.Settings) (all []catalog.Release) {
	for _, ds := range s.Distributions {
		r := catalog.Release{Repository: s.Repository, Distribution: ds.Distribution}
		if ds.Format == catalog.DEB {
			all = append(all, r)
			continue
		}
		for _, arch := range ds.Architectures {
			r.Arch = arch
			all = append(all, r)
		}
	}
	return all
}
