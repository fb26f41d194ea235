// Package gzipmember cuts and compresses index text the way published indexes have it: as a row of gzip
// members, which is a gzip file itself (RFC 1952, section 2.2), cut where the set of packages alone says.
//
// What is made here is published as it is. Another level, or another version of the compressor, makes
// other bytes of the same text, and so new index files of every release that is reindexed.
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

// Oversized is the size in bytes from which on the text of one package is a member of its own, so that it is
// compressed once in its life, when it comes in.
const Oversized = 1 << 20

// level is part of the bytes.
const level = 6

// compressors are kept: one holds more than a megabyte.
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
		panic(err) // a buffer takes everything
	}
	return out.Bytes()
}

// Is reports whether b begins as a member does.
func Is(b []byte) bool { return len(b) > 2 && b[0] == 0x1f && b[1] == 0x8b }

// Text appends to dst the text of a member, of at most limit bytes.
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

// Boundary reports whether the text of a package starts a new member: one identity in 128 does, so that
// members are of some 128 packages, and a package that comes or goes changes one of them.
func Boundary(name, canonical, arch []byte) bool {
	var buf [512]byte
	id := append(buf[:0], name...)
	id = append(append(id, 0), canonical...)
	id = append(append(id, 0), arch...)
	return sha256.Sum256(id)[0]&127 == 0
}
