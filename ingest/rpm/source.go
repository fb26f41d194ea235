package rpm

import (
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
)

// A source reads the first part of a package and keeps it, so that it can be read again.
type source struct {
	r      io.Reader
	before int // bytes of the file that another source read
	kept   []byte
}

// errShort says that r ended early. It never leaves this package.
var errShort = errors.New("package ends early")

// The memory that is taken at once: firstStep bytes, then growth times what has arrived, but no more than was
// asked for. The steps are few, so that what is copied between them stays below a third of the whole.
const (
	firstStep = 4 << 10
	growth    = 4
)

// more reads n more bytes. Memory grows with what arrives, and not with n, which may be forged. The error
// is errShort or a fault.
func (s *source) more(n int64) error {
	for n > 0 {
		if len(s.kept) == cap(s.kept) {
			room := max(firstStep, min(int64(len(s.kept))+n, growth*int64(len(s.kept))))
			s.kept = append(make([]byte, 0, room), s.kept...)
		}
		at := len(s.kept)
		got, err := readFull(s.r, s.kept[at:min(int64(cap(s.kept)), int64(at)+n)])
		s.kept = s.kept[:at+got]
		if n -= int64(got); err != nil {
			return err
		}
	}
	return nil
}

// readFull fills p, or returns errShort where r ended. Unlike [io.ReadFull] it never says
// io.ErrUnexpectedEOF itself: that is what a broken connection says, and a fault, not a truncated file.
func readFull(r io.Reader, p []byte) (n int, err error) {
	for idle := 0; n < len(p); {
		got, err := r.Read(p[n:])
		if n += got; n == len(p) {
			return n, nil
		}
		if err == io.EOF {
			return n, errShort
		}
		if err != nil {
			return n, fmt.Errorf("read package: %w", err)
		}
		if idle++; got > 0 {
			idle = 0
		} else if idle == 100 {
			return n, fmt.Errorf("read package: %w", io.ErrNoProgress)
		}
	}
	return n, nil
}

// need is more with a verdict on a short file: it ends within what.
func (s *source) need(n int64, what string) error {
	err := s.more(n)
	if err == errShort {
		return reject(catalog.Truncated, "the file ends within its %s, after %d bytes; upload it again", what, s.before+s.len())
	}
	return err
}

// bytes returns everything read so far. It is valid until the next read.
func (s *source) bytes() []byte { return s.kept }

// from returns what was read since there were start bytes.
func (s *source) from(start int) []byte { return s.kept[start:] }

func (s *source) len() int { return len(s.kept) }
