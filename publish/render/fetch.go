package render

import (
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"golang.org/x/sync/errgroup"

	"repomill/schemas/catalogdb"
)

// A File describes an index file that another process rendered.
type File struct {
	Name          string // [Index.Name]
	Packed, Plain Digest
}

// Fetch returns a rendering of index files that lie in the bucket, for a snapshot with that many packages. open returns a
// reader of file i. Each file is read whole. A file that differs from its description or from the plan is an error, which
// names it. The caller closes the rendering.
func Fetch(dir string, p Plan, snap *catalogdb.Snapshot, packages int, files []File, open func(i int) io.Reader) (*Rendering, error) {
	to, err := newScratch(dir)
	if err != nil {
		return nil, err
	}
	rd := &Rendering{Packages: packages, release: snap.Release.String(), revision: snap.Revision, generation: snap.Generation, shape: p.shape(), scratch: to, fetched: true}
	for i, f := range files {
		x := &Index{Name: f.Name, scratch: to, Packed: f.Packed, Plain: f.Plain}
		if err = x.fetch(open(i)); err == nil && f.Name != p.Indexes[i].Name {
			err = errors.New("it is another index")
		}
		if err != nil {
			rd.Close()
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		rd.Indexes = append(rd.Indexes, x)
	}
	return rd, nil
}

// fetch reads an index file into the scratch file and compares its digests.
func (x *Index) fetch(file io.Reader) error {
	all := &scratchWriter{scratch: x.scratch}
	packed, plain, err := digestsOf(io.TeeReader(file, all))
	if err != nil {
		return err
	}
	if packed != x.Packed || plain != x.Plain {
		return errors.New("it has other digests")
	}
	x.stored = func() io.Reader { return x.scratch.read(all.written) }
	return nil
}

// Stored reads an index file once and returns it with its digests. open returns a reader of its bytes; [Index.Body] calls it
// again.
func Stored(name string, open func() io.Reader) (x *Index, err error) {
	x = &Index{Name: name, stored: open}
	x.Packed, x.Plain, err = digestsOf(open())
	return x, err
}

// digestsOf returns the digests of a gzip file and of its text.
func digestsOf(file io.Reader) (packed, plain Digest, err error) {
	r, w := io.Pipe()
	var g errgroup.Group
	g.Go(func() (err error) {
		packed, err = DigestOf(io.TeeReader(file, w))
		w.CloseWithError(err)
		return err
	})
	g.Go(func() error {
		z, err := gzip.NewReader(r)
		if err == nil {
			plain, err = DigestOf(z)
		}
		r.CloseWithError(err)
		return err
	})
	return packed, plain, g.Wait()
}
