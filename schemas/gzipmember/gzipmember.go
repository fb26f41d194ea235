// Package gzipmember divides the text of an index into gzip members and compresses them. A concatenation of members
// is a gzip file (RFC 1952, section 2.2). The boundaries depend on the set of packages alone.
//
// The bytes are published as they are. Another level or version of the compressor gives other bytes for the same
// text, and so new index files for every release.
package gzipmember

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
)

// Oversized is the size in bytes above which the text of one package is a member of its own. It is compressed once, at
// ingest, and reused by every rendering.
const Oversized = 1 << 20

// level is the compression level. The published bytes depend on it.
const level = 6

// compressors are reused: each has more than a megabyte of buffers.
var compressors = sync.Pool{New: func() any {
	w, err := gzip.NewWriterLevel(nil, level)
	if err != nil {
		panic(err) // the level is a constant
	}
	return w
}}

// Append appends to dst one member that holds text.
func Append(dst, text []byte) []byte {
	w := compressors.Get().(*gzip.Writer)
	defer compressors.Put(w)
	out := bytes.NewBuffer(dst)
	w.Reset(out)
	_, err := w.Write(text)
	if err = errors.Join(err, w.Close()); err != nil {
		panic(err) // a write to a buffer cannot fail
	}
	return out.Bytes()
}

// Is reports whether b begins with the magic bytes of a member.
func Is(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

// Text appends to dst the text of the members in b. A text of more than limit bytes is an error.
func Text(dst, b []byte, limit int) ([]byte, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return dst, err
	}
	out := bytes.NewBuffer(dst)
	n, err := io.Copy(out, io.LimitReader(z, int64(limit)+1))
	if err == nil && n > int64(limit) {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return out.Bytes(), err
}

// Boundary reports whether the text of a package starts a new member. It depends on the identity alone, and is true for one
// in 128. A member has 128 packages on average, and adding or removing a package changes one member, or two if the package
// is a boundary.
func Boundary(name, canonical, arch []byte) bool {
	var buf [512]byte
	id := append(buf[:0], name...)
	id = append(append(id, 0), canonical...)
	id = append(append(id, 0), arch...)
	return sha256.Sum256(id)[0]&127 == 0
}
