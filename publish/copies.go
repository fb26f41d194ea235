package publish

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/schemas/stall"
)

// maxCopies is how many files are copied into a new directory at a time.
const maxCopies = 32

// ensureCopies returns a function that copies the file of an entry into a new directory, for packages that other directories have
// already: of noarch, and for 32-bit x86. It is nil for other releases. Ingest copies later packages to every existing directory.
// Copies run side by side, and a repeat finds those that an earlier attempt has made. wait returns when all are there, with the first
// error; no pointer may name the packages before.
func ensureCopies(ctx context.Context, b Bucket, snap *catalogdb.Snapshot) (see func(*catalogdb.Entry) error, wait func() error) {
	if snap.Published > 0 || snap.Release.Arch == "" {
		return nil, func() error { return nil }
	}
	g, copying := errgroup.WithContext(ctx)
	g.SetLimit(maxCopies)
	see = func(e *catalogdb.Entry) error {
		from, to := string(e.Key), fileKey(snap.Release, e)
		if from == to {
			return nil
		}
		g.Go(func() error {
			err := b.Copy(copying, from, layout.ObjectOf(to))
			if errors.Is(err, ErrExists) {
				err = nil
			}
			stall.Moved(ctx)
			return err
		})
		return copying.Err()
	}
	return see, g.Wait
}

// fileKey returns the key under which a release has the file of an entry.
func fileKey(r catalog.Release, e *catalogdb.Entry) string {
	if r.Arch == "" {
		return string(e.Key)
	}
	k := catalog.Package{Repository: r.Repository, Distribution: r.Distribution, Name: string(e.Name), Version: string(e.Version), Arch: string(e.Arch)}
	return layout.RPMKey(k, r.Arch)
}
