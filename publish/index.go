package publish

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/klauspost/compress/gzip"

	"repomill/schemas/catalog"
)

// An index is an index file being made: fragments go in, in order, and compressed bytes pile up in a
// temporary file. It is a row of gzip members, one a segment (RFC 1952, section 2.2: a concatenation of
// members is a gzip file). Where a segment ends depends on the set of rows alone, so that equal rows
// give equal bytes.
type index struct {
	segment bytes.Buffer // plain bytes of the segment at hand
	spool   *os.File     // compressed bytes; has no name, so a crash leaves nothing
	plain   digest
	packed  digest
}

// A digest is the size and SHA-256 of what was written to it.
type digest struct {
	hash hash.Hash
	size int64
}

func (d *digest) Write(p []byte) (int, error) {
	d.size += int64(len(p))
	return d.hash.Write(p)
}

func (d *digest) sum() string { return hex.EncodeToString(d.hash.Sum(nil)) }

func newIndex() (*index, error) {
	spool, err := os.CreateTemp("", "repomill-index-")
	if err != nil {
		return nil, fmt.Errorf("make index: %w", err)
	}
	if err := os.Remove(spool.Name()); err != nil {
		spool.Close()
		return nil, fmt.Errorf("make index: %w", err)
	}
	return &index{spool: spool, plain: digest{hash: sha256.New()}, packed: digest{hash: sha256.New()}}, nil
}

// startsSegment reports whether a row is the first of its segment: one identity in 128 is.
func startsSegment(p catalog.Package) bool {
	sum := sha256.Sum256([]byte(p.Name + "\x00" + p.Canonical + "\x00" + p.Arch))
	return sum[0]&127 == 0
}

// add appends text; if border is set, as the start of a segment.
func (x *index) add(w *gzip.Writer, border bool, text ...[]byte) error {
	if border {
		if err := x.flush(w); err != nil {
			return err
		}
	}
	for _, t := range text {
		x.segment.Write(t)
	}
	return nil
}

// flush ends the segment at hand. A segment without bytes leaves none. w is the caller's, so that one
// compressor serves many indexes.
func (x *index) flush(w *gzip.Writer) error {
	if x.segment.Len() == 0 {
		return nil
	}
	w.Reset(io.MultiWriter(x.spool, &x.packed))
	x.plain.Write(x.segment.Bytes()) //nolint:errcheck // a hash
	_, err := w.Write(x.segment.Bytes())
	x.segment.Reset()
	if err = errors.Join(err, w.Close()); err != nil {
		return fmt.Errorf("make index: %w", err)
	}
	return nil
}

// finish ends the index. An index without any text is one empty member.
func (x *index) finish(w *gzip.Writer) error {
	if err := x.flush(w); err != nil || x.packed.size > 0 {
		return err
	}
	w.Reset(io.MultiWriter(x.spool, &x.packed))
	return w.Close()
}

// body returns the compressed bytes of a finished index.
func (x *index) body() io.Reader { return io.NewSectionReader(x.spool, 0, x.packed.size) }

func (x *index) close() { x.spool.Close() }

// newCompressor returns the one compressor whose output is published. Its level is part of the bytes.
func newCompressor() *gzip.Writer {
	w, err := gzip.NewWriterLevel(nil, 6)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}
