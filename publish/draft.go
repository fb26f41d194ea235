package publish

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A draft is a rendered release whose pointer is not signed yet.
type draft struct {
	release  catalog.Release
	revision catalog.Revision
	date     time.Time
	indexes  []indexFile
	yanked   []indexFile // the list of withdrawn packages, if there are any
	pointer  []byte      // unsigned
	packages int
}

// stored returns all files that are stored under content names.
func (d draft) stored() []indexFile { return slices.Concat(d.indexes, d.yanked) }

func (d draft) close() {
	for _, x := range d.stored() {
		x.index.close()
	}
}

// An indexFile is an index with its immutable key and, for DEB, its plain one.
type indexFile struct {
	key   string
	plain string
	index *index
}

// object returns a finished index as a manifest has it.
func (x indexFile) object() ManifestObject {
	return ManifestObject{Key: x.key, Size: x.index.packed.size, SHA256: x.index.packed.sum()}
}

// A signed release is a pointer with the files beside it.
type signed struct {
	pointer []byte
	before  []pairFile // written just before the pointer
	after   []pairFile // written just after it
}

// A pairFile is a file beside a pointer.
type pairFile struct {
	key   string
	body  []byte
	index *index // instead of body
}

func (o pairFile) reader() io.Reader {
	if o.index != nil {
		return o.index.body()
	}
	return bytes.NewReader(o.body)
}

// maxAge is the age from which an index that is there already is written again, with the same bytes,
// so that collection does not take it for superseded.
const maxAge = 24 * time.Hour

// createIndexes stores indexes under their content names and checks their sizes. It returns those that
// it found older than maxAge; after the swap they are to be created once more.
func (p *Publisher) createIndexes(ctx context.Context, indexes []indexFile) (aged []indexFile, err error) {
	for _, x := range indexes {
		old, err := p.createIndex(ctx, x)
		if err != nil {
			return nil, err
		}
		if old {
			aged = append(aged, x)
		}
	}
	return aged, nil
}

func (p *Publisher) createIndex(ctx context.Context, x indexFile) (aged bool, err error) {
	err = p.bucket.Create(ctx, layout.ObjectOf(x.key), x.index.body())
	if err != nil && !errors.Is(err, ErrExists) {
		return false, err
	}
	meta, err := p.bucket.Stat(ctx, x.key)
	if err != nil {
		return false, fmt.Errorf("check what was written: %w", err)
	}
	if meta.Size != x.index.packed.size {
		return false, fmt.Errorf("check what was written: %s has %d bytes, not %d: remove it and publish again", x.key, meta.Size, x.index.packed.size)
	}
	if meta.Now.Sub(meta.Modified) < maxAge {
		return false, nil
	}
	_, err = p.bucket.Swap(ctx, meta.Version, layout.ObjectOf(x.key), x.index.body())
	return true, err
}
