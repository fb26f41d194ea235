package ingest

import (
	"context"
	"errors"
	"io"
	"path"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// In a mutable repository the name of a file has a digest of it, so that other bytes of a version have another name. It has to be known
// before the first byte is written. So an upload is read twice: the first time ends with an errNamed, if there is anything to store.

// errNamed says that an upload was read whole, and has to be read again to be stored under a name.
type errNamed struct{ file catalog.File }

// Error implements error.
func (e *errNamed) Error() string { return "sha256 " + e.file.SHA256 + " is to be read again" }

// maxFileName is the longest name that file systems and the caches of clients take, in bytes.
const maxFileName = 255

// nameVariant reads a package to its end, and sets its variant. It returns the package that has these bytes already, if there is one and
// its file is there; a rejection if it cannot take the place of what is published; or else an *[errNamed].
func (g *Ingester) nameVariant(ctx context.Context, u catalog.Upload, k catalog.Package, pkg source) (catalog.Package, error) {
	d := newDigests(k.Format)
	err := guard(func() error {
		_, err := io.Copy(&d, pkg.Body())
		return err
	})
	if err != nil {
		return k, err
	}
	k.File = d.file()
	k.Variant = layout.VariantOf(k.File.SHA256)
	name := layout.DebFile(k)
	if k.Format == catalog.RPM {
		name = path.Base(layout.RPMName(k))
	}
	if n := len(name); n > maxFileName {
		return k, input.Reject(catalog.TooLarge, "the file name with its digest, which %s needs because it is mutable, would have %d bytes, and file systems take %d; shorten the name or the version", k.Repository, n, maxFileName)
	}
	owner, err := g.Catalog.Find(ctx, k)
	switch {
	case errors.Is(err, catalogdb.ErrNotFound), err == nil && owner.State == catalog.Claimed:
	case err != nil:
		return k, err
	case owner.State == catalog.Yanked && !owner.Replaced() && u.Promoted() && owner.File.SHA256 == u.Generation: // it comes back
	default:
		if stored, err := g.checkConflict(ctx, u, k, owner, k.File); err != nil || !owner.Replaced() {
			return stored, err
		}
	}
	if rej, err := g.Catalog.RefuseOther(ctx, u, k); err != nil {
		return k, err
	} else if rej != nil {
		return k, rej
	}
	if owner.Replaced() {
		if there, err := g.Catalog.CanUnyank(ctx, owner, catalog.Upload{}); err != nil || there {
			return owner, err
		}
	}
	return k, &errNamed{k.File}
}
