package ingest

import (
	"context"
	"errors"
	"slices"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// reserved returns the keyring package of a repository, if that is made here and k has the name of it. Settings are read
// as they are now: the record of a version is made just before its packages are staged.
func (g *Ingester) reserved(ctx context.Context, k catalog.Package) (*catalog.KeyringPackage, error) {
	if k.Name != layout.KeyringName(k.Repository, k.Format) {
		return nil, nil
	}
	s, err := g.Catalog.Settings(ctx, k.Repository)
	switch {
	case errors.Is(err, catalogdb.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case s.Keyring == nil || !s.Keyring.On:
		return nil, nil
	}
	return s.Keyring, nil
}

// checkReserved refuses a package under the name of the keyring package that is not the one which repomill made.
func (g *Ingester) checkReserved(ctx context.Context, k catalog.Package, f catalog.File) error {
	made, err := g.reserved(ctx, k)
	if err != nil || made == nil || slices.ContainsFunc(made.Files, func(o catalog.KeyringFile) bool { return o.SHA256 == f.SHA256 }) {
		return err
	}
	return reservedName(k)
}

// reservedName rejects what somebody else built under the name of the keyring package.
func reservedName(k catalog.Package) *catalog.Rejection {
	return input.Reject(catalog.ReservedName, "%s is the package with the keys of %s, which repomill makes itself and hosts upgrade to; choose another name, or have it made no more: repomill repo set %s --keyring-package off",
		k.Name, k.Repository, k.Repository)
}

// explainReserved says what is so of a name that is taken by the keyring package: another version would not help.
func explainReserved(k catalog.Package, err error) error {
	var rej *catalog.Rejection
	if errors.As(err, &rej) && rej.Reason == catalog.Conflict {
		return reservedName(k)
	}
	return err
}
