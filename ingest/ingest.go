// Package ingest turns one staged object into a package: its bytes in the bucket and its row, claimed, in the
// catalog; or into a rejection that explains why not. It reads the object once, as a stream.
//
// In reading order:
//
//	ingest.go       Ingester, Store: the steps of an upload
//	pusher.go       who pushed what is not claimed
//	source.go       the readers of both formats, behind one interface
//	examine.go      what can be decided without a catalog
//	installable.go  whether clients of a distribution can install a package
//	authorize.go    whether the repository accepts it, and the admission cache
//	keyring.go      the name of a repository's keyring package
//	signed.go       whether it is signed by a registered key
//	store.go        the bytes
//	together.go     questions that uploads of a batch have for the catalog at the same time
//	claim.go        the row, committed within the last read of the bytes
//	conflict.go     two packages of one identity
//	variant.go      one after the other, in a mutable repository
//
// Package input has what the readers of packages share, deb and rpm are the readers, and pgp verifies their
// signatures.
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

// A Staging is the store of uploads that were pushed and not processed yet.
type Staging interface {
	// Open returns the bytes of exactly this generation and who pushed it, with a rejection too if that is known. If the generation does not exist any
	// more, the error is [catalog.ErrGone]: from Open or, for an object that is replaced while it is read, from the
	// last Read. Bytes that are those of an object of the bucket may have a method Key() string that returns its key:
	// once they are read and judged, the bucket copies that object, and they are not sent to it again.
	Open(ctx context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error)
}

// A Bucket is the store of packages. Methods may be called concurrently. A write is durable when it returns nil; an
// error other than fs.ErrExist leaves its result unknown.
type Bucket interface {
	// Create stores body as object o. The object becomes visible only after body has ended with io.EOF; if a Read
	// returns any other error, nothing becomes visible. For an existing key it returns fs.ErrExist, with or without
	// having read body.
	Create(ctx context.Context, o layout.Object, body io.Reader) error

	// Copy makes o a copy of the object under key from, or returns fs.ErrExist.
	Copy(ctx context.Context, from string, o layout.Object) error

	// Get returns the bytes under key, or fs.ErrNotExist.
	Get(ctx context.Context, key string) (io.ReadCloser, layout.Meta, error)
}

// A Catalog has the methods of catalogdb.DB that an Ingester needs.
type Catalog interface {
	Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error)
	Repositories(ctx context.Context) ([]catalog.Settings, error)
	Declare(ctx context.Context, d catalogdb.Declaration, now time.Time) (created []string, err error)
	Find(ctx context.Context, identity catalog.Package) (catalog.Package, error)
	FindAll(ctx context.Context, identities []catalog.Package) (found map[int]catalog.Package, err error)
	Claim(ctx context.Context, k catalog.Package, by catalog.Upload) (holder catalog.Package, claimed bool, err error)
	ClaimNew(ctx context.Context, claims []catalogdb.NewClaim) (claimed []bool, err error)
	Blocked(ctx context.Context, k catalog.Package) (holder catalog.Package, blocked bool, err error)
	ClaimLeased(ctx context.Context, k catalog.Package, now time.Time) (bool, error)
	HeldFor(ctx context.Context, k catalog.Package) (train catalog.TrainName, held bool, err error)
	CanUnyank(ctx context.Context, k catalog.Package, by catalog.Upload) (back bool, err error)
	RefuseOther(ctx context.Context, u catalog.Upload, k catalog.Package) (*catalog.Rejection, error)
	RecordPusher(ctx context.Context, u catalog.Upload, by catalog.Pusher) error
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
	settings   settingsCache
}

// DefaultMaxSize is the default of [Ingester.MaxSize]: 8 GiB, in bytes.
const DefaultMaxSize = 8 << 30

// A Stored package has its bytes in the bucket and its row in the catalog, claimed or active. Clients cannot see it
// yet.
type Stored struct {
	Package catalog.Package // without fragments
	Dirs    []string        // RPM: the directories that have the file
	Checked catalog.Checked // how far the payload was verified
}

