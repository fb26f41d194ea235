package ingest

import (
	"context"
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
)

// claimOnEOF is a body that commits its claim before it returns io.EOF. A store makes an object visible only after io.EOF, so
// no bytes are visible under a key that is not claimed.
type claimOnEOF struct {
	digests
	from   io.Reader
	claim  func(catalog.File) (catalog.Package, error)
	holder catalog.Package // once err is io.EOF
	err    error
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
		if c.holder, err = c.claim(c.file()); err == nil {
			err = io.EOF
		}
	}
	c.err = err
	return n, err
}

// claim commits the row of a package, with all that the indexes will say of it. The bucket has its bytes, but does not show
// them yet.
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

// compare decides about a package whose identity is taken: it reads the bytes and stores none.
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
