package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"

	"github.com/klauspost/compress/zstd"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// maxTail is the number of bytes at the end of data.tar that are kept: for what may follow the stream, and for an xz
// index of some thousand blocks.
const maxTail = 64<<10 + maxTrailing

var errCutShort = errors.New("ends before its compressed stream does")

// An Unclear is the rejection of a package whose first and last bytes do not show whether dpkg installs it. The
// caller reads the package again, with [Package.VerifyClosely].
type Unclear struct{ Rejection error }

// Error implements error.
func (u *Unclear) Error() string { return u.Rejection.Error() }

// Unwrap returns the rejection.
func (u *Unclear) Unwrap() error { return u.Rejection }

// checkTail checks the last bytes of a data member of size bytes for the end of its compressed stream. It accepts
// forms whose end cannot be recognized, such as lzma.
func checkTail(name string, tail []byte, size int64) error {
	switch name {
	case "data.tar.gz":
		// RFC 1952, section 2.3.1: the unpacked length. A tar archive consists of blocks; zeros may be padding.
		// A gzip member that follows another may begin anywhere.
		if len(tail) < 8 || binary.LittleEndian.Uint32(tail[len(tail)-4:])%tarBlock != 0 && !bytes.Contains(tail, []byte("\x1f\x8b\x08")) {
			return &Unclear{input.Reject(catalog.Malformed, "%s does not end as gzip does: it is cut short, or bytes follow its end, and a look at it does not show which; rebuild the package, and upload it again", name)}
		}
		if len(tail) > maxTrailing && len(bytes.TrimRight(tail, "\x00")) < len(tail)-maxTrailing { // no stream ends with so many zeros
			return errTrailing
		}
	case "data.tar.xz":
		return checkXZTail(tail, size)
	case "data.tar.bz2":
		return checkBzip2Tail(tail)
	}
	return nil
}

// checkXZTail checks for the footer of a stream that began at the start of the member (The .xz File Format, section
// 2.1.2).
func checkXZTail(tail []byte, size int64) error {
	const footerSize = 12
	for behind := 0; behind <= len(tail)-footerSize; behind++ {
		end := len(tail) - behind
		if footer := tail[end-footerSize : end]; string(footer[10:]) != "YZ" || !crcMatches(footer[4:10], footer[:4]) {
			continue
		}
		if err := checkXZIndex(tail[:end], size-int64(behind)); err != nil || behind <= maxTrailing {
			return err
		}
		return errTrailing
	}
	return errCutShort
}

// checkXZIndex checks the index before a footer (section 4), which must describe all blocks before it. tail are the
// last bytes of a stream of size bytes.
func checkXZIndex(tail []byte, size int64) error {
	const footerSize, headerSize = 12, 12
	footer := tail[len(tail)-footerSize:]
	indexSize := (int64(binary.LittleEndian.Uint32(footer[4:])) + 1) * 4
	if indexSize > size-footerSize-headerSize {
		return errXZ
	}
	if indexSize > int64(len(tail)-footerSize) {
		return nil // the index begins before tail
	}
	index := tail[int64(len(tail)-footerSize)-indexSize : len(tail)-footerSize]
	if index[0] != 0 || !crcMatches(index[:indexSize-4], index[indexSize-4:]) {
		return errXZ
	}
	s := xzStream{rest: index[1 : indexSize-4]}
	total := int64(footerSize + headerSize + indexSize)
	for n := s.number(); n > 0; n-- {
		unpadded, unpacked := s.number(), s.number()
		if unpadded <= 0 || unpacked < 0 || unpadded > size {
			return errXZ
		}
		total += unpadded + -unpadded&3
	}
	switch {
	case total > size:
		return errCutShort
	case total < size:
		return errSeveralStreams
	}
	return nil
}

// checkBzip2Tail checks for the end of a bzip2 stream.
func checkBzip2Tail(tail []byte) error {
	for behind := 0; behind <= min(len(tail), maxTrailing); behind++ {
		if endsAsBzip2(tail[:len(tail)-behind]) {
			return nil
		}
	}
	return errCutShort
}

// A zstdWalker follows the frames and blocks of a zstd stream without unpacking them (RFC 8878, section 3.1). The
// stream is written to it in pieces.
type zstdWalker struct {
	partial  []byte // the bytes of an incomplete header
	skip     int64  // bytes until the next header
	in       bool   // in a frame
	frames   int    // frames that began, without skippable ones
	checksum bool
	seen     int64 // bytes
	end      int64 // offset of the end of the first frame, which may not be written yet; 0 if unknown
	trailing bool  // the bytes that are written are behind all frames
	err      error
}

