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

// A RowReader parses index fragments by the rules with which ingest made them. Its methods may be called
// concurrently.
type RowReader interface {
	// Deb returns the identity, codename, component and file that a stanza made by ingest is about.
	Deb(stanza []byte) (catalog.Package, error)

	// RPM returns the identity, file and upload time that a <package> element made by ingest is about.
	RPM(primary []byte) (catalog.Package, error)

	// Identity returns the columns that follow from a package's name, version and architecture: its
	// canonical version and sort key.
	Identity(f catalog.Format, name, version, arch string) (catalog.Package, error)
}

// Rows yields the rows of a published release, read from the bucket alone: first the packages that its indexes
// list, with their fragments byte for byte, then the withdrawn packages, without fragments. A row is valid until
// the next iteration. An error is the last value; the rows before it must be discarded then, because digests are
// compared at the end of each index. Memory use does not depend on the number of rows.
//
// A row differs from that of ingest in three fields. The upload time of a DEB package is the release's Date,
// because no index has it. The pusher is known of withdrawn packages alone. The key of a noarch package is that in
// the first directory that is published now; ingest may have chosen another.
//
// If no key in keys has signed the pointer the error is [tree.ErrForeign]; if there is no release, [fs.ErrNotExist].
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

// Open verifies the pointer of a release, whose bytes are body. If no key in keys has signed it, or repomill did not write
// it, the error is [tree.ErrForeign]. rows parses the fragments of the indexes.
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
					err = fmt.Errorf("read back %s: %w", rd.release, rd.cause(ctx, err))
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
