package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// unpackers are the decompressors of control.tar that dpkg has, by member name. Each returns a reader of the whole
// member. Beyond limit unpacked bytes the error is a rejection. done frees resources.
var unpackers = map[string]func(name string, packed []byte, limit int64) (tarball io.Reader, done func(), err error){
	"control.tar":     unpackNone,
	"control.tar.gz":  unpackGzip,
	"control.tar.xz":  unpackXZ,
	"control.tar.zst": unpackZstd,
}

// unpackControl returns a reader of the tar archive in a control member, whose errors are rejections.
func unpackControl(name string, packed []byte) (tarball io.Reader, done func(), err error) {
	limit := int64(min(maxUnpacked, max(freeOutput, maxRatio*len(packed))))
	r, done, err := unpackers[name](name, packed, limit)
	return &bombReader{r: r, name: name, limit: limit}, done, err
}

// A bombReader rejects more than limit bytes as a decompression bomb, and turns errors of the decompressor into
// rejections.
type bombReader struct {
	r           io.Reader
	name        string
	read, limit int64
}

func (l *bombReader) Read(p []byte) (int, error) {
	n, err := l.r.Read(p)
	if l.read += int64(n); l.read > l.limit {
		return 0, bombRejection(l.name, l.limit)
	}
	if rej := (*catalog.Rejection)(nil); err != nil && err != io.EOF && !errors.As(err, &rej) {
		err = damagedRejection(l.name, err)
	}
	return n, err
}

func bombRejection(name string, limit int64) error {
	return input.Reject(catalog.DecompressionBomb, "%s unpacks to more than %d bytes, for its size or in all; no package needs that much control information", name, limit)
}

func damagedRejection(name string, err error) error {
	return input.Reject(catalog.Malformed, "%s cannot be unpacked (%s); rebuild the package with dpkg-deb", name, input.Quote(err.Error()))
}

func unpackNone(_ string, packed []byte, _ int64) (io.Reader, func(), error) {
	return bytes.NewReader(packed), func() {}, nil
}

// gunzips hold gzip readers between two packages: each has a window of 32 KiB.
var gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unpackGzip reads gzip members and the zeros behind them, as dpkg and apt do. dpkg and apt ignore other bytes at the
// end; they are refused here.
func unpackGzip(name string, packed []byte, _ int64) (io.Reader, func(), error) {
	m := &gzipMembers{name: name, in: bytes.NewReader(packed), z: gunzips.Get().(*gzip.Reader)}
	done := func() { gunzips.Put(m.z) }
	return m, done, m.next()
}

// gzipMembers reads gzip members one after the other.
type gzipMembers struct {
	name string
	in   *bytes.Reader
	z    *gzip.Reader
	n    int // members so far
}

func (m *gzipMembers) next() error {
	if m.n++; m.n > maxFrames {
		return input.Reject(catalog.TooLarge, "%s has more than %d gzip members; rebuild the package with dpkg-deb", m.name, maxFrames)
	}
	if err := m.z.Reset(m.in); err != nil {
		return damagedRejection(m.name, err)
	}
	m.z.Multistream(false)
	return nil
}

func (m *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := m.z.Read(p)
		if err != io.EOF || n > 0 {
			if err == io.EOF {
				err = nil // the next read returns it again
			}
			return n, err
		}
		if m.onlyZeros() {
			return 0, io.EOF
		}
		if err := m.next(); err != nil {
			return 0, err
		}
	}
}

// onlyZeros reports whether the rest of the input, which may be empty, is zeros alone.
func (m *gzipMembers) onlyZeros() bool {
	for m.in.Len() > 0 {
		if b, err := m.in.ReadByte(); err != nil || b != 0 {
			m.in.UnreadByte() //nolint:errcheck // a byte was read
			return false
		}
	}
	return true
}

