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

// RemoveRepository removes all objects of a repository that is deleted, but for its settings, pointers first: a client never sees a
// pointer whose files are gone. It returns how many it has removed. A repeat goes on where an earlier call has ended. In a bucket of a later
// format it removes nothing and returns a [*tree.NewerFormat]. The caller makes sure that no process publishes the repository, and has
// ctx end before another process may create it again.
func (c *Collector) RemoveRepository(ctx context.Context, r catalog.Repository) (removed int, err error) {
	if _, err := tree.CheckFormat(ctx, c.bucket); err != nil {
		return 0, err
	}
	var all []string
	for _, prefix := range layout.RepositoryPrefixes(r) {
		all = append(all, prefix, quarantinePrefix+prefix)
	}
	for _, chosen := range []func(string) bool{layout.IsPointer, func(string) bool { return true }} {
		for _, prefix := range all {
			n, err := c.removeBelow(ctx, prefix, chosen)
			if removed += n; err != nil {
				return removed, fmt.Errorf("remove %s: %w", prefix, err)
			}
		}
	}
	return removed, c.removeObject(ctx, layout.Meta{}, tombstonesKey(r))
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
