package publish

import (
	"context"
	"errors"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// ensureCopies returns a function that copies the file of an entry into a new directory, for packages that other directories have
// already: of noarch, and for 32-bit x86. It returns nil for other releases. Ingest copies later packages to every existing directory.
func ensureCopies(ctx context.Context, b Bucket, snap *catalogdb.Snapshot) func(*catalogdb.Entry) error {
	if snap.Published > 0 || snap.Release.Arch == "" {
		return nil
	}
	return func(e *catalogdb.Entry) error {
		from, to := string(e.Key), fileKey(snap.Release, e)
		if from == to {
			return nil
		}
		err := b.Copy(ctx, from, layout.ObjectOf(to))
		if errors.Is(err, ErrExists) {
			return nil
		}
		return err
	}
}

// fileKey returns the key under which a release has the file of an entry.
func fileKey(r catalog.Release, e *catalogdb.Entry) string {
	if r.Arch == "" {
		return string(e.Key)
	}
	k := catalog.Package{Repository: r.Repository, Distribution: r.Distribution, Name: string(e.Name), Version: string(e.Version), Arch: string(e.Arch)}
	return layout.RPMKey(k, r.Arch)
}