// Store reads an upload, claims its identity and stores its bytes. The error is a *[catalog.Rejection], which is
// final, or a fault: after a fault the caller calls Store again, which continues from what is stored.
func (g *Ingester) Store(ctx context.Context, u catalog.Upload) (Stored, error) {
	return g.Together(1, 1).Store(ctx, u)
}

// Store is [Ingester.Store] of an upload of the batch.
func (t *Together) Store(ctx context.Context, u catalog.Upload) (Stored, error) {
	g := t.Ingester
	at, distro, rej := g.place(u)
	if rej != nil {
		return Stored{}, g.recordUnread(ctx, u, rej)
	}
	as := request{at: at, distro: distro, with: t}
	k, checked, err := g.open(ctx, u, as)
	for again := true; again; {
		_, unclear := errors.AsType[*deb.Unclear](err)
		named, isNamed := errors.AsType[*errNamed](err)
		switch {
		case unclear && !as.verify: // read again, so that the verdict is that of push and dpkg
			as.verify = true
		case isNamed && as.variant == "":
			as.variant = layout.VariantOf(named.file.SHA256)
		default:
			again = false
			continue
		}
		k, checked, err = g.open(ctx, u, as)
	}
	if err != nil {
		return Stored{}, replaced(u, err)
	}
	if k.Embargo != "" { // its directories get it when its train is published
		return Stored{Package: k, Checked: checked}, nil
	}
	dirs, err := g.copyToArchDirs(ctx, k, g.recentSettings)
	return Stored{Package: k, Dirs: dirs, Checked: checked}, err
}

// place returns where an upload is to go.
func (g *Ingester) place(u catalog.Upload) (layout.Staged, layout.Distro, *catalog.Rejection) {
	at, rej := layout.ParseStaging(u.Object)
	if rej != nil {
		return at, layout.Distro{}, rej
	}
	distro, rej := g.Table.Lookup(at.Distribution)
	if rej == nil {
		rej = checkPlace(at, distro)
	}
	return at, distro, rej
}

// open reads an upload from its start.
func (g *Ingester) open(ctx context.Context, u catalog.Upload, as request) (k catalog.Package, checked catalog.Checked, err error) {
	body, by, err := g.Staging.Open(ctx, u)
	if err != nil {
		return catalog.Package{}, "", g.recordPusher(ctx, u, by, err)
	}
	defer body.Close()
	returned := false
	defer func() { // after a panic, too
		if _, again := errors.AsType[*errNamed](err); again {
			return
		}
		if err != nil || !returned || k.State == catalog.Active || k.Replaced() { // else the claim has it
			err = g.recordPusher(ctx, u, by, err)
		}
	}()
	as.by = by
	if published, ok := body.(interface{ Key() string }); ok {
		as.copyOf = published.Key()
	}
	k, checked, err = g.read(ctx, u, as, &limitedReader{body, g.MaxSize, ctx.Err})
	returned = true
	return k, checked, err
}

// A request is what is known of an upload before it is read.
type request struct {
	at     layout.Staged
	distro layout.Distro
	by     catalog.Pusher
	with   *Together
	verify bool   // unpack the payload even if the repository does not require it
	copyOf string // key of the object of the bucket that has the bytes; empty if none has

	variant string // in a mutable repository, once the upload was read whole
}

// checkName rejects files whose name says that they are not binary packages. It does not use other names.
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

// replaced turns [catalog.ErrGone] into a rejection. The object that replaced u is an upload of its own.
func replaced(u catalog.Upload, err error) error {
	if errors.Is(err, catalog.ErrGone) {
		return input.Reject(catalog.Replaced, "%s was replaced or removed before it was read; a newer file under the name gets its own answer", layout.ShownStaging(u.Object))
	}
	return err
}

// readers hold buffers between two uploads.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, 64<<10) }}

// read reads the package as far as its identity, checks that the repository accepts it, and stores it.
func (g *Ingester) read(ctx context.Context, u catalog.Upload, as request, body io.Reader) (catalog.Package, catalog.Checked, error) {
	r := readers.Get().(*bufio.Reader)
	r.Reset(body)
	k, checked, err := g.readFrom(ctx, u, as, r)
	if err == nil { // after an error a store may still read it
		r.Reset(nil)
		readers.Put(r)
	}
	return k, checked, err
}

