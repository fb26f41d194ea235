// Package restore makes rows of a published release: the way back from indexes to the catalog, for one that lost history
// (publish/PROTOCOL.md, "Rebuild"). It verifies the pointer, reads the indexes that the pointer names, in which each byte has to be
// the one that was published, and then the list of withdrawn packages. It writes nothing; package publish gives the rows
// to the catalog.
package restore

import (
	"context"
	"fmt"
	"io/fs"
	"iter"

	"repomill/publish/sign"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A RowReader reads back what ingest put into index fragments, by the same rules. Its methods may be
// called concurrently.
type RowReader interface {
	// Deb returns the identity, codename, component and file that a stanza made by ingest is about.
	Deb(stanza []byte) (catalog.Package, error)

	// RPM returns the identity, file and upload time that a <package> element made by ingest is about.
	RPM(primary []byte) (catalog.Package, error)

	// Identity returns the columns that follow from a package's name, version and architecture: its
	// canonical version and sort key.
	Identity(f catalog.Format, name, version, arch string) (catalog.Package, error)
}

// Rows reads back the rows of a published release from the bucket alone: the packages that its indexes
// list, with their fragments byte for byte, and then those that were withdrawn, without any. A row is
// valid until the next one is asked for. After an error there is no more, and what came before may not
// be what was published: digests are known at the end. Memory use does not depend on the number of rows.
//
// A row is what ingest made but for three things. The time of a DEB upload is in no index: it is the
// release's Date. Who pushed a package is only known if it was withdrawn. And a noarch package lies
// in the first directory that is published now, where ingest may have had another.
//
// Without a good signature by one of keys the error is [tree.ErrForeign]; if there is no release, [fs.ErrNotExist].
func Rows(ctx context.Context, b tree.Reader, r catalog.Release, keys sign.Keyring, rows RowReader) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		key := layout.PointerKey(r)
		body, meta, err := tree.ReadSmall(ctx, b, key)
		if err == nil && meta.Version == "" {
			err = fmt.Errorf("read %s: %w", key, fs.ErrNotExist)
		}
		var rd *Release
		if err == nil {
			rd, err = Open(ctx, b, keys, rows, r, body)
		}
		if err != nil {
			yield(catalog.Package{}, err)
			return
		}
		rd.All(ctx)(yield)
	}
}

// A Release is a published release whose rows are read back. Its pointer is verified.
type Release struct {
	tree.Pointer
	bucket   tree.Reader
	reader   RowReader
	release  catalog.Release
	manifest string // its key
}

// Open verifies the pointer of a release, whose bytes are body. If no key made a good signature, or repomill did not make
// the pointer, the error is [tree.ErrForeign]. rows reads what the indexes have of each package.
func Open(ctx context.Context, b tree.Reader, keys sign.Keyring, rows RowReader, r catalog.Release, body []byte) (*Release, error) {
	ptr, err := tree.OpenPointer(ctx, b, keys, r, body)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", layout.PointerKey(r), err)
	}
	if ptr.Revision.Number <= 0 || ptr.Revision.Nonce == "" {
		return nil, fmt.Errorf("read %s: %w: it has no revision of repomill", layout.PointerKey(r), tree.ErrForeign)
	}
	return &Release{
		Pointer: ptr, bucket: b, reader: rows, release: r,
		manifest: tree.ManifestKey(r, ptr.Revision, tree.Sum(body)),
	}, nil
}

// Listed yields the rows that the indexes list, as [Rows] does.
func (rd *Release) Listed(ctx context.Context) iter.Seq2[catalog.Package, error] {
	if rd.release.Arch == "" {
		return debRows(ctx, rd)
	}
	return rpmRows(ctx, rd)
}

// All yields the rows that the indexes list, and then those that were withdrawn, as [Rows] does.
func (rd *Release) All(ctx context.Context) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		for _, rows := range []iter.Seq2[catalog.Package, error]{rd.Listed(ctx), rd.yanked(ctx)} {
			for k, err := range rows {
				if err != nil {
					err = fmt.Errorf("read back %s: %w", rd.release, err)
				}
				if !yield(k, err) || err != nil {
					return
				}
			}
		}
	}
}

// place completes a row that a reader returned.
func (rd *Release) place(k *catalog.Package) {
	k.Repository, k.Distribution, k.State = rd.release.Repository, rd.release.Distribution, catalog.Active
}
