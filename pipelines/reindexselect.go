package pipelines

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// An UnknownTarget is a target that names nothing.
type UnknownTarget struct {
	Target string
	Near   string // a target that it may have meant; may be empty
}

// Error implements error.
func (e *UnknownTarget) Error() string {
	if e.Near != "" {
		return fmt.Sprintf("there is no %s; did you mean %s?", e.Target, e.Near)
	}
	return fmt.Sprintf("there is no %s; use owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch", e.Target)
}

// SelectReleases returns the releases of a catalog at or below targets, or all if there are none, in order. A target is
// owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch; one that names nothing is an
// [UnknownTarget].
func SelectReleases(ctx context.Context, db *catalogdb.DB, targets []string) ([]catalog.Release, error) {
	states, err := db.Releases(ctx)
	if err != nil {
		return nil, err
	}
	repositories, err := db.Repositories(ctx)
	if err != nil {
		return nil, err
	}
	var releases []catalog.Release
	for _, s := range states {
		releases = append(releases, s.Release)
	}
	var names []catalog.Repository
	for _, s := range repositories {
		names = append(names, s.Repository)
	}
	return selectFrom(targets, names, releases)
}

// SelectPublished is [SelectReleases] in the bucket, of which the catalog need not know anything: it takes the settings
// of the selected repositories over first.
func (r *Resources) SelectPublished(ctx context.Context, targets []string) ([]catalog.Release, error) {
	declared, err := tree.Repositories(ctx, r.Bucket)
	if err != nil {
		return nil, fmt.Errorf("read the published settings: %w", err)
	}
	var releases []catalog.Release
	for _, repository := range declared {
		if len(targets) > 0 && !slices.ContainsFunc(targets, func(t string) bool { return t == repository.String() || strings.HasPrefix(t, repository.String()+"/") }) {
			continue
		}
		if err := r.Publisher.Settings(ctx, repository); err != nil {
			return nil, err
		}
		s, err := r.Catalog.Settings(ctx, repository)
		if err != nil {
			return nil, err
		}
		releases = append(releases, releasesOf(s)...)
	}
	return selectFrom(targets, declared, releases)
}

// releasesOf returns the releases that a repository was declared with.
func releasesOf(s catalog.Settings) (all []catalog.Release) {
	for _, d := range s.Distributions {
		arches := d.Architectures
		if d.Format == catalog.DEB {
			arches = []string{""}
		}
		for _, arch := range arches {
			all = append(all, catalog.Release{Repository: s.Repository, Distribution: d.Distribution, Arch: arch})
		}
	}
	return all
}

// selectFrom returns those of releases that targets name. A repository may have none.
func selectFrom(targets []string, repositories []catalog.Repository, releases []catalog.Release) ([]catalog.Release, error) {
	known := map[string]bool{}
	for _, r := range repositories {
		known[r.String()] = true
	}
	for _, r := range releases {
		known[r.Repository.String()+"/"+r.Distribution.String()] = true
		known[r.String()] = true
	}
	for _, t := range targets {
		if !known[t] {
			names := make([]string, 0, len(known))
			for name := range known {
				names = append(names, name)
			}
			slices.Sort(names)
			return nil, &UnknownTarget{Target: t, Near: layout.Nearest(t, names)}
		}
	}
	var all []catalog.Release
	for _, r := range releases {
		below := func(t string) bool { return r.String() == t || strings.HasPrefix(r.String(), t+"/") }
		if len(targets) == 0 || slices.ContainsFunc(targets, below) {
			all = append(all, r)
		}
	}
	slices.SortFunc(all, func(a, b catalog.Release) int { return strings.Compare(a.String(), b.String()) })
	return all, nil
}

// has reports whether the bucket has a key.
func (r *Resources) has(ctx context.Context, key string) (bool, error) {
	_, err := r.Bucket.Stat(ctx, key)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}
