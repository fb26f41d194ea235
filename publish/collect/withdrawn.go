package collect

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

const (
	// dueBatch is the number of rows of one query for withdrawn packages.
	dueBatch = 1000
	// maxFaults is how many packages of one distribution may fail before the others of it have to wait.
	maxFaults = 10
)

// RemoveYanked removes the files of withdrawn packages that no pointer of the last retention period names, and
// returns the number of packages. An error in one package does not stop the others, up to maxFaults errors in one
// distribution; the errors are joined.
func (c *Collector) RemoveYanked(ctx context.Context) (removed int, err error) {
	now, err := c.clock(ctx)
	if err != nil {
		return 0, err
	}
	seen := pastLists{}
	for {
		due, err := c.catalog.DueForRemoval(ctx, now.Add(-c.retention), dueBatch)
		if err != nil {
			return removed, err
		}
		n, err := c.removeDue(ctx, due, now, seen)
		removed += n
		if err != nil || len(due) < dueBatch || n == 0 {
			return removed, err
		}
	}
}

func (c *Collector) removeDue(ctx context.Context, due []catalog.Package, now time.Time, seen pastLists) (removed int, err error) {
	var unread faults
	var out []catalog.Package
	for _, k := range due {
		if unread.full(k) || ctx.Err() != nil {
			continue
		}
		if ok, err := c.unreferenced(ctx, k, now, seen); err != nil {
			unread.add(k, err)
		} else if ok {
			out = append(out, k)
		}
	}
	removed, err = c.removeEach(ctx, out)
	return removed, errors.Join(unread.join(), err, ctx.Err())
}

// RemoveUrgent removes the files of packages that were withdrawn for immediate removal, and whose command was interrupted
// before it removed them, and ends removals that a crash or a fault has interrupted.
func (c *Collector) RemoveUrgent(ctx context.Context) error {
	due, err := c.catalog.DueNow(ctx, dueBatch)
	if err != nil {
		return err
	}
	_, err = c.removeEach(ctx, due)
	return err
}

// removeEach removes the files of packages, several at a time, and returns how many packages had any.
func (c *Collector) removeEach(ctx context.Context, packages []catalog.Package) (removed int, err error) {
	var gone atomic.Int64
	var failed faults
	var g errgroup.Group
	g.SetLimit(maxRequests)
	for _, k := range packages {
		if failed.full(k) || ctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			keys, err := c.removeFiles(ctx, k)
			gone.Add(int64(min(len(keys), 1)))
			if err != nil {
				failed.add(k, err)
			}
			return nil
		})
	}
	g.Wait() //nolint:errcheck // they are joined
	return int(gone.Load()), failed.join()
}

// faults are the errors of some packages. Its methods may be called concurrently.
type faults struct {
	mu    sync.Mutex
	all   []error
	count map[place]int
}

// A place is a distribution of a repository.
type place struct {
	catalog.Repository
	catalog.Distribution
}

func (f *faults) add(k catalog.Package, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.count == nil {
		f.count = map[place]int{}
	}
	f.count[place{k.Repository, k.Distribution}]++
	f.all = append(f.all, fmt.Errorf("remove %s: %w", k.Key, err))
}

// full reports whether so many packages of k's distribution have failed that the others of it have to wait.
func (f *faults) full(k catalog.Package) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.count[place{k.Repository, k.Distribution}] >= maxFaults
}

func (f *faults) join() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return errors.Join(f.all...)
}

// RemoveNow removes the files of withdrawn packages at once, and returns their keys, also of files that were already
// gone: a CDN may have copies of them. Clients that have read an earlier index get 404. A package that is not
// withdrawn is an error. After an error the keys are those of the packages before.
func (c *Collector) RemoveNow(ctx context.Context, packages []catalog.Package) (keys []string, err error) {
	for _, k := range packages {
		if k.State != catalog.Yanked {
			return keys, fmt.Errorf("remove %s: %s %s %s is not withdrawn; yank it first", k.Key, k.Name, k.Version, k.Arch)
		}
		removed, err := c.removeFiles(ctx, k)
		if err != nil {
			return keys, fmt.Errorf("remove %s: %w", k.Key, err)
		}
		keys = append(keys, removed...)
	}
	return keys, nil
}

// removeFiles removes all files of a withdrawn package, records it, and returns their keys. If the withdrawal was
// taken back since k was read, it removes nothing and returns no keys.
func (c *Collector) removeFiles(ctx context.Context, k catalog.Package) (keys []string, err error) {
	ds, err := c.distribution(ctx, k)
	if err != nil {
		return nil, err
	}
	keys = []string{k.Key}
	if k.Format == catalog.RPM {
		for _, dir := range layout.RPMDirs(k, ds.Architectures) {
			keys = append(keys, layout.RPMKey(k, dir))
		}
	}
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if k.Embargo != "" { // before the others: who copies it at this moment ends then
		keys = slices.Insert(keys, 0, layout.EmbargoKey(k.Embargo))
	}
	if err := c.catalog.Removing(ctx, k); errors.Is(err, catalogdb.ErrNotFound) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	for _, key := range keys {
		v, err := tree.VersionOf(ctx, c.bucket, key)
		if err == nil && v != "" {
			err = c.bucket.Delete(ctx, key, v)
		}
		if err != nil {
			return nil, err
		}
	}
	// A crash here leaves the package due for removal.
	if err := c.catalog.Removed(ctx, k); err != nil {
		return nil, err
	}
	c.log.Info("removed withdrawn package", "key", k.Key, "sha256", k.File.SHA256)
	return keys, nil
}

// distribution returns the settings of a package's distribution; none if the catalog has none.
func (c *Collector) distribution(ctx context.Context, k catalog.Package) (catalog.DistributionSettings, error) {
	s, err := c.catalog.Settings(ctx, k.Repository)
	if errors.Is(err, catalogdb.ErrNotFound) {
		err = nil
	}
	ds, _ := s.Find(k.Distribution)
	return ds, err
}

// releasesOf returns the releases in settings ds that show a package.
func releasesOf(k catalog.Package, ds catalog.DistributionSettings) []catalog.Release {
	r := catalog.Release{Repository: k.Repository, Distribution: k.Distribution}
	if k.Format == catalog.DEB {
		return []catalog.Release{r}
	}
	var all []catalog.Release
	for _, r.Arch = range layout.RPMDirs(k, ds.Architectures) {
		all = append(all, r)
	}
	return all
}
