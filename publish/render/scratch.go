package render

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// A scratch is an unlinked temporary file. Pieces are appended to it and read back in any order; a crash leaves nothing
// behind. Methods may be called concurrently.
type scratch struct {
	file   *os.File
	size   atomic.Int64
	broken atomic.Bool // a read or write has failed
}

// An extent is a piece of a scratch file.
type extent struct{ offset, size int64 }

func newScratch(dir string) (*scratch, error) {
	f, err := os.CreateTemp(dir, "repomill-index-")
	if err != nil {
		return nil, fmt.Errorf("make index: %w: --cache names the folder for it", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make index: %w", err)
	}
	return &scratch{file: f}, nil
}

// append adds a piece and returns where it lies.
func (s *scratch) append(b []byte) (extent, error) {
	e := extent{s.size.Add(int64(len(b))) - int64(len(b)), int64(len(b))}
	if _, err := s.file.WriteAt(b, e.offset); err != nil {
		s.broken.Store(true)
		return extent{}, fmt.Errorf("make index: %w: --cache names a folder with more room", err)
	}
	return e, nil
}

// read returns the bytes of extents, one after the other.
func (s *scratch) read(extents []extent) io.Reader { return &scratchReader{scratch: s, rest: extents} }

func (s *scratch) close() { s.file.Close() }

type scratchReader struct {
	scratch *scratch
	rest    []extent
	at      int64 // in the first of them
}

func (r *scratchReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.rest) > 0 {
		e := r.rest[0]
		part := p[n:min(int64(len(p)), int64(n)+e.size-r.at)]
		if _, err := r.scratch.file.ReadAt(part, e.offset+r.at); err != nil {
			r.scratch.broken.Store(true)
			return n, fmt.Errorf("read index back: %w", err)
		}
		n += len(part)
		if r.at += int64(len(part)); r.at == e.size {
			r.rest, r.at = r.rest[1:], 0
		}
	}
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// A scratchWriter appends to a scratch file that has no other writer.
type scratchWriter struct{ scratch *scratch }

func (w scratchWriter) Write(b []byte) (int, error) {
	_, err := w.scratch.append(b)
	return len(b), err
}
