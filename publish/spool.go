package publish

import (
	"fmt"
	"io"
	"os"
	"sync/atomic"
)

// A spool is a nameless temporary file to which pieces are appended and which are read back in any order.
// A crash leaves nothing of it. Methods may be called concurrently.
type spool struct {
	file   *os.File
	size   atomic.Int64
	broken atomic.Bool // it could not be read or written
}

// An extent is a piece of a spool.
type extent struct{ offset, size int64 }

func newSpool(dir string) (*spool, error) {
	f, err := os.CreateTemp(dir, "repomill-index-")
	if err != nil {
		return nil, fmt.Errorf("make index: %w: --cache names the folder for it", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, fmt.Errorf("make index: %w", err)
	}
	return &spool{file: f}, nil
}

// append adds a piece.
func (s *spool) append(b []byte) (extent, error) {
	e := extent{s.size.Add(int64(len(b))) - int64(len(b)), int64(len(b))}
	if _, err := s.file.WriteAt(b, e.offset); err != nil {
		s.broken.Store(true)
		return extent{}, fmt.Errorf("make index: %w: --cache names a folder with more room", err)
	}
	return e, nil
}

// read returns the bytes of extents, one after the other.
func (s *spool) read(extents []extent) io.Reader { return &spoolReader{spool: s, rest: extents} }

func (s *spool) close() { s.file.Close() }

type spoolReader struct {
	spool *spool
	rest  []extent
	at    int64 // in the first of them
}

func (r *spoolReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.rest) > 0 {
		e := r.rest[0]
		part := p[n:min(int64(len(p)), int64(n)+e.size-r.at)]
		if _, err := r.spool.file.ReadAt(part, e.offset+r.at); err != nil {
			r.spool.broken.Store(true)
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

// A spoolWriter appends to a spool that nobody else appends to.
type spoolWriter struct{ spool *spool }

func (w spoolWriter) Write(b []byte) (int, error) {
	_, err := w.spool.append(b)
	return len(b), err
}
