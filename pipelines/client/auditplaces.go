package client

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"math/rand/v2"
	"path"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"repomill/publish/check"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

func permutation(n int) []int { return rand.Perm(n) }

// places returns the releases to look at: those that have been published. It notes repositories that cannot be read, and those that
// have none.
func (a *Auditor) places(ctx context.Context, repositories []catalog.Repository, res *Audit) []auditPlace {
	var mu sync.Mutex
	all := map[string]auditPlace{}
	var g errgroup.Group
	g.SetLimit(auditWorkers)
	for _, r := range repositories {
		g.Go(func() error {
			found, err := a.published(ctx, r)
			mu.Lock()
			defer mu.Unlock()
			for _, f := range found {
				all[r.String()+"/"+pointerOf(f)] = auditPlace{r, f}
			}
			switch known := a.knows(r); {
			case err != nil && len(found) == 0 && !known:
				res.note(a.shown(r), outcomeOf(err), err.Error())
			case len(found) == 0 && !known && a.Bucket == nil:
				res.note(a.shown(r), check.Absent, "the repository has no release, or does not exist")
			}
			return nil
		})
	}
	_ = g.Wait() // nothing returns an error
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.known == nil {
		a.known = map[string]auditPlace{}
	}
	maps.Copy(a.known, all)
	places := make([]auditPlace, 0, len(a.known))
	for _, key := range slices.Sorted(maps.Keys(a.known)) {
		if slices.Contains(repositories, a.known[key].repository) {
			places = append(places, a.known[key])
		}
	}
	return places
}

// knows reports whether an earlier round has found a release of a repository.
func (a *Auditor) knows(r catalog.Repository) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, p := range a.known {
		if p.repository == r {
			return true
		}
	}
	return false
}

func outcomeOf(err error) check.Outcome {
	if errors.Is(err, fs.ErrNotExist) {
		return check.Absent
	}
	return check.Unreachable
}

// published returns the releases of a repository that have been published: those with a manifest in the bucket; without a bucket,
// those whose pointer the site has.
func (a *Auditor) published(ctx context.Context, r catalog.Repository) (found []check.Found, err error) {
	if a.Bucket == nil {
		all := func(catalog.Distribution) bool { return true }
		return probe(ctx, a.tree(r), releasesOf(a.Table, all))
	}
	last := ""
	err = a.Bucket.List(ctx, ".history/"+r.String()+"/", func(key string, _ layout.Meta) error {
		name := path.Dir(key)
		if name == last {
			return nil
		}
		last = name
		if rel, err := catalog.ParseRelease(name[len(".history/"):]); err == nil {
			found = append(found, foundOf(rel))
		}
		return nil
	})
	return found, err
}

// foundOf returns a release with its path below the repository.
func foundOf(r catalog.Release) check.Found {
	if r.Arch == "" {
		return check.Found{Format: catalog.DEB, Base: r.Distribution.OS, Codename: r.Distribution.Version}
	}
	return check.Found{Format: catalog.RPM, Base: r.Distribution.String() + "/" + r.Arch}
}
