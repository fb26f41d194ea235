// Package ingest turns one staged object into a package: its bytes in the bucket and its row claimed
// in the catalog, or a rejection that says why not. It reads the object once, as a stream.
package ingest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"path"
	"strings"
	"sync"
	"time"

	"repomill/ingest/deb"
	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Staging is where uploads are read.
type Staging interface {
	// Open returns the bytes of exactly this generation and who pushed it. If the generation is not there
	// any more, the error is [catalog.ErrGone], from Open or, for an object that is replaced while it is
	// read, from the last Read.
	Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error)
}

// A Bucket is where packages are stored. Methods may be called concurrently; a write is durable when
// it returns nil, and an error other than fs.ErrExist leaves its result unknown.
type Bucket interface {
	// Create stores body as object o, visible only once body has ended with io.EOF: if a Read returns
	// anything else, nothing becomes visible. For an existing key it returns fs.ErrExist, with or
	// without having read body.
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Copy makes o a copy of the object under key from, or returns fs.ErrExist.
	Copy(ctx context.Context, from string, o layout.Object) error

	// Get returns the bytes under key, or fs.ErrNotExist.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
}

// A Catalog is what ingest asks and tells the catalog.
type Catalog interface {
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)
	Repositories(ctx context.Context) ([]catalog.Settings, error)
	Declare(ctx context.Context, d catalogdb.Declaration, now time.Time) (created []string, err error)
	Find(ctx context.Context, identity catalog.Package) (catalog.Package, error)
	Claim(ctx context.Context, k catalog.Package, by catalog.Upload) (holder catalog.Package, claimed bool, err error)
	Blocked(ctx context.Context, k catalog.Package) (holder catalog.Package, blocked bool, err error)
	ClaimLeased(ctx context.Context, k catalog.Package, now time.Time) (bool, error)
	CanUnyank(ctx context.Context, k catalog.Package, by catalog.Upload) (back bool, err error)
}

// An Ingester stores uploads. Its methods may be called concurrently.
type Ingester struct {
	Staging Staging
	Bucket  Bucket
	Catalog Catalog
	Table   *layout.Table
	Create  bool  // create repositories, components and architectures that are not declared
	MaxSize int64 // of a package, in bytes
	Now     func() time.Time
	Log     *slog.Logger

	admissions admissionCache
}

// DefaultMaxSize is the largest package, in bytes, unless configured otherwise.
const DefaultMaxSize = 8 << 30

// A Stored package has its bytes in the bucket and its row in the catalog, claimed or active. Clients cannot see it yet.
type Stored struct {
	Package catalog.Package // without fragments
	Dirs    []string        // RPM: the directories that have the file
	Checked catalog.Checked // what was looked at of the payload
}

// Store reads an upload, claims its identity and stores its bytes. The error is a *[catalog.Rejection]
// or a fault; after a fault the same call goes on where it stopped.
func (g *Ingester) Store(ctx context.Context, u catalog.Upload) (Stored, error) {
	at, rej := layout.ParseStaging(u.Object)
	if rej != nil {
		return Stored{}, rej
	}
	distro, rej := g.Table.Lookup(at.Distribution)
	if rej != nil {
		return Stored{}, rej
	}
	if rej := checkPlace(at, distro); rej != nil {
		return Stored{}, rej
	}
	k, checked, err := g.open(ctx, u, at, distro, false)
	if _, unclear := errors.AsType[*deb.Unclear](err); unclear { // what push and dpkg know, the worker is to know, too
		k, checked, err = g.open(ctx, u, at, distro, true)
	}
	if err != nil {
		return Stored{}, staged(u, err)
	}
	dirs, err := g.CopyToArchDirs(ctx, k)
	return Stored{Package: k, Dirs: dirs, Checked: checked}, err
}

// open reads an upload from its start, closely if a look was not enough.
func (g *Ingester) open(ctx context.Context, u catalog.Upload, at layout.Staged, distro layout.Distro, closely bool) (catalog.Package, catalog.Checked, error) {
	body, by, err := g.Staging.Open(ctx, u)
	if err != nil {
		return catalog.Package{}, "", err
	}
	defer body.Close()
	return g.read(ctx, u, reading{at, distro, by, closely}, &bounded{body, g.MaxSize, ctx.Err})
}

// A reading is what is known of an upload before it is read.
type reading struct {
	at      layout.Staged
	distro  layout.Distro
	by      catalog.Pusher
	closely bool // its payload is unpacked, whether the repository asks for that or not
}

// checkName refuses files whose name says that they are what a DEB repository does not have. Otherwise the name says
// nothing.
func checkName(file string, f catalog.Format) *catalog.Rejection {
	if f != catalog.DEB {
		return nil
	}
	switch ext := path.Ext(file); ext {
	case ".dsc", ".changes", ".buildinfo":
		return input.Reject(catalog.Unsupported, "%.100q belongs to a source package; source packages of Debian are not taken, only .deb files", file)
	case ".udeb":
		return input.Reject(catalog.Unsupported, "%.100q is a package of the Debian installer, not for installed systems; it cannot be published here", file)
	}
	return nil
}

