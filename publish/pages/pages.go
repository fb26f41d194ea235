// Package pages makes the static pages of repositories, for people and for programs, from the rows of the catalog: a step of its own
// after the pointer, which delays no package and may be repeated at any time. The same rows make the same bytes.
//
//	Make       a share of the work of a repository: versions, names, lists, front page, in this order (make.go)
//	versions   versions.go, files.go: the pages of versions, and of the files of packages
//	names      names.go: the pages of all versions of a package, and its row in the list of names, from its rows (rows.go)
//	lists      parts.go, top.go: the list of names, whose parts have content-defined borders
//	snapshots  snapshots.go: the pages of snapshots, and their list
//	front      front.go, status.go, root.go: what says something of the whole repository, or of all
//	objects    objects.go: each page is read before its rows, and is replaced only if it is still the one that was read
package pages

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"repomill/publish/keys"
	"repomill/publish/pages/html"
	"repomill/publish/pages/twin"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Bucket is the store of published releases. Its methods have the contracts of those of a published bucket.
type Bucket interface {
	tree.Reader
	tree.Lister

	// Create stores an object whose key is free; otherwise the error is [io/fs.ErrExist].
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Swap replaces version old of an object, or creates it if old is empty. At any other version the error is
	// [layout.ErrConflict].
	Swap(ctx context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error)

	// Delete removes version v of an object. That it is gone already is success; at any other version the error is
	// [layout.ErrConflict].
	Delete(ctx context.Context, key string, v layout.Version) error
}

// A Catalog has the rows of pages: those of which clients see a package, or saw one whose file is still there.
type Catalog interface {
	// PageVersions returns the versions of a package, the first upload first.
	PageVersions(ctx context.Context, r catalog.Repository, name string) ([]catalogdb.PageVersion, error)

	// PagePackages returns the packages of versions, by distribution, component and architecture; with fragments or without.
	PagePackages(ctx context.Context, r catalog.Repository, name string, versions []string, fragments bool) ([]catalogdb.PagePackage, error)

	// WantContents asks for the contents of DEB packages to be read, unless they are known or asked for already.
	WantContents(ctx context.Context, r catalog.Repository, packages []catalog.Package) error

	// WantContentsAgain asks for contents that were read, and whose lists of files are lost.
	WantContentsAgain(ctx context.Context, r catalog.Repository, packages []catalog.Package) error

	// PageFilelists returns the list of files of an RPM package.
	PageFilelists(ctx context.Context, p catalogdb.PagePackage) ([]byte, error)

	// PutPageName and DeletePageName keep the list of names.
	PutPageName(ctx context.Context, r catalog.Repository, n catalogdb.PageName) (changed bool, err error)
	DeletePageName(ctx context.Context, r catalog.Repository, name string) (gone bool, err error)

	// PageNames returns names of at least a level, in the order of their bytes, from from on and before to; an empty one bounds nothing.
	PageNames(ctx context.Context, r catalog.Repository, level int, from, to string, limit int) ([]catalogdb.PageName, error)

	// PageBorder returns the first name of the part of a level in which a name is or would be; empty for the first part.
	PageBorder(ctx context.Context, r catalog.Repository, level int, name string) (from string, err error)

	// PageBordersAround returns the first names of the parts before and after the part that begins with from; nil and empty if there
	// are none.
	PageBordersAround(ctx context.Context, r catalog.Repository, level int, from string) (previous *string, next string, err error)

	// PageFront returns what the front page says, with up to so many changes.
	PageFront(ctx context.Context, r catalog.Repository, changes int) (catalogdb.PageFront, error)

	// PageSnapshots returns some of the kept snapshots, in the order of their times, and how many there are: up to limit behind the first
	// offset ones.
	PageSnapshots(ctx context.Context, r catalog.Repository, offset, limit int) (some []catalogdb.PageSnapshot, total int, err error)

	// PublicRepositories returns all public repositories, in the order of their names.
	PublicRepositories(ctx context.Context) ([]catalogdb.PublicRepository, error)
}

// A Config configures a [Maker].
type Config struct {
	Bucket    Bucket
	Catalog   Catalog
	Keys      func(context.Context) (keys.Set, error) // of the instance
	Table     *layout.Table                           // of distributions; nil for the built-in one
	PublicURL string                                  // under which clients reach the keys of the bucket, without a slash at its end
	Now       func() time.Time                        // says when pointers were verified; nothing else on a page depends on it
	Log       *slog.Logger
}

// A Maker makes pages. Its methods may be called concurrently, also for one repository, and also by makers in other processes.
type Maker struct {
	Config
	html   *html.Renderer
	twin   *twin.Renderer
	limits limits
	assets atomic.Bool // they are in the bucket
}

// limits say how much is on a page.
type limits struct {
	list int // versions of a page of older ones; the page of the newest ones has up to twice as many less one
	bits int // of the digest of a name that are zero so that it begins a part of the next level of the list of names
	top  int // names, or parts, that the first page of the list has at most: a repository with no more names has no parts
	root int // repositories of the page of all; with more, it has their owners
}

// About 128 names, or parts, are in a part.
var defaultLimits = limits{list: 50, bits: 7, top: 500, root: 500}

// New returns a maker.
func New(c Config) *Maker {
	if c.Table == nil {
		c.Table = layout.DefaultTable()
	}
	return &Maker{Config: c, html: html.New(c.PublicURL), twin: twin.New(c.PublicURL), limits: defaultLimits}
}

// Counts are what a maker has done to objects.
type Counts struct {
	Written, Removed int
	Same             int // read, and left as they are
	Bytes            int64
}

// Add adds other counts.
func (c *Counts) Add(other Counts) {
	c.Written += other.Written
	c.Removed += other.Removed
	c.Same += other.Same
	c.Bytes += other.Bytes
}

// String says what was done.
func (c Counts) String() string {
	return fmt.Sprintf("%d written (%d bytes), %d removed, %d the same", c.Written, c.Bytes, c.Removed, c.Same)
}
