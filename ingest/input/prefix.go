package input

import (
	"fmt"
	"io"
)

// A Prefix reads the first part of a file and keeps it, so that it can be read again.
type Prefix struct {
	R    io.Reader
	kept []byte
}

// The memory that is allocated at once: firstStep bytes, then growth times what has arrived, or as much as a buffered reader holds, but
// not more than was asked for. The steps are few, so that what is copied between them stays below a third of the whole.
const (
	firstStep = 4 << 10
	growth    = 4
)

// More reads n more bytes. Memory grows with the bytes that arrive, and not with n, which may be forged. The error is
// io.EOF where the file ends before, or a fault of the reader, wrapped.
func (p *Prefix) More(n int64) error {
	for n > 0 {
		if len(p.kept) == cap(p.kept) {
			room := max(firstStep, min(int64(len(p.kept))+n, max(growth*int64(len(p.kept)), int64(len(p.kept))+p.buffered())))
			p.kept = append(make([]byte, 0, room), p.kept...)
		}
		at := len(p.kept)
		got, err := ReadFull(p.R, p.kept[at:min(int64(cap(p.kept)), int64(at)+n)])
		p.kept = p.kept[:at+got]
		if n -= int64(got); err != nil {
			return err
		}
	}
	return nil
}

// buffered returns how many bytes R holds in memory already.
func (p *Prefix) buffered() int64 {
	if b, ok := p.R.(interface{ Buffered() int }); ok {
		return int64(b.Buffered())
	}
	return 0
}

// Bytes returns all that was read. It is valid until the next read.
func (p *Prefix) Bytes() []byte { return p.kept }

// From returns what was read after the first start bytes. It is valid until the next read.
func (p *Prefix) From(start int) []byte { return p.kept[start:] }

// Len returns the number of bytes that were read.
func (p *Prefix) Len() int { return len(p.kept) }

// ReadFull fills p. The error is io.EOF where r ends before, or a fault of r, wrapped. Unlike [io.ReadFull] it does not
// return io.ErrUnexpectedEOF itself: a broken connection does, and that is a fault and not a truncated file.
func ReadFull(r io.Reader, p []byte) (n int, err error) {
	const maxIdle = 100 // reads in a row that return nothing
	for idle := 0; n < len(p); {
		got, err := r.Read(p[n:])
		if n += got; n == len(p) {
			return n, nil
		}
		if err == io.EOF {
			return n, io.EOF
		}
		if err != nil {
			return n, fmt.Errorf("read package: %w", err)
		}
		if idle++; got > 0 {
			idle = 0
		} else if idle == maxIdle {
			return n, fmt.Errorf("read package: %w", io.ErrNoProgress)
		}
	}
	return n, nil
}
