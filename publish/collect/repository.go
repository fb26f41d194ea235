package collect

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// RemoveTarget removes all objects of a repository, distribution or component that is deleted, but for the settings of a repository,
// pointers first: a client never sees a pointer whose files are gone. Indexes of a component under their digests are left to
// [Collector.Sweep]: earlier pointers name them. It returns how many objects it has removed. A repeat goes on where an earlier call has
// ended. In a bucket of a later format it removes nothing and returns a [*tree.NewerFormat]. The caller makes sure that no process
// publishes the target, and has ctx end before another process may create it again.
func (c *Collector) RemoveTarget(ctx context.Context, t catalog.PackageTarget) (removed int, err error) {
	if _, err := tree.CheckFormat(ctx, c.bucket); err != nil {
		return 0, err
	}
	r := t.Repository
	prefixes, keys := layout.RepositoryPrefixes(r), []string{tombstonesKey(r)}
	every := func(string) bool { return true }
	switch {
	case t.Component != "":
		prefixes, keys = layout.ComponentPrefixes(r, t.Distribution, t.Component), nil
		every = func(key string) bool { return !layout.IsByHash(key) }
	case !t.Whole():
		prefixes, keys = layout.DistributionPrefixes(r, t.Distribution), layout.DistributionKeys(r, t.Distribution)
	}
	for _, chosen := range []func(string) bool{layout.IsPointer, every} {
		for _, prefix := range prefixes {
			for _, below := range []string{prefix, quarantinePrefix + prefix} {
				n, err := c.removeBelow(ctx, below, chosen)
				if removed += n; err != nil {
					return removed, fmt.Errorf("remove %s: %w", below, err)
				}
			}
		}
	}
	for _, key := range keys {
		if err := c.removeObject(ctx, layout.Meta{}, key); err != nil {
			return removed, fmt.Errorf("remove %s: %w", key, err)
		}
	}
	return removed, nil
}

// removeBelow removes the objects below a prefix whose keys are chosen, several at a time.
func (c *Collector) removeBelow(ctx context.Context, prefix string, chosen func(key string) bool) (removed int, err error) {
	var gone atomic.Int64
	g, ctx := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	err = c.bucket.List(ctx, prefix, func(key string, meta layout.Meta) error {
		if !chosen(key) {
			return nil
		}
		g.Go(func() error {
			err := c.removeObject(ctx, meta, key)
			if err == nil {
				gone.Add(1)
			}
			return err
		})
		return ctx.Err()
	})
	err = errors.Join(g.Wait(), err)
	return int(gone.Load()), err
}

// removeObject removes an object, if it is there, at the version that was listed, or else at that which it has.
func (c *Collector) removeObject(ctx context.Context, listed layout.Meta, key string) error {
	v := listed.Version
	if v == "" {
		var err error
		if v, err = tree.VersionOf(ctx, c.bucket, key); err != nil || v == "" {
			return err
		}
	}
	return c.bucket.Delete(ctx, key, v)
}
