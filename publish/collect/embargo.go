package collect

import (
	"context"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/layout"
)

// embargoAge is the age from which on a file under embargo that no row names is removed. Its row is committed before the file is
// visible.
const embargoAge = time.Hour

// sweepEmbargoes removes files under embargo that no row names, and returns how many: those of trains that were published or dropped
// by a process that ended before it removed them, or of a catalog that was lost. What was pushed is in staging until its train is
// published.
func (c *Collector) sweepEmbargoes(ctx context.Context) (removed int, err error) {
	now, err := c.clock(ctx)
	if err != nil {
		return 0, err
	}
	found := map[string]layout.Version{}
	err = c.bucket.List(ctx, layout.EmbargoPrefix, func(key string, meta layout.Meta) error {
		if _, ok := layout.EmbargoOf(key); ok && now.Sub(meta.Modified) > embargoAge {
			found[key] = meta.Version
		}
		return nil
	})
	if err != nil || len(found) == 0 {
		return 0, err
	}
	names, err := c.catalog.Embargoes(ctx) // after the list: a row is older than its file
	if err != nil {
		return 0, err
	}
	for key, version := range found {
		if embargo, _ := layout.EmbargoOf(key); names[embargo] {
			continue
		}
		if version == "" { // this store does not list it
			if version, err = tree.VersionOf(ctx, c.bucket, key); err != nil {
				return removed, err
			}
		}
		if version == "" {
			continue
		}
		if err := c.bucket.Delete(ctx, key, version); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}