// staged gives an object that is gone its verdict: what took its place is an upload of its own.
func staged(u catalog.Upload, err error) error {
	if errors.Is(err, catalog.ErrGone) {
		return input.Reject(catalog.Replaced, "%s was replaced or removed before it was read; a newer file under the name gets its own answer", layout.ShownStaging(u.Object))
	}
	return err
}

// readers hold buffered readers that have come to the end of a package and are not used any more.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// read peeks at the package, makes sure that the repository takes it, and stores it.
func (g *Ingester) read(ctx context.Context, u catalog.Upload, as reading, body io.Reader) (catalog.Package, catalog.Checked, error) {
	r := readers.Get().(*bufio.Reader)
	r.Reset(body)
	k, checked, err := g.readFrom(ctx, u, as, r)
	if err == nil { // otherwise a store may be reading still
		r.Reset(nil)
		readers.Put(r)
	}
	return k, checked, err
}

func (g *Ingester) readFrom(ctx context.Context, u catalog.Upload, as reading, r *bufio.Reader) (catalog.Package, catalog.Checked, error) {
	k, pkg, err := identify(as.at, as.distro, r)
	if err != nil {
		return k, "", err
	}
	k.Pusher = as.by
	adm, err := g.admit(ctx, k, as.distro)
	if err != nil {
		return k, "", err
	}
	own, err := g.reserved(ctx, k)
	if err == nil && own == nil { // clients take ours for signed: the .repo file names the key
		err = requireSigned(pkg, adm.signers, as.distro, g.Now())
	}
	if err != nil {
		return k, "", err
	}
	checked, done := check(pkg, adm.verify)
	defer done()
	if as.closely && lookCloser(pkg) {
		checked = catalog.CheckedWhole
	}
	stored, err := g.store(ctx, u, k, pkg, adm.missing)
	if own != nil {
		err = explainReserved(k, err)
	}
	return stored, checked, err
}

// checkFormat tells a package of the other format from a broken one.
func checkFormat(r *bufio.Reader, distro layout.Distro) *catalog.Rejection {
	magic, _ := r.Peek(8) // a fault comes again when the package is read
	found := catalog.Format("")
	switch {
	case bytes.HasPrefix(magic, []byte("!<arch>\n")):
		found = catalog.DEB
	case bytes.HasPrefix(magic, []byte("\xed\xab\xee\xdb")):
		found = catalog.RPM
	}
	if found == "" || found == distro.Format {
		return nil
	}
	return input.Reject(catalog.WrongFormat, "the package has the format %s, but %s takes %s; push it to a distribution of its own format",
		found, distro.Distribution, distro.Format)
}

// declare makes the repository take package k with file f, and says what it created. A package that another component
// keeps out creates nothing.
func (g *Ingester) declare(ctx context.Context, u catalog.Upload, k catalog.Package, f catalog.File, missing *catalogdb.Declaration) error {
	if missing == nil {
		return nil
	}
	k.File = f
	holder, blocked, err := g.Catalog.Blocked(ctx, k)
	if blocked {
		_, err = g.judge(ctx, u, k, holder, f)
	}
	if err != nil {
		return err
	}
	created, err := g.Catalog.Declare(ctx, *missing, g.Now())
	if len(created) > 0 {
		g.Log.Info("created", "repository", missing.Repository.String(), "distribution", missing.Distro.Distribution.String(), "new", strings.Join(created, ", "))
	}
	return err
}

// CopyToArchDirs copies an RPM package that belongs into several directories (noarch, 32-bit x86) from the one where it was
// stored to all others, inside the bucket. It returns the directories that have the package; none for DEB. It may be repeated.
func (g *Ingester) CopyToArchDirs(ctx context.Context, k catalog.Package) (dirs []string, err error) {
	if k.Format == catalog.DEB {
		return nil, nil
	}
	if dirs, err = g.dirs(ctx, k); err != nil {
		return nil, err
	}
	for _, dir := range dirs {
		key := layout.RPMKey(k, dir)
		if key == k.Key {
			continue
		}
		err := g.Bucket.Copy(ctx, k.Key, layout.ObjectOf(key))
		if errors.Is(err, fs.ErrExist) {
			err = nil
			if k.State != catalog.Active { // a copy by an earlier attempt, or a stranger
				err = g.verify(ctx, key, k.File)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// dirs returns the directories of an RPM package: for one that belongs to several, those that its repository has now.
func (g *Ingester) dirs(ctx context.Context, k catalog.Package) ([]string, error) {
	if k.Arch != layout.Noarch && !k.Multilib {
		return layout.RPMDirs(k, nil), nil
	}
	s, err := g.Catalog.Settings(ctx, k.Repository)
	if err != nil {
		return nil, err
	}
	ds, _ := s.Find(k.Distribution)
	return layout.RPMDirs(k, ds.Architectures), nil
}
