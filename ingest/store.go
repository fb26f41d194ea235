package ingest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// store writes the bytes of a package to the bucket under its key, unless another package has its identity. The
// object becomes visible only after the claim is committed ([claimOnEOF]; publish/PROTOCOL.md, "One upload"). What
// the repository lacks is declared only after the last byte of the package was read. Of a package that is an object of the
// bucket, copyOf, that is copied. A package under embargo is stored under its hidden key; its own key has no object.
func (t *Together) store(ctx context.Context, u catalog.Upload, k catalog.Package, pkg source, needed *catalogdb.Declaration, copyOf string) (catalog.Package, error) {
	g := t.Ingester
	owner, err := t.find(ctx, k)
	switch {
	case err == nil && owner.State == catalog.Yanked && copyOf != "" && owner.File.SHA256 == u.Generation: // it comes back
		k.Key, needed = owner.Key, nil
	case err == nil && (owner.State != catalog.Claimed && !owner.Replaced() || (owner.Embargo != "") != embargoed(u)):
		return g.compareWithOwner(ctx, u, k, owner, pkg)
	case err == nil:
		k.Key, k.Embargo = owner.Key, owner.Embargo // those of the attempt that made the claim, or of the bytes that were replaced
		needed = nil                                // that attempt declared what its package needs, and other packages are rejected
	case errors.Is(err, catalogdb.ErrNotFound):
		if embargoed(u) {
			k.Embargo = layout.NewEmbargo()
		}
		k.Key, err = g.packageKey(ctx, k, needed)
	}
	if err != nil {
		return k, err
	}
	body := &claimOnEOF{digests: newDigests(k.Format), from: pkg.Body(), claim: func(f catalog.File) (catalog.Package, error) {
		if err := g.declareNeeded(ctx, u, k, f, needed); err != nil {
			return k, err
		}
		return t.claimFile(ctx, u, k, f, pkg)
	}}
	key := storedKey(k)
	if copyOf == "" {
		err = g.Bucket.Create(ctx, layout.ObjectOf(key), body)
	} else if _, err = io.Copy(io.Discard, body); err == nil {
		err = g.Bucket.Copy(ctx, copyOf, layout.ObjectOf(key))
	}
	switch {
	case errors.Is(err, fs.ErrExist):
		return g.confirmStored(ctx, body)
	case body.err != nil && !errors.Is(body.err, io.EOF):
		return k, body.err // the store's error has no other cause
	case err != nil:
		return k, fmt.Errorf("store %s: %w", key, err)
	}
	return body.owner, nil
}

// embargoed reports whether an upload is under embargo.
func embargoed(u catalog.Upload) bool {
	_, embargo := layout.CutEmbargo(u.Object)
	return embargo
}

// storedKey returns the key under which the bytes of a package lie.
func storedKey(k catalog.Package) string {
	if k.Embargo != "" {
		return layout.EmbargoKey(k.Embargo)
	}
	return k.Key
}

// packageKey returns the key of a package: for noarch, in the first of its directories; for multilib, in that of
// x86_64.
func (g *Ingester) packageKey(ctx context.Context, k catalog.Package, needed *catalogdb.Declaration) (string, error) {
	if k.Format == catalog.DEB {
		return layout.PoolKey(k), nil
	}
	if k.Arch != layout.Noarch {
		return layout.RPMKey(k, layout.OfferedArch(k)), nil
	}
	s, err := g.recentSettings(ctx, k)
	if err != nil && needed == nil {
		return "", err
	}
	ds, _ := s.Find(k.Distribution)
	architectures := ds.Architectures
	if len(architectures) == 0 && needed != nil {
		architectures = needed.Distro.Architectures
	}
	dirs := layout.RPMDirs(k, architectures)
	if len(dirs) == 0 {
		return "", input.Reject(catalog.UnknownArchitecture, "repository %s has no architecture in %s that could take a noarch package", k.Repository, k.Distribution)
	}
	return layout.RPMKey(k, dirs[0]), nil
}

// confirmStored continues after a key was found to exist, from an earlier attempt at the same claim or as an unknown
// object. It commits the claim, and compares the bytes that are stored.
func (g *Ingester) confirmStored(ctx context.Context, body *claimOnEOF) (catalog.Package, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return body.owner, err
	}
	return body.owner, g.verifyStored(ctx, storedKey(body.owner), body.owner.File)
}

// Verify checks that the object under a key of the bucket is file f. The error is a *[catalog.Rejection] for other bytes, and
// fs.ErrNotExist if there is none.
func (g *Ingester) Verify(ctx context.Context, key string, f catalog.File) error {
	return g.verifyStored(ctx, key, f)
}

// verifyStored checks that the object under a key is file f.
func (g *Ingester) verifyStored(ctx context.Context, key string, f catalog.File) error {
	stored, _, err := g.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s again: %w", key, err)
	}
	defer stored.Close()
	h := sha256.New()
	if _, err := io.Copy(h, stored); err != nil {
		return fmt.Errorf("read %s again: %w", key, err)
	}
	if sum := hex.EncodeToString(h.Sum(nil)); sum != f.SHA256 {
		return input.Reject(catalog.Conflict, "the bucket has other bytes under %s, which no row names: sha256 %s there, %s here; remove that object or raise the version", key, sum, f.SHA256)
	}
	return nil
}
