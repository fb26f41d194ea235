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

// store writes the package's bytes to the bucket under its key, unless another package has its identity. The object becomes
// visible only after the claim is committed ([claimOnEOF]; publish/PROTOCOL.md, "One upload"). What the repository lacks is
// declared only when the package has been read to its last byte.
func (g *Ingester) store(ctx context.Context, u catalog.Upload, k catalog.Package, pkg source, missing *catalogdb.Declaration) (catalog.Package, error) {
	holder, err := g.Catalog.Find(ctx, k)
	switch {
	case err == nil && holder.State != catalog.Claimed:
		return g.compare(ctx, u, k, holder, pkg)
	case err == nil:
		k.Key = holder.Key // where the attempt that made the claim stored it, or would have
		missing = nil      // that attempt declared all that its package needs, and another one has no place here
	case errors.Is(err, catalogdb.ErrNotFound):
		k.Key, err = g.key(ctx, k, missing)
	}
	if err != nil {
		return k, err
	}
	body := &claimOnEOF{digests: newDigests(k.Format), from: pkg.Body(), claim: func(f catalog.File) (catalog.Package, error) {
		if err := g.declare(ctx, u, k, f, missing); err != nil {
			return k, err
		}
		return g.claim(ctx, u, k, f, pkg)
	}}
	err = g.Bucket.Create(ctx, layout.ObjectOf(k.Key), body)
	switch {
	case errors.Is(err, fs.ErrExist):
		return g.found(ctx, body)
	case body.err != nil && !errors.Is(body.err, io.EOF):
		return k, body.err // the store's error only says that its input ended badly
	case err != nil:
		return k, fmt.Errorf("store %s: %w", k.Key, err)
	}
	return body.holder, nil
}

// key returns where a package is stored: for noarch, in the first of its directories; for multilib, in x86_64's.
func (g *Ingester) key(ctx context.Context, k catalog.Package, missing *catalogdb.Declaration) (string, error) {
	if k.Format == catalog.DEB {
		return layout.PoolKey(k), nil
	}
	if k.Arch != layout.Noarch {
		return layout.RPMKey(k, layout.OfferedArch(k)), nil
	}
	s, err := g.Catalog.Settings(ctx, k.Repository)
	if err != nil && missing == nil {
		return "", err
	}
	ds, _ := s.Find(k.Distribution)
	architectures := ds.Architectures
	if len(architectures) == 0 && missing != nil {
		architectures = missing.Distro.Architectures
	}
	dirs := layout.RPMDirs(k, architectures)
	if len(dirs) == 0 {
		return "", input.Reject(catalog.UnknownArchitecture, "repository %s has no architecture in %s that could take a noarch package", k.Repository, k.Distribution)
	}
	return layout.RPMKey(k, dirs[0]), nil
}

// found deals with a key that is taken: by an earlier attempt at the same claim, or by a stranger.
func (g *Ingester) found(ctx context.Context, body *claimOnEOF) (catalog.Package, error) {
	if _, err := io.Copy(io.Discard, body); err != nil {
		return body.holder, err
	}
	return body.holder, g.verify(ctx, body.holder.Key, body.holder.File)
}

// verify makes sure that what the bucket has under a key is file f.
func (g *Ingester) verify(ctx context.Context, key string, f catalog.File) error {
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
