package collect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	// maxRepositories is how many repositories are swept at a time.
	maxRepositories = 4
	// maxRequests is how many objects of one repository are read, or removed, at a time.
	maxRequests = 16
	// maxReported is how many failed removals of one repository are reported.
	maxReported = 3
)

// Swept is the result of a sweep.
type Swept struct {
	Marked  int // objects that the next sweep may remove
	Removed int
	Full    int // repositories with more garbage than one sweep marks: sweep again after [MinWait]
}

// Sweep removes superseded indexes, old manifests, package files that no row names, and, after an hour, files under embargo that none
// does. Any other object must be older than two retention periods, and an earlier sweep, at least MinWait ago, must have marked it.
// Sweep marks the objects that the next one may remove. An error in one repository does not stop the sweep of others, nor does an
// object that cannot be removed; the errors are joined. In a bucket of a later format it removes nothing and returns a
// [*tree.NewerFormat].
func (c *Collector) Sweep(ctx context.Context) (Swept, error) {
	if _, err := tree.CheckFormat(ctx, c.bucket); err != nil {
		return Swept{}, err
	}
	repositories, err := tree.Repositories(ctx, c.bucket)
	if err != nil {
		return Swept{}, err
	}
	c.manifests.nextSweep()
	results := make([]Swept, len(repositories))
	faults := make([]error, len(repositories))
	var g errgroup.Group
	g.SetLimit(maxRepositories)
	for i, r := range repositories {
		g.Go(func() error {
			if faults[i] = ctx.Err(); faults[i] == nil {
				var err error
				if results[i], err = c.sweepRepository(ctx, r); err != nil {
					faults[i] = fmt.Errorf("sweep %s: %w", r, err)
				}
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are joined
	var all Swept
	var failed error
	if all.Removed, failed = c.sweepEmbargoes(ctx); failed != nil {
		faults = append(faults, fmt.Errorf("sweep %s: %w", layout.EmbargoPrefix, failed))
	}
	for _, res := range results {
		all.Marked += res.Marked
		all.Removed += res.Removed
		all.Full += res.Full
	}
	return all, errors.Join(faults...)
}

func (c *Collector) sweepRepository(ctx context.Context, r catalog.Repository) (Swept, error) {
	old, err := c.readTombstones(ctx, r)
	if err != nil {
		return Swept{}, err
	}
	s, err := c.begin(ctx, r, old.now)
	if err != nil {
		return Swept{}, err
	}
	if err := s.resolveInterrupted(ctx, r); err != nil {
		return Swept{}, err
	}
	next := tombstones{objects: map[string]tombstone{}}
	due, full, err := s.find(ctx, old, next)
	if err != nil {
		return Swept{}, err
	}
	removed, err := s.removeAll(ctx, due)
	res := Swept{Marked: len(next.objects), Removed: removed}
	if full {
		res.Full = 1
	}
	return res, errors.Join(err, c.writeTombstones(ctx, old, next))
}

// find lists the objects of a repository. It returns those to remove, and adds a tombstone to next for each other one that is garbage,
// as long as there is room.
func (s *repositorySweep) find(ctx context.Context, old, next tombstones) (due []tombstone, full bool, err error) {
	most := s.collector.maxMarked
	left := room{most, listBytes}
	visit := func(key string, meta layout.Meta) error {
		if !meta.Modified.Before(s.before) || full && len(due) >= most {
			return nil
		}
		garbage, err := s.garbage(ctx, key)
		if err != nil || !garbage {
			return err
		}
		version := meta.Version
		if version == "" { // this store does not list it
			if version, err = tree.VersionOf(ctx, s.collector.bucket, key); err != nil || version == "" {
				return err
			}
		}
		if t, aged := old.find(key, version); aged {
			due = append(due, t)
		} else if full = full || !left.take(t); !full {
			next.objects[t.Key] = t
		}
		return nil
	}
	for _, prefix := range s.prefixes() {
		if err := s.collector.bucket.List(ctx, prefix, visit); err != nil {
			return nil, full, err
		}
	}
	return due, full, nil
}

// removeAll removes objects, several at a time, and returns how many are gone. One that cannot be removed holds up no other.
func (s *repositorySweep) removeAll(ctx context.Context, due []tombstone) (removed int, err error) {
	var gone atomic.Int64
	var g errgroup.Group
	g.SetLimit(maxRequests)
	faults := make([]error, len(due))
	for i, t := range due {
		g.Go(func() error {
			if ctx.Err() != nil {
				return nil
			}
			ok, err := s.remove(ctx, t)
			if ok {
				gone.Add(1)
			}
			if err != nil {
				faults[i] = fmt.Errorf("remove %s: %w", t.Key, err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are joined
	faults = slices.DeleteFunc(faults, func(err error) bool { return err == nil })
	if n := len(faults); n > maxReported {
		faults = append(faults[:maxReported], fmt.Errorf("and %d other objects were not removed", n-maxReported))
	}
	return int(gone.Load()), errors.Join(append(faults, ctx.Err())...)
}

// remove removes an object if it is still garbage and has the version that was marked.
func (s *repositorySweep) remove(ctx context.Context, t tombstone) (gone bool, err error) {
	if needed, err := s.needed(ctx, t.Key); err != nil || needed {
		return false, err
	}
	meta, err := s.collector.bucket.Stat(ctx, t.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true, nil
	case err != nil:
		return false, err
	case meta.Version != t.Version || !meta.Modified.Before(s.before):
		return false, nil
	}
	return s.quarantine(ctx, t)
}