// unpackZstd reads one zstd frame. dpkg ends after the first frame, and apt does not.
func unpackZstd(name string, packed []byte, limit int64) (io.Reader, func(), error) {
	size, window, err := checkZstd(name, packed, limit)
	if err != nil {
		return nil, nil, err
	}
	options := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true)}
	if size > maxInMemory {
		if window > maxWindow/4 {
			return nil, nil, input.Reject(catalog.TooLarge, "%s needs a zstd window of %d bytes; the limit for one of its size is %d: use a lower compression level", name, window, maxWindow/4)
		}
		z, err := zstd.NewReader(bytes.NewReader(packed), append(options, zstd.WithDecoderMaxWindow(maxWindow/4))...)
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}
	z, err := zstd.NewReader(nil, append(options, zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))...)
	if err != nil {
		return nil, nil, err
	}
	defer z.Close()
	out, err := z.DecodeAll(packed, make([]byte, 0, size))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, nil, bombRejection(name, limit)
	case err != nil:
		return nil, nil, damagedRejection(name, err)
	}
	return bytes.NewReader(out), func() {}, nil
}

// checkZstd checks the header and the blocks of one frame without unpacking them. size is the most bytes that it
// unpacks to; window is in bytes.
func checkZstd(name string, packed []byte, limit int64) (size, window int64, err error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return 0, 0, damagedRejection(name, err)
	}
	switch {
	case h.Skippable:
		return 0, 0, input.Reject(catalog.Malformed, "%s starts with a skippable zstd frame, which dpkg cannot read; rebuild the package with dpkg-deb", name)
	case h.DictionaryID != 0:
		return 0, 0, input.Reject(catalog.Unsupported, "%s needs a zstd dictionary, which dpkg does not have; rebuild the package with dpkg-deb", name)
	case h.WindowSize > maxWindow:
		return 0, 0, input.Reject(catalog.TooLarge, "%s needs a zstd window of %d bytes; the limit is %d: use a lower compression level", name, h.WindowSize, maxWindow)
	case h.HasFCS && h.FrameContentSize > uint64(limit):
		return 0, 0, bombRejection(name, limit)
	case h.HasFCS:
		limit = int64(h.FrameContentSize)
	}
	most, err := checkBlocks(name, packed[h.HeaderSize:], h.HasCheckSum, limit)
	return min(most, limit), int64(h.WindowSize), err
}

// maxBlock is how many bytes a compressed zstd block unpacks to at most (RFC 8878, section 3.1.1.2.4).
const maxBlock = 128 << 10

// checkBlocks follows the blocks of a zstd frame, which must be all of rest. most is the largest number of bytes that
// they unpack to: a block states it, unless it is compressed.
func checkBlocks(name string, rest []byte, checksum bool, limit int64) (most int64, err error) {
	known := int64(0) // unpacked bytes of the blocks whose size is known
	for n, last := 1, false; !last; n++ {
		if len(rest) < 3 {
			return 0, damagedRejection(name, io.ErrUnexpectedEOF)
		}
		// Block header, RFC 8878 section 3.1.1.2: last block, type, size; an RLE block (type 1) holds one byte.
		header := uint32(binary.LittleEndian.Uint16(rest)) | uint32(rest[2])<<16
		size, kind := int(header>>3), header>>1&3
		if kind <= 1 {
			known += int64(size)
			most += int64(size)
		} else {
			most += maxBlock
		}
		if kind == 1 {
			size = 1
		}
		if last = header&1 == 1; last && checksum {
			size += 4
		}
		switch {
		case known > limit:
			return 0, bombRejection(name, limit)
		case n > maxChunks:
			return 0, input.Reject(catalog.TooLarge, "%s has more than %d zstd blocks; rebuild the package with dpkg-deb", name, maxChunks)
		case len(rest) < 3+size:
			return 0, damagedRejection(name, io.ErrUnexpectedEOF)
		}
		rest = rest[3+size:]
	}
	if len(rest) > 0 {
		return 0, input.Reject(catalog.Malformed, "%s goes on after its first zstd frame, where dpkg stops reading; rebuild the package with dpkg-deb", name)
	}
	return most, nil
}
