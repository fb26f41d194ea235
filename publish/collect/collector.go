// Package collect removes what clients need no more from a published bucket: superseded indexes, old manifests, files of
// withdrawn packages, and files that no row names (publish/PROTOCOL.md, "Collection"). [Collector.Sweep] works in two passes, at least
// an hour apart: the first leaves a tombstone, the second removes the object if it is still garbage. What it removes it
// first copies into quarantine, from where a publish that needs the same bytes at that moment gets them back.
package collect

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"time"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Bucket is a bucket from which objects can be removed.
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

// A Catalog has the rows of packages and their withdrawals. Its methods may be called concurrently.
type Catalog interface {
	Records
	Removals
}

// Records are the rows and revisions from which a sweep decides what is garbage.
type Records interface {
	// Settings returns the settings of a repository, or [catalogdb.ErrNotFound].
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)

	// Find returns the row, in any state, that holds the identity of k, or [catalogdb.ErrNotFound].
	Find(ctx context.Context, k catalog.Package) (catalog.Package, error)

	// KnowsRevision and KnowsSettingsRevision report whether this catalog issued a revision of a release, or of the settings
	// of a repository, or imported what was published under it.
	KnowsRevision(ctx context.Context, r catalog.Release, revision catalog.Revision) (bool, error)
	KnowsSettingsRevision(ctx context.Context, r catalog.Repository, revision catalog.Revision) (bool, error)

	// Embargoes returns the random names of the files of packages under embargo.
	Embargoes(ctx context.Context) (map[string]bool, error)
}

// Removals are the withdrawn packages whose files have to be removed.
type Removals interface {
	// DueForRemoval returns up to limit rows that were withdrawn before a time and whose files were not removed.
	DueForRemoval(ctx context.Context, yankedBefore time.Time, limit int) ([]catalog.Package, error)

	// DueNow returns up to limit rows that were withdrawn for immediate removal, or whose removal has begun, and whose withdrawal is published.
	DueNow(ctx context.Context, limit int) ([]catalog.Package, error)

	// Removing records that the files of a withdrawn row are about to be removed, so that the withdrawal cannot be
	// taken back. Without such a row the error is [catalogdb.ErrNotFound], and the files must stay.
	Removing(ctx context.Context, k catalog.Package) error

	// Removed records that the files of a withdrawn row were removed.
	Removed(ctx context.Context, k catalog.Package) error
}

// An Identifier has the rules of identity of each package format. Its methods may be called concurrently.
type Identifier interface {
	// Identity returns the columns that follow from a package's name, version and architecture: its
	// canonical version and sort key.
	Identity(f catalog.Format, name, version, arch string) (catalog.Package, error)
}

// DefaultRetention is how long superseded indexes and withdrawn files stay; MinRetention is the least that lets
// a client finish a download that it began.
const (
	DefaultRetention = 7 * 24 * time.Hour
	MinRetention     = 24 * time.Hour
)

// DefaultMaxMarked bounds the list of what a sweep marks in a repository, to some 5 MB. Further objects wait for the next sweep, which may follow
// after MinWait: a repository loses half a million objects a day.
const DefaultMaxMarked = 20_000

// slack is added to the retention period. It is longer than the time between a manifest and its swap.
const slack = time.Hour

// A Config configures a collector. Retention and MaxMarked may be 0; every other field is required.
type Config struct {
	Bucket    Bucket
	Catalog   Catalog
	Rows      Identifier
	Retention time.Duration // at least MinRetention; 0 for DefaultRetention
	MaxMarked int           // objects of a repository that a sweep marks; 0 for DefaultMaxMarked
	Log       *slog.Logger
}

// A Collector removes garbage. It keeps every object that a pointer named in the last retention period, and every
// package file that a row names. Time is the store's.
//
// Its methods may be called concurrently, and by several processes. They may be interrupted at any point: the next
// call continues. They do not retry.
type Collector struct {
	bucket    Bucket
	catalog   Catalog
	rows      Identifier
	retention time.Duration
	maxMarked int
	log       *slog.Logger
	manifests manifests
}

// New returns a collector. A retention period under MinRetention is an error.
func New(c Config) (*Collector, error) {
	if c.Retention == 0 {
		c.Retention = DefaultRetention
	}
	if c.Retention < MinRetention {
		return nil, fmt.Errorf("retention is %s; clients may need what was superseded for %s: set --retention to that or more", c.Retention, MinRetention)
	}
	return &Collector{bucket: c.Bucket, catalog: c.Catalog, rows: c.Rows, retention: c.Retention, maxMarked: cmp.Or(c.MaxMarked, DefaultMaxMarked), log: c.Log, manifests: manifests{limit: DefaultRemembered}}, nil
}

// clock returns the store's time, from a read.
func (c *Collector) clock(ctx context.Context) (time.Time, error) {
	meta, err := c.bucket.Stat(ctx, layout.FormatKey)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return meta.Now, err
}
