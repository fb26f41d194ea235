package ingest

import (
	"bufio"
	"context"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Examine reads a package to its end as [Ingester.Store] does, unpacks its payload whole, and returns what it would
// be at a place. It does not check what only the catalog knows: whether the repository accepts it, and whether the
// name is free. maxSize is in bytes. The error is a *[catalog.Rejection], or a fault of r or of ctx.
func Examine(ctx context.Context, r io.Reader, at layout.Staged, distro layout.Distro, maxSize int64) (catalog.Package, error) {
	if rej := checkPlace(at, distro); rej != nil {
		return catalog.Package{}, rej
	}
	b := bufio.NewReaderSize(&limitedReader{r, maxSize, ctx.Err}, 64<<10)
	k, pkg, err := identify(at, distro, b)
	if err != nil {
		return k, err
	}
	_, done := startVerification(pkg, catalog.VerifyAlways)
	defer done()
	d := newDigests(k.Format)
	err = guard(func() error {
		_, err := io.Copy(&d, pkg.Body())
		return err
	})
	if err != nil {
		return k, err
	}
	k.File = d.file()
	err = guard(func() error { return pkg.Describe(&k) })
	k.Signer = signerOf(pkg)
	k.Stanza, k.Primary, k.Filelists, k.Other = nil, nil, nil, nil
	return k, err
}

// checkPlace rejects names of files and paths that a distribution never accepts.
func checkPlace(at layout.Staged, distro layout.Distro) *catalog.Rejection {
	if rej := checkName(at.File, distro.Format); rej != nil {
		return rej
	}
	if distro.Format == catalog.RPM && at.Component != "" {
		return input.Reject(catalog.BadPath, "%s has no components; use %s/%s/%s", distro.Distribution, at.Repository, distro.Distribution, at.File)
	}
	return nil
}

// identify reads a package as far as its identity, and checks that clients of the distribution can install it.
func identify(at layout.Staged, distro layout.Distro, r *bufio.Reader) (catalog.Package, source, error) {
	if rej := checkFormat(r, distro); rej != nil {
		return catalog.Package{}, nil, rej
	}
	pkg, err := peek(distro.Format, r)
	if err != nil {
		return catalog.Package{}, nil, err
	}
	k := pkg.Identity()
	k.Repository, k.Distribution, k.Component = at.Repository, at.Distribution, at.Component
	if k.Format == catalog.DEB && k.Component == "" {
		k.Component = layout.DefaultComponent
	}
	k.Multilib = k.Format == catalog.RPM && distro.Multilib && layout.RPMDirOf(k.Arch) == layout.I386
	return k, pkg, checkInstallable(k, pkg, distro)
}
