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

// keyringOf returns the keyring package of a repository if repomill makes one and k has its name, otherwise nil. It
// reads current settings, not cached ones: a version is recorded there just before its packages are staged.
func (g *Ingester) keyringOf(ctx context.Context, k catalog.Package) (*catalog.KeyringPackage, error) {
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

// checkReserved rejects a package under the name of the keyring package unless repomill made its file.
func (g *Ingester) checkReserved(ctx context.Context, k catalog.Package, f catalog.File) error {
	made, err := g.keyringOf(ctx, k)
	if err != nil || made == nil || slices.ContainsFunc(made.Files, func(o catalog.KeyringFile) bool { return o.SHA256 == f.SHA256 }) {
		return err
	}
	return reservedNameRejection(k)
}

// reservedNameRejection rejects a package under the name of the keyring package.
func reservedNameRejection(k catalog.Package) *catalog.Rejection {
	return input.Reject(catalog.ReservedName, "%s is the package with the keys of %s, which repomill makes itself and to which hosts upgrade; choose another name, or turn it off: repomill repo set %s --keyring-package off",
		k.Name, k.Repository, k.Repository)
}

// explainReserved replaces a conflict with the keyring package by [reservedNameRejection]: another version would not
// help.
func explainReserved(k catalog.Package, err error) error {
	var rej *catalog.Rejection
	if errors.As(err, &rej) && rej.Reason == catalog.Conflict {
		return reservedNameRejection(k)
	}
	return err
}