func (w *zstdWalker) write(p []byte) {
	for len(p) > 0 && w.err == nil {
		n := int64(1)
		switch {
		case w.trailing:
			n = int64(len(p))
		case w.skip > 0:
			n = min(w.skip, int64(len(p)))
			w.skip -= n
		default:
			w.partial = append(w.partial, p[0])
		}
		p, w.seen = p[n:], w.seen+n
		if len(w.partial) > 0 {
			w.header()
		}
	}
}

// header reads the header in w.partial, if it is complete.
func (w *zstdWalker) header() {
	if w.in {
		if len(w.partial) < 3 {
			return
		}
		h := uint32(binary.LittleEndian.Uint16(w.partial)) | uint32(w.partial[2])<<16
		w.skip = int64(h >> 3)
		switch h >> 1 & 3 {
		case 1:
			w.skip = 1
		case 3:
			w.err = errors.New("a zstd block of the reserved type")
		}
		if h&1 == 1 {
			if w.in = false; w.checksum {
				w.skip += 4
			}
			w.end = w.seen + w.skip
		}
		w.partial = w.partial[:0]
		return
	}
	w.frame()
}

// frame reads the header of a frame, which may be a skippable one, if it is complete.
func (w *zstdWalker) frame() {
	if len(w.partial) < 5 {
		return
	}
	magic := binary.LittleEndian.Uint32(w.partial)
	if magic&^0xf == 0x184d2a50 {
		if len(w.partial) == 8 {
			w.skip, w.partial = int64(binary.LittleEndian.Uint32(w.partial[4:])), w.partial[:0]
		}
		return
	}
	if magic != 0xfd2fb528 {
		if w.trailing, w.partial = true, w.partial[:0]; w.frames == 0 {
			w.err = errors.New("no zstd frame")
		}
		return
	}
	d := w.partial[4]
	size := 5 + [4]int{0, 1, 2, 4}[d&3] + [4]int{0, 2, 4, 8}[d>>6]
	if d&0x20 == 0 {
		size++ // a byte with the window
	} else if d>>6 == 0 {
		size++ // a single segment has its size, in at least a byte
	}
	if len(w.partial) < size {
		return
	}
	var h zstd.Header
	if w.frames++; w.frames > 1 {
		w.err = errSeveralStreams
	} else if w.err = h.Decode(w.partial); w.err == nil && (h.WindowSize > maxWindow || h.SingleSegment && h.FrameContentSize > maxWindow) {
		w.err = zstd.ErrWindowSizeExceeded
	} else if w.err == nil && h.DictionaryID != 0 {
		w.err = zstd.ErrUnknownDictionary
	}
	w.in, w.checksum, w.partial = true, d&4 != 0, w.partial[:0]
}

// finish returns an error if the stream may not end here.
func (w *zstdWalker) finish() error {
	switch {
	case w.err != nil:
		return w.err
	case w.end == 0 || w.seen < w.end:
		return errCutShort
	case w.seen-w.end > maxTrailing:
		return errTrailing
	}
	return nil
}

// bzip2Start are the bytes behind the level of a bzip2 stream: the mark of its first block (the digits of pi).
var bzip2Start = []byte("\x31\x41\x59\x26\x53\x59")

// A bzip2Walker finds a second bzip2 stream in what is written to it in pieces. dpkg reads the first stream alone.
type bzip2Walker struct {
	last    []byte // the last bytes of the pieces before
	streams int
	err     error
}

func (w *bzip2Walker) write(p []byte) {
	const header = 4 + 6 // "BZh9" and bzip2Start
	all := slices.Concat(w.last, p)
	for rest := all; w.err == nil; {
		i := bytes.Index(rest, []byte("BZh"))
		if i < 0 || len(rest) < i+header {
			break
		}
		if c := rest[i+3]; '1' <= c && c <= '9' && bytes.Equal(rest[i+4:i+header], bzip2Start) {
			if w.streams++; w.streams > 1 {
				w.err = errSeveralStreams
			}
		}
		rest = rest[i+3:]
	}
	w.last = bytes.Clone(all[max(0, len(all)-header+1):])
}