func (g *Ingester) readFrom(ctx context.Context, u catalog.Upload, as request, r *bufio.Reader) (catalog.Package, catalog.Checked, error) {
	k, pkg, err := identify(as.at, as.distro, r)
	if err != nil {
		return k, "", err
	}
	k.Pusher = as.by
	adm, err := g.authorize(ctx, k, as.distro, as.at.Embargo)
	if err != nil {
		return k, "", err
	}
	own, err := g.keyringOf(ctx, k)
	if err == nil && own == nil { // the keyring package is not signed: the .repo file names its keys
		err = requireSigned(pkg, adm.signers, as.distro, g.Now())
	}
	if err != nil {
		return k, "", err
	}
	checked, done := startVerification(pkg, adm.verify)
	defer done()
	if as.verify && verifyClosely(pkg) {
		checked = catalog.CheckedWhole
	}
	var stored catalog.Package
	if k.Variant = as.variant; adm.mutable && k.Variant == "" {
		stored, err = g.nameVariant(ctx, u, k, pkg)
	} else {
		stored, err = as.with.store(ctx, u, k, pkg, adm.needed, as.copyOf)
	}
	if own != nil {
		err = explainReserved(k, err)
	}
	return stored, checked, err
}

// checkFormat rejects a package of the other format, so that it is not reported as a broken one.
func checkFormat(r *bufio.Reader, distro layout.Distro) *catalog.Rejection {
	magic, _ := r.Peek(8) // a fault is returned again when the package is read
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

// declareNeeded declares what the repository needs for package k with file f, and logs what it created. It declares
// nothing for a package whose identity another component has.
func (g *Ingester) declareNeeded(ctx context.Context, u catalog.Upload, k catalog.Package, f catalog.File, needed *catalogdb.Declaration) error {
	if needed == nil {
		return nil
	}
	k.File = f
	owner, blocked, err := g.Catalog.Blocked(ctx, k)
	if blocked {
		_, err = g.checkConflict(ctx, u, k, owner, f)
	}
	if err != nil {
		return err
	}
	by := catalog.Actor{User: k.Pusher.User, Job: k.Pusher.Job}
	created, err := g.Catalog.Declare(catalog.WithActor(ctx, by), *needed, g.Now())
	g.settings.forget(needed.Repository)
	if len(created) > 0 {
		g.Log.Info("created", "repository", needed.Repository.String(), "distribution", needed.Distro.Distribution.String(), "new", strings.Join(created, ", "), "upload", u.String())
	}
	return err
}

// CopyToArchDirs copies an RPM package that belongs into several directories (noarch, 32-bit x86) inside the bucket,
// from the one where it was stored to the others. It returns the directories that have the package; none for DEB. It
// may be called again after a fault.
func (g *Ingester) CopyToArchDirs(ctx context.Context, k catalog.Package) (dirs []string, err error) {
	return g.copyToArchDirs(ctx, k, g.settingsNow)
}

// A readSettings reads the settings of the repository of a package.
type readSettings func(context.Context, catalog.Package) (catalog.Settings, error)

func (g *Ingester) copyToArchDirs(ctx context.Context, k catalog.Package, settings readSettings) (dirs []string, err error) {
	if k.Format == catalog.DEB {
		return nil, nil
	}
	if dirs, err = archDirs(ctx, k, settings); err != nil {
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
			if k.State != catalog.Active { // a copy of an earlier attempt, or an unknown object
				err = g.verifyStored(ctx, key, k.File)
			}
		}
		if err != nil {
			return nil, err
		}
	}
	return dirs, nil
}

// archDirs returns the directories of an RPM package: for one that belongs into several, those of the repository's
// architectures.
func archDirs(ctx context.Context, k catalog.Package, settings readSettings) ([]string, error) {
	if k.Arch != layout.Noarch && !k.Multilib {
		return layout.RPMDirs(k, nil), nil
	}
	s, err := settings(ctx, k)
	if err != nil {
		return nil, err
	}
	ds, _ := s.Find(k.Distribution)
	return layout.RPMDirs(k, ds.Architectures), nil
}
