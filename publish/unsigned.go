package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"repomill/publish/render"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// An unsignedRelease is a rendered release whose pointer is not signed yet.
type unsignedRelease struct {
	release    catalog.Release
	revision   catalog.Revision
	generation int64 // of the snapshot
	date       time.Time
	indexes    []indexFile
	withdrawn  withdrawnList
	pointer    []byte // unsigned
	packages   int
}

// buildRelease makes the unsigned pointer of a rendering.
func buildRelease(f format, snap *catalogdb.Snapshot, rd *render.Rendering, date time.Time, x extras) unsignedRelease {
	d := unsignedRelease{release: snap.Release, revision: snap.Revision, generation: snap.Generation, date: date, packages: rd.Packages}
	for _, i := range rd.Indexes {
		d.indexes = append(d.indexes, f.file(snap.Release, i))
	}
	d.pointer = f.pointer(snap, rd, snap.Revision, date, x)
	return d
}

// An indexFile is an index with its key, which never changes, and, for DEB, its plain key.
type indexFile struct {
	key   string
	plain string
	index *render.Index
}

// object returns a finished index as a manifest has it.
func (x indexFile) object() tree.Object {
	return tree.Object{Key: x.key, Size: x.index.Packed.Size, SHA256: x.index.Packed.SHA256}
}

// A signed release is a signed pointer with its pair files.
type signed struct {
	pointer []byte
	before  []pairFile // written just before the pointer
	after   []pairFile // written just after it
}

// A pairFile is a file that repeats or signs a pointer.
type pairFile struct {
	key       string
	body      []byte
	index     *render.Index // instead of body
	immutable string        // key of the index's copy under its content name
}

func (o pairFile) reader() io.Reader {
	if o.index != nil {
		return o.index.Body()
	}
	return bytes.NewReader(o.body)
}

// maxAge is the age from which an existing index is written again, with the same bytes, so that collection does not remove it as
// superseded.
const maxAge = 24 * time.Hour

// createIndexes stores indexes under their content names and checks their sizes. It does not write an index that exists and is
// live, at any age. With made, it also looks for the other indexes first. It returns the indexes that were older than maxAge: the
// caller creates them once more after the swap.
func createIndexes(ctx context.Context, b Bucket, indexes []indexFile, live map[string]bool, made bool) (aged []indexFile, err error) {
	for _, x := range indexes {
		if live[x.key] || made {
			there, err := stored(ctx, b, x, live[x.key])
			if err != nil {
				return nil, err
			}
			if there {
				continue
			}
		}
		old, err := createIndex(ctx, b, x)
		if err != nil {
			return nil, err
		}
		if old {
			aged = append(aged, x)
		}
	}
	return aged, nil
}

// stored reports whether an index exists in its full size and, unless it is live, is younger than maxAge.
func stored(ctx context.Context, b Bucket, x indexFile, live bool) (bool, error) {
	meta, err := b.Stat(ctx, x.key)
	if errors.Is(err, ErrNotExist) {
		return false, nil
	}
	return err == nil && meta.Size == x.index.Packed.Size && (live || meta.Now.Sub(meta.Modified) < maxAge), err
}

func createIndex(ctx context.Context, b Bucket, x indexFile) (aged bool, err error) {
	err = b.Create(ctx, layout.ObjectOf(x.key), x.index.Body())
	if err != nil && !errors.Is(err, ErrExists) {
		return false, err
	}
	meta, err := b.Stat(ctx, x.key)
	if err != nil {
		return false, fmt.Errorf("check stored index: %w", err)
	}
	if meta.Size != x.index.Packed.Size {
		return false, fmt.Errorf("check stored index: %s has %d bytes, not %d: remove it, and publish again", x.key, meta.Size, x.index.Packed.Size)
	}
	if meta.Now.Sub(meta.Modified) < maxAge {
		return false, nil
	}
	_, err = b.Swap(ctx, meta.Version, layout.ObjectOf(x.key), x.index.Body())
	return true, err
}
