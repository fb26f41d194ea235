package rpm

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"repomill/schemas/catalog"
)

// A source reads the first part of a package and keeps it, so that it can be read again.
type source struct {
	r    io.Reader
	kept bytes.Buffer
}

// errShort says that r ended early. It never leaves this package.
var errShort = errors.New("package ends early")

// more reads n more bytes. Memory grows with what arrives, to less than three times of it, and not
// with n, which may be forged. The error is errShort or a fault.
func (s *source) more(n int64) error {
	got, err := io.Copy(&s.kept, io.LimitReader(s.r, n))
	if err != nil {
		return fmt.Errorf("read package: %w", err)
	}
	if got < n {
		return errShort
	}
	return nil
}

// need is more with a verdict on a short file: it ends within what.
func (s *source) need(n int64, what string) error {
	err := s.more(n)
	if err == errShort {
		return reject(catalog.Truncated, "the file ends within its %s, after %d bytes; upload it again", what, s.kept.Len())
	}
	return err
}

// bytes returns everything read so far. It is valid until the next read.
func (s *source) bytes() []byte { return s.kept.Bytes() }

// from returns what was read since there were start bytes.
func (s *source) from(start int) []byte { return s.kept.Bytes()[start:] }

func (s *source) len() int { return s.kept.Len() }
