package ingest

import (
	"context"
	"crypto/md5" //nolint:gosec // a field of Packages that old tools ask for
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A claimOnEOF is a body that commits its claim before it returns io.EOF. A store makes an object visible only after
// io.EOF, so bytes are never visible under a key that is not claimed.
type claimOnEOF struct {
	digests
	from  io.Reader
	claim func(catalog.File) (catalog.Package, error)
	owner catalog.Package // of the identity; set when err is io.EOF
	err   error
}

func (c *claimOnEOF) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	err = guard(func() error {
		n, err = c.from.Read(p)
		return err
	})
	c.Write(p[:n]) //nolint:errcheck // hashes
	if errors.Is(err, io.EOF) {
		if c.owner, err = c.claim(c.file()); err == nil {
			err = io.EOF
		}
	}
	c.err = err
	return n, err
}

// claimFile commits the row of a package, with all that indexes have of it. The bucket has its bytes, but does not show
// them yet. It returns the package that has the identity: k, or an equal one that was claimed before.
func (t *Together) claimFile(ctx context.Context, u catalog.Upload, k catalog.Package, f catalog.File, pkg source) (catalog.Package, error) {
	g := t.Ingester
	if err := g.checkReserved(ctx, k, f); err != nil {
		return k, err
	}
	if k.Variant != "" && k.Variant != layout.VariantOf(f.SHA256) {
		return k, fmt.Errorf("read %s: it has other bytes than when it was read before: sha256 %s, and %s before", u, f.SHA256, k.Variant)
	}
	k.File, k.Uploaded = f, g.Now().UTC().Truncate(uploadResolution)
	if err := guard(func() error { return pkg.Describe(&k) }); err != nil {
		return k, err
	}
	k.Signer = signerOf(pkg)
	owner, claimed, err := t.claim(ctx, k, u)
	if err != nil {
		return k, err
	}
	if !claimed {
		if owner, err = g.checkConflict(ctx, u, k, owner, f); err == nil && (owner.Key != k.Key || owner.Embargo != k.Embargo) {
			err = fmt.Errorf("store %s: another upload claimed it at the same time", k.Key)
		}
		return owner, err
	}
	k.Stanza, k.Primary, k.Filelists, k.Other, k.Needs = nil, nil, nil, nil, nil
	return k, nil
}

// compareWithOwner reads a package whose identity another one has, and returns that one if the bytes are equal. It
// stores nothing.
func (g *Ingester) compareWithOwner(ctx context.Context, u catalog.Upload, k, owner catalog.Package, pkg source) (catalog.Package, error) {
	d := newDigests(k.Format)
	err := guard(func() error {
		_, err := io.Copy(&d, pkg.Body())
		return err
	})
	if err != nil {
		return k, err
	}
	return g.checkConflict(ctx, u, k, owner, d.file())
}

// digests compute the size and the digests of a file that is written to them.
type digests struct {
	size   int64
	sha256 hash.Hash
	md5    hash.Hash // DEB only
}

func newDigests(f catalog.Format) digests {
	d := digests{sha256: sha256.New()}
	if f == catalog.DEB {
		d.md5 = md5.New() //nolint:gosec // see above
	}
	return d
}

func (d *digests) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	if d.md5 != nil {
		d.md5.Write(p)
	}
	return d.sha256.Write(p)
}

func (d *digests) file() catalog.File {
	f := catalog.File{Size: d.size, SHA256: hex.EncodeToString(d.sha256.Sum(nil))}
	if d.md5 != nil {
		f.MD5 = hex.EncodeToString(d.md5.Sum(nil))
	}
	return f
}
