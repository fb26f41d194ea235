package collect

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A CollectorBucket is a bucket from which objects can be removed.
type Bucket interface {
	tree.Reader
	tree.Lister

	// Copy copies an object inside the store, without reading it; an existing target is [fs.ErrExist].
	Copy(ctx context.Context, from string, o layout.Object) error

	// Swap replaces version old of o's key, or creates it if old is empty, and returns the new
	// version. At any other version it stores nothing and returns [layout.ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)

	// Delete removes version v of key. If it is already gone, that is success; if another version is
	// there, the error is [layout.ErrConflict].
	Delete(ctx context.Context, key string, v layout.Version) error
}

// A CollectorCatalog says which package files belong to somebody, and which do not any more.
type Catalog interface {
	Records
	Removals
}

// Possessions are what a catalog knows about.
type Records interface {
	// Settings returns what a repository was declared with, or [catalogdb.ErrNotFound].
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// Find returns the row, in any state, that holds the identity of k, or [catalogdb.ErrNotFound].
	Find(ctx context.Context, k catalog.Package) (catalog.Package, error)

	// Drew and DrewSettings report whether this catalog ever drew a pair for a release, or for the settings
	// of a repository.
	Drew(ctx context.Context, r catalog.Release, pair catalog.Revision) (bool, error)
	DrewSettings(ctx context.Context, r catalog.Repository, pair catalog.Revision) (bool, error)
}

// Withdrawals are the packages whose files are to go.
type Removals interface {
	// DueForRemoval returns up to limit rows that were withdrawn before a time and whose files are there.
	DueForRemoval(ctx context.Context, yankedBefore time.Time, limit int) ([]catalog.Package, error)

	// DueNow returns up to limit rows that were withdrawn, whose files are to go at once, and which clients do not see.
	DueNow(ctx context.Context, limit int) ([]catalog.Package, error)

	// Removing records that the files of a withdrawn row are about to go, so that the withdrawal cannot be
	// taken back. If there is no such row, the files stay: the error is [catalogdb.ErrNotFound].
	Removing(ctx context.Context, k catalog.Package) error

	// Removed records that they are gone.
	Removed(ctx context.Context, k catalog.Package) error
}

// An Identifier knows the rules by which packages of a format are the same. Its methods may be called concurrently.
type Identifier interface {
	// Identity returns the columns that follow from a package's name, version and architecture: its
	// canonical version and sort key.
	Identity(f catalog.Format, name, version, arch string) (catalog.Package, error)
}

// DefaultRetention is how long what was superseded or withdrawn stays; MinRetention is the least that lets
// a client end what it began.
const (
	DefaultRetention = 7 * 24 * time.Hour
	MinRetention     = 24 * time.Hour
)

// slack is added to the retention period. It is longer than the time between a manifest and its swap.
const slack = time.Hour

// A CollectorConfig is what a collector works with.
type Config struct {
	Bucket    Bucket
	Catalog   Catalog
	Rows      Identifier
	Retention time.Duration // 0: DefaultRetention
	Log       *slog.Logger
}

// A Collector removes what nobody needs any more (publish/PROTOCOL.md, "Collection"). Whatever a pointer named in
// the last retention period stays, and so does every package file that a row names. Time is the store's.
//
// Its methods may be called concurrently, and by several processes. A crash in the middle of any is harmless.
type Collector struct {
	bucket    Bucket
	catalog   Catalog
	rows      Identifier
	retention time.Duration
	log       *slog.Logger
}

// NewCollector returns a collector.
func New(c Config) (*Collector, error) {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.Retention < MinRetention {
		return nil, fmt.Errorf("retention is %s; clients may need what was superseded for %s: set --retention to that or more", c.Retention, MinRetention)
	}
	return &Collector{bucket: c.Bucket, catalog: c.Catalog, rows: c.Rows, retention: c.Retention, log: c.Log}, nil
}

// clock returns the store's time.
func (c *Collector) clock(ctx context.Context) (time.Time, error) {
	meta, err := c.bucket.Stat(ctx, tombstonesKey)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return meta.Now, err
}

const (
	// dueBatch is how many withdrawn packages are asked for at a time.
	dueBatch = 1000
	// maxFaults is how many packages of one distribution may fail before the others of it have to wait.
	maxFaults = 10
)

// RemoveYanked removes the files of packages that were withdrawn, and that no pointer of the last
// retention period names. It returns how many packages that were. One that cannot be removed does not keep
// others from it, unless there are many of its distribution.
func (c *Collector) RemoveYanked(ctx context.Context) (removed int, err error) {
	now, err := c.clock(ctx)
	if err != nil {
		return 0, err
	}
	seen := pasts{}
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

func (c *Collector) removeDue(ctx context.Context, due []catalog.Package, now time.Time, seen pasts) (removed int, err error) {
	type place struct {
		catalog.Repository
		catalog.Distribution
	}
	faults, count := []error{}, map[place]int{}
	for _, k := range due {
		at := place{k.Repository, k.Distribution}
		if count[at] == maxFaults || ctx.Err() != nil {
			continue
		}
		out, err := c.isOut(ctx, k, now, seen)
		if err == nil && out {
			var keys []string
			keys, err = c.removeFiles(ctx, k)
			removed += min(len(keys), 1)
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("remove %s: %w", k.Key, err))
			count[at]++
		}
	}
	return removed, errors.Join(append(faults, ctx.Err())...)
}

// RemoveUrgent removes the files of the packages that were withdrawn to go at once, where the command that did it has not.
func (c *Collector) RemoveUrgent(ctx context.Context) error {
	due, err := c.catalog.DueNow(ctx, dueBatch)
	if err != nil {
		return err
	}
	var faults []error
	for _, k := range due {
		if _, err := c.removeFiles(ctx, k); err != nil {
			faults = append(faults, fmt.Errorf("remove %s: %w", k.Key, err))
		}
		if len(faults) == maxFaults || ctx.Err() != nil {
			break
		}
	}
	return errors.Join(faults...)
}

// RemoveNow removes the files of withdrawn packages at once, and returns their keys, those included that
// were gone already: copies of them may lie in a CDN. Clients that read the index before the withdrawal
// find them missing.
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

// removeFiles removes all files of a withdrawn package and records it. Somebody may have taken the
// withdrawal back a moment ago: then it removes nothing.
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
	// A crash before this leaves the package due for removal.
	if err := c.catalog.Removed(ctx, k); err != nil {
		return nil, err
	}
	c.log.Info("removed a withdrawn package", "key", k.Key, "sha256", k.File.SHA256)
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
