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
	"io/fs"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// transfer stores the package's bytes under its key, if nobody has its identity yet. What is missing is
// declared only when the package has proved good to its last byte.
func (g *Ingester) transfer(ctx context.Context, u catalog.Upload, k catalog.Package, pkg source, missing *catalogdb.Declaration) (catalog.Package, error) {
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
	body := &claiming{digests: newDigests(k.Format), from: pkg.Body(), claim: func(f catalog.File) (catalog.Package, error) {
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
		return "", reject(catalog.UnknownArchitecture, "repository %s has no architecture in %s that could take a noarch package", k.Repository, k.Distribution)
	}
	return layout.RPMKey(k, dirs[0]), nil
}

// compare judges a package whose identity is taken: it reads the bytes, but stores none.
func (g *Ingester) compare(ctx context.Context, u catalog.Upload, k, holder catalog.Package, pkg source) (catalog.Package, error) {
	d := newDigests(k.Format)
	err := guard(func() error {
		_, err := io.Copy(&d, pkg.Body())
		return err
	})
	if err != nil {
		return k, err
	}
	return g.judge(ctx, u, k, holder, d.file())
}

// claim is what happens between the last byte and the visible object: the identity is taken, with all
// that the indexes will say.
func (g *Ingester) claim(ctx context.Context, u catalog.Upload, k catalog.Package, f catalog.File, pkg source) (catalog.Package, error) {
	if err := g.checkReserved(ctx, k, f); err != nil {
		return k, err
	}
	k.File, k.Uploaded = f, g.Now().UTC().Truncate(timeUnit)
	if err := guard(func() error { return pkg.Describe(&k) }); err != nil {
		return k, err
	}
	k.Signer = signerOf(pkg)
	holder, claimed, err := g.Catalog.Claim(ctx, k, u)
	if err != nil {
		return k, err
	}
	if !claimed {
		if holder, err = g.judge(ctx, u, k, holder, f); err == nil && holder.Key != k.Key {
			err = fmt.Errorf("store %s: it was claimed meanwhile, as %s", k.Key, holder.Key)
		}
		return holder, err
	}
	k.Stanza, k.Primary, k.Filelists, k.Other = nil, nil, nil, nil
	return k, nil
}

// found deals with a key that is taken: by an earlier attempt at the same claim, or by a stranger.
func (g *Ingester) found(ctx context.Context, body *claiming) (catalog.Package, error) {
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
		return reject(catalog.Conflict, "the bucket has other bytes under %s, which no row names: sha256 %s there, %s here; remove that object or raise the version", key, sum, f.SHA256)
	}
	return nil
}

// claiming is a body that makes its claim before it ends. Whoever stores it withholds the object until
// it has seen io.EOF, so that no bytes are visible under a key that is not claimed.
type claiming struct {
	digests
	from   io.Reader
	claim  func(catalog.File) (catalog.Package, error)
	holder catalog.Package // once err is io.EOF
	err    error
}

func (c *claiming) Read(p []byte) (n int, err error) {
	if c.err != nil {
		return 0, c.err
	}
	err = guard(func() error {
		n, err = c.from.Read(p)
		return err
	})
	c.Write(p[:n]) //nolint:errcheck // hashes
	if errors.Is(err, io.EOF) {
		if c.holder, err = c.claim(c.file()); err == nil {
			err = io.EOF
		}
	}
	c.err = err
	return n, err
}

// digests takes the facts about a file while its bytes go by.
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
