package render

import (
	"fmt"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// A scratch is a file of pieces. Pieces are appended to it and read back in any order. It is an unlinked temporary file, of which a
// crash leaves nothing behind, or a file of a [folder], which outlives the process. What the file has no room for lies in a temporary
// file of the system. Methods may be called concurrently.
type scratch struct {
	file    *os.File
	path    string // of a file that outlives the process; empty for a temporary one
	named   bool   // a saved description names the file
	dir     string // where a temporary file is
	size    atomic.Int64
	broken  atomic.Bool // a read or write has failed
	spilled atomic.Bool // a piece lies in spill
	mu      sync.Mutex
	spill   *os.File // has pieces at the offsets that they would have in file
}

// An extent is a piece of a scratch.
type extent struct {
	offset, size int64
	spilled      bool
}

// newScratch makes a temporary file in a folder; empty for the system's, which also replaces a folder that takes none.
func newScratch(dir string) (*scratch, error) {
	f, err := unlinked(dir)
	if err != nil && dir != "" {
		dir = ""
		f, err = unlinked(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("make index: %w: --cache names the folder for it", err)
	}
	return &scratch{file: f, dir: dir}, nil
}

// unlinked makes a temporary file that has no name any more.
func unlinked(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "repomill-index-")
	if err == nil {
		if err = os.Remove(f.Name()); err != nil {
			f.Close()
		}
	}
	return f, err
}

// append adds a piece and returns where it lies.
func (s *scratch) append(b []byte) (extent, error) {
	e := extent{offset: s.size.Add(int64(len(b))) - int64(len(b)), size: int64(len(b))}
	_, err := s.file.WriteAt(b, e.offset)
	if err != nil && (s.dir != "" || s.path != "") {
		e.spilled = true
		if spillErr := s.spillAt(b, e.offset); spillErr == nil {
			return e, nil
		}
	}
	if err != nil {
		s.broken.Store(true)
		return extent{}, fmt.Errorf("make index: %w: --cache names a folder with more room", err)
	}
	return e, nil
}

// spillAt writes a piece to the temporary file of the system.
func (s *scratch) spillAt(b []byte, offset int64) (err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.spill == nil {
		if s.spill, err = unlinked(""); err != nil {
			return err
		}
	}
	s.spilled.Store(true)
	_, err = s.spill.WriteAt(b, offset)
	return err
}

// at returns the file that has an extent.
func (s *scratch) at(e extent) *os.File {
	if !e.spilled {
		return s.file
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.spill
}

// read returns the bytes of extents, one after the other.
func (s *scratch) read(extents []extent) io.Reader { return &scratchReader{scratch: s, rest: extents} }

// close closes the files. One that no saved description names is removed.
func (s *scratch) close() {
	s.file.Close()
	if s.spill != nil {
		s.spill.Close()
	}
	if s.path != "" && !s.named {
		os.Remove(s.path) //nolint:errcheck // the next process that has the folder removes it
	}
}

// changed returns the time of the last change of the file.
func (s *scratch) changed() time.Time {
	info, err := s.file.Stat()
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

type scratchReader struct {
	scratch *scratch
	rest    []extent
	at      int64 // in the first of them
}

func (r *scratchReader) Read(p []byte) (n int, err error) {
	for n < len(p) && len(r.rest) > 0 {
		e := r.rest[0]
		part := p[n:min(int64(len(p)), int64(n)+e.size-r.at)]
		if _, err := r.scratch.at(e).ReadAt(part, e.offset+r.at); err != nil {
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

// A scratchWriter appends to a scratch that has no other writer.
type scratchWriter struct {
	scratch *scratch
	written []extent
}

func (w *scratchWriter) Write(b []byte) (int, error) {
	e, err := w.scratch.append(b)
	if n := len(w.written); n > 0 && err == nil && w.written[n-1].spilled == e.spilled {
		w.written[n-1].size += e.size
	} else {
		w.written = append(w.written, e)
	}
	return len(b), err
}
