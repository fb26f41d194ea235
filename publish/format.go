package publish

import (
	"bytes"
	"context"
	"io"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A format is what differs between DEB and RPM releases.
type format interface {
	// parse reads a pointer: its pair and its date.
	parse(pointer []byte) (catalog.Revision, time.Time, error)

	// pairKeys returns the keys of the pair files that go with a pointer.
	pairKeys(r catalog.Release, pointer []byte) ([]string, error)

	// pause returns how long to wait before the next swap.
	pause(old pointer) time.Duration

	// render makes the indexes of a snapshot.
	render(ctx context.Context, p *Publisher, snap *catalogdb.Snapshot, date time.Time) (draft, error)

	// sign makes the pointer's bytes and the pair files.
	sign(p *Publisher, d draft, date time.Time) (pointer []byte, pairs pairFiles, err error)

	// repair puts the pair files right that do not fit the pointer.
	repair(ctx context.Context, p *Publisher, r catalog.Release, ptr pointer) error
}

func formatOf(r catalog.Release) format {
	if r.Arch == "" {
		return debFormat{}
	}
	return rpmFormat{}
}

// RevisionOf returns the revision in the bytes of a release's pointer.
func RevisionOf(r catalog.Release, pointer []byte) (catalog.Revision, error) {
	revision, _, err := formatOf(r).parse(pointer)
	return revision, err
}

// A pointer is what was read of a release before its rows.
type pointer struct {
	exists bool
	body   []byte
	meta   layout.Meta // of the pointer's object; has the store's clock in any case
	pair   catalog.Revision
	date   time.Time
	pairs  map[string]layout.Version // of the pair files
}

// readPointer reads a release's pointer and the versions of its pair files. Whoever swaps later on
// condition of these versions cannot undo what was written in between.
func readPointer(ctx context.Context, b Bucket, f format, r catalog.Release) (pointer, error) {
	body, meta, err := readSmall(ctx, b, layout.PointerKey(r))
	if err != nil {
		return pointer{}, err
	}
	p := pointer{exists: meta.Version != "", body: body, meta: meta, pairs: map[string]layout.Version{}}
	if p.exists {
		if p.pair, p.date, err = f.parse(body); err != nil {
			return p, err
		}
	}
	keys, err := f.pairKeys(r, body)
	if err != nil {
		return p, err
	}
	for _, key := range keys {
		m, err := b.Stat(ctx, key)
		if err != nil && !isNotExist(err) {
			return p, err
		}
		p.pairs[key] = m.Version
	}
	return p, nil
}

// A draft is a rendered release whose pointer is not signed yet.
type draft struct {
	release  catalog.Release
	indexes  []indexFile
	pointer  []byte // unsigned
	packages int
}

func (d draft) close() {
	for _, x := range d.indexes {
		x.index.close()
	}
}

// An indexFile is an index with its immutable key and, for DEB, its plain one.
type indexFile struct {
	key   string
	plain string
	index *index
}

// A pairFile is an object that follows a pointer, or goes just before it.
type pairFile struct {
	key  string
	body []byte
	from *index // instead of body
}

type pairFiles struct{ before, after []pairFile }

func (o pairFile) reader() io.Reader {
	if o.from == nil {
		return bytes.NewReader(o.body)
	}
	r, err := o.from.body()
	if err != nil {
		return failing{err}
	}
	return r
}

// failing is a reader that only fails.
type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }
