package deb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"sync"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"repomill/schemas/catalog"
)

// unpackers are the forms of control.tar that dpkg reads, by member name. Each unpacks the whole member
// into at most limit bytes.
var unpackers = map[string]func(name string, packed []byte, limit int) ([]byte, error){
	"control.tar":     unpackNone,
	"control.tar.gz":  unpackGzip,
	"control.tar.xz":  unpackXZ,
	"control.tar.zst": unpackZstd,
}

// unpack returns the tar archive in a control member.
func unpack(name string, packed []byte) ([]byte, error) {
	limit := min(maxControlTar, max(freeRatio, maxRatio*len(packed)))
	return unpackers[name](name, packed, limit)
}

func bomb(name string, limit int) error {
	return reject(catalog.DecompressionBomb, "%s unpacks to more than %d bytes; no package needs that much control information", name, limit)
}

func damaged(name string, err error) error {
	return reject(catalog.Malformed, "%s cannot be unpacked (%s); rebuild the package with dpkg-deb", name, quote(err.Error()))
}

func unpackNone(name string, packed []byte, _ int) ([]byte, error) {
	if len(packed) > maxControlTar {
		return nil, reject(catalog.TooLarge, "%s has %d bytes; the limit is %d", name, len(packed), maxControlTar)
	}
	return packed, nil
}

// gunzips hold readers between two packages: each has a window of 32 KiB.
var gunzips = sync.Pool{New: func() any { return new(gzip.Reader) }}

// unpackGzip reads one or several gzip members, as dpkg and apt do. Both ignore other bytes at the end; here
// they are refused.
func unpackGzip(name string, packed []byte, limit int) ([]byte, error) {
	in := bytes.NewReader(packed)
	z := gunzips.Get().(*gzip.Reader)
	defer gunzips.Put(z)
	if err := z.Reset(in); err != nil {
		return nil, damaged(name, err)
	}
	var out []byte
	var err error
	for n := 1; ; n++ {
		z.Multistream(false)
		if out, err = appendAll(out, z, limit+1); err != nil {
			return nil, damaged(name, err)
		}
		if len(out) > limit {
			return nil, bomb(name, limit)
		}
		if in.Len() == 0 {
			return out, nil
		}
		if n == maxFrames {
			return nil, reject(catalog.TooLarge, "%s has more than %d gzip members; rebuild the package with dpkg-deb", name, maxFrames)
		}
		if err := z.Reset(in); err != nil {
			return nil, damaged(name, err)
		}
	}
}

// appendAll appends what r has left to b, which becomes no longer than most bytes.
func appendAll(b []byte, r io.Reader, most int) ([]byte, error) {
	for len(b) < most {
		if len(b) == cap(b) {
			b = append(make([]byte, 0, min(2*cap(b)+16<<10, most)), b...)
		}
		n, err := r.Read(b[len(b):cap(b)])
		b = b[:len(b)+n]
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, err
		}
	}
	return b, nil
}

// unpackZstd reads one zstd frame: dpkg stops after the first, and apt does not.
func unpackZstd(name string, packed []byte, limit int) ([]byte, error) {
	size, err := checkZstd(name, packed, limit)
	if err != nil {
		return nil, err
	}
	z, err := zstd.NewReader(nil,
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecodeAllCapLimit(true),
		zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	out, err := z.DecodeAll(packed, make([]byte, 0, size))
	switch {
	case errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return nil, bomb(name, limit)
	case err != nil:
		return nil, damaged(name, err)
	}
	return out, nil
}

// checkZstd walks the blocks of the one frame without unpacking them. It returns how many bytes can come
// out: the size that the frame states, or limit.
func checkZstd(name string, packed []byte, limit int) (int, error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return 0, damaged(name, err)
	}
	switch {
	case h.Skippable:
		return 0, reject(catalog.Malformed, "%s starts with a skippable zstd frame, which dpkg cannot read; rebuild the package with dpkg-deb", name)
	case h.DictionaryID != 0:
		return 0, reject(catalog.Unsupported, "%s needs a zstd dictionary, which dpkg does not have; rebuild the package with dpkg-deb", name)
	case h.WindowSize > maxWindow:
		return 0, reject(catalog.TooLarge, "%s needs a zstd window of %d bytes; the limit is %d: use a lower compression level", name, h.WindowSize, maxWindow)
	case h.HasFCS && h.FrameContentSize > uint64(limit):
		return 0, bomb(name, limit)
	case h.HasFCS:
		limit = int(h.FrameContentSize)
	}
	return limit, checkBlocks(name, packed[h.HeaderSize:], h.HasCheckSum, limit)
}

// checkBlocks walks the blocks of a zstd frame, which must take all of rest. A block says how much it unpacks to,
// unless it is compressed.
func checkBlocks(name string, rest []byte, checksum bool, limit int) error {
	known := 0 // bytes that come out
	for n, last := 1, false; !last; n++ {
		if len(rest) < 3 {
			return damaged(name, io.ErrUnexpectedEOF)
		}
		// Block header, RFC 8878 section 3.1.1.2: last block, type, size; an RLE block (type 1) holds one byte.
		header := uint32(binary.LittleEndian.Uint16(rest)) | uint32(rest[2])<<16
		size, kind := int(header>>3), header>>1&3
		if kind <= 1 {
			known += size
		}
		if kind == 1 {
			size = 1
		}
		if last = header&1 == 1; last && checksum {
			size += 4
		}
		switch {
		case known > limit:
			return bomb(name, limit)
		case n > maxChunks:
			return reject(catalog.TooLarge, "%s has more than %d zstd blocks; rebuild the package with dpkg-deb", name, maxChunks)
		case len(rest) < 3+size:
			return damaged(name, io.ErrUnexpectedEOF)
		}
		rest = rest[3+size:]
	}
	if len(rest) > 0 {
		return reject(catalog.Malformed, "%s goes on after its first zstd frame, where dpkg stops reading; rebuild the package with dpkg-deb", name)
	}
	return nil
}
