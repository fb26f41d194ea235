package deb

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"hash"
	"hash/crc32"
	"hash/crc64"
	"io"
	"slices"

	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// unpackXZ reads one xz stream (The .xz File Format, version 1.0.4). It walks the whole container first:
// LZMA2 chunks state their sizes, so the unpacked size is known before memory is allocated. The dictionary
// is at most as large as the data, even if the stream declares a larger one.
func unpackXZ(name string, packed []byte, limit int64) (io.Reader, func(), error) {
	s := &xzStream{name: name, rest: packed}
	if err := s.parse(); err != nil {
		return nil, nil, err
	}
	total := int64(0)
	for _, b := range s.blocks {
		if total += b.size; total > limit {
			return nil, nil, bombRejection(name, limit)
		}
	}
	return &xzReader{stream: s}, func() {}, nil
}

// An xzReader unpacks the blocks of a stream that was parsed.
type xzReader struct {
	stream *xzStream
	r      io.Reader // of the current block; nil between blocks
	left   int64     // bytes of the current block
	sum    hash.Hash // its integrity check; nil if it has none
}

func (x *xzReader) Read(p []byte) (int, error) {
	for x.left == 0 {
		if err := x.endBlock(); err != nil {
			return 0, err
		}
		if len(x.stream.blocks) == 0 {
			return 0, io.EOF
		}
		if err := x.beginBlock(x.stream.blocks[0]); err != nil {
			return 0, err
		}
	}
	n, err := x.r.Read(p[:min(int64(len(p)), x.left)])
	x.left -= int64(n)
	if x.sum != nil {
		x.sum.Write(p[:n])
	}
	if err == io.EOF {
		if err = nil; x.left > 0 {
			err = errXZ
		}
	}
	return n, err
}

// beginBlock starts to read a block.
func (x *xzReader) beginBlock(b xzBlock) (err error) {
	dictionary := max(lzma.MinDictCap, min(b.dictionary, b.size))
	x.r, err = lzma.Reader2Config{DictCap: int(dictionary)}.NewReader2(bytes.NewReader(b.chunks))
	x.left, x.sum = b.size, x.stream.hash()
	return err
}

// endBlock checks that the current block, if there is one, ends where its header says, and compares its integrity
// check.
func (x *xzReader) endBlock() error {
	if x.r == nil {
		return nil
	}
	if n, err := x.r.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		return errXZ
	}
	if x.sum != nil && !bytes.Equal(x.stream.checkValue(x.sum), x.stream.blocks[0].check) {
		return errXZ
	}
	x.r, x.stream.blocks = nil, x.stream.blocks[1:]
	return nil
}

// An xzBlock is one block of a stream.
type xzBlock struct {
	chunks     []byte // LZMA2 chunks, with their end marker
	size       int64  // bytes, unpacked
	dictionary int64  // bytes that the header declares
	check      []byte
	unpadded   int64 // bytes of header, chunks and check, as the index has it
}

var errXZ = errors.New("the xz stream is damaged")

// An xzStream is the structure of one xz stream.
type xzStream struct {
	name   string
	rest   []byte // not yet parsed
	check  byte   // id of the integrity check
	blocks []xzBlock
	chunks int // of all blocks
}

// xzChecks are the sizes of integrity checks in bytes, by id.
var xzChecks = map[byte]int{0: 0, 1: 4, 4: 8, 10: 32}

var crc64Table = crc64.MakeTable(crc64.ECMA)

// hash returns the integrity check that the stream uses, or nil if it has none.
func (s *xzStream) hash() hash.Hash {
	switch s.check {
	case 1:
		return crc32.NewIEEE()
	case 4:
		return crc64.New(crc64Table)
	case 10:
		return sha256.New()
	}
	return nil
}

// checkValue returns the value of h as a stream stores it: CRCs are little endian.
func (s *xzStream) checkValue(h hash.Hash) []byte {
	b := h.Sum(nil)
	if s.check != 10 {
		slices.Reverse(b)
	}
	return b
}

// take returns the next n bytes, or nil if there are fewer.
func (s *xzStream) take(n int) []byte {
	if n > len(s.rest) {
		s.rest = nil
		return nil
	}
	b := s.rest[:n:n]
	s.rest = s.rest[n:]
	return b
}

// parse reads the header, the blocks, the index and the footer.
func (s *xzStream) parse() error {
	header := s.take(12)
	if header == nil || string(header[:7]) != "\xfd7zXZ\x00\x00" || !crcMatches(header[6:8], header[8:12]) {
		return damagedRejection(s.name, errXZ)
	}
	s.check = header[7]
	if _, ok := xzChecks[s.check]; !ok {
		return input.Reject(catalog.Unsupported, "%s has an unknown xz integrity check; rebuild the package with dpkg-deb", s.name)
	}
	for {
		if len(s.rest) == 0 {
			return damagedRejection(s.name, io.ErrUnexpectedEOF)
		}
		if s.rest[0] == 0 {
			return s.readIndex(header[6:8])
		}
		if len(s.blocks) == maxFrames {
			return input.Reject(catalog.TooLarge, "%s has more than %d xz blocks; rebuild the package with dpkg-deb", s.name, maxFrames)
		}
		if err := s.block(); err != nil {
			return err
		}
	}
}

// crcMatches reports whether sum is the CRC32 of b.
func crcMatches(b, sum []byte) bool { return crc32.ChecksumIEEE(b) == binary.LittleEndian.Uint32(sum) }

// block reads one block: header, chunks, padding to four bytes, check.
func (s *xzStream) block() error {
	header := s.take(4 * (int(s.rest[0]) + 1))
	if header == nil || !crcMatches(header[:len(header)-4], header[len(header)-4:]) {
		return damagedRejection(s.name, errXZ)
	}
	b, packed, size, err := s.blockHeader(header[1 : len(header)-4])
	if err != nil {
		return err
	}
	start := s.rest
	if b.size, err = s.lzma2(); err != nil {
		return err
	}
	b.chunks = start[:len(start)-len(s.rest)]
	if packed >= 0 && packed != int64(len(b.chunks)) || size >= 0 && size != b.size {
		return damagedRejection(s.name, errXZ)
	}
	padding := s.take(-len(b.chunks) & 3)
	if b.check = s.take(xzChecks[s.check]); padding == nil || b.check == nil || !isZero(padding) {
		return damagedRejection(s.name, errXZ)
	}
	b.unpadded = int64(len(header) + len(b.chunks) + len(b.check))
	s.blocks = append(s.blocks, b)
	return nil
}

// blockHeader reads the fields of a block header. The sizes are -1 where it has none.
func (s *xzStream) blockHeader(h []byte) (b xzBlock, packed, size int64, err error) {
	f := xzStream{rest: h[1:]}
	packed, size = -1, -1
	if h[0]&0x40 != 0 {
		packed = f.number()
	}
	if h[0]&0x80 != 0 {
		size = f.number()
	}
	if h[0]&0x3f != 0 || len(f.rest) < 3 || f.rest[0] != 0x21 {
		return b, 0, 0, input.Reject(catalog.Unsupported, "%s uses an xz filter besides LZMA2; rebuild the package with dpkg-deb", s.name)
	}
	filter := f.take(3)
	if b.dictionary, err = lzma.DecodeDictCap(filter[2]); err != nil || filter[1] != 1 || !isZero(f.rest) {
		return b, 0, 0, damagedRejection(s.name, errXZ)
	}
	if b.dictionary > maxDictionary {
		return b, 0, 0, input.Reject(catalog.TooLarge, "%s needs an xz dictionary of %d bytes; the limit is %d: use a lower compression level", s.name, b.dictionary, maxDictionary)
	}
	return b, packed, size, nil
}

// lzma2 skips the chunks of a block, and returns the number of bytes that they unpack to.
func (s *xzStream) lzma2() (size int64, err error) {
	for {
		control := s.take(1)
		if control == nil {
			return 0, damagedRejection(s.name, io.ErrUnexpectedEOF)
		}
		if s.chunks++; s.chunks > maxChunks+maxFrames {
			return 0, input.Reject(catalog.TooLarge, "%s has more than %d LZMA2 chunks; rebuild the package with dpkg-deb", s.name, maxChunks)
		}
		c := control[0]
		sizes, packed := []byte(nil), 0
		switch {
		case c == 0: // end
			return size, nil
		case c < 3: // stored: the size less one
			if sizes = s.take(2); sizes != nil {
				packed = int(binary.BigEndian.Uint16(sizes)) + 1
				size += int64(packed)
			}
		case c >= 0x80: // LZMA: both sizes less one, and properties where they are reset
			if sizes = s.take(4); sizes != nil {
				packed = int(binary.BigEndian.Uint16(sizes[2:])) + 1 + int(c>>6&1)
				size += int64(c&0x1f)<<16 + int64(binary.BigEndian.Uint16(sizes)) + 1
			}
		}
		if sizes == nil || s.take(packed) == nil {
			return 0, damagedRejection(s.name, errXZ)
		}
	}
}

// readIndex checks the index and the footer, and that nothing follows them: dpkg does not read a second stream.
func (s *xzStream) readIndex(flags []byte) error {
	start := s.rest
	s.take(1)
	same := s.number() == int64(len(s.blocks))
	for _, b := range s.blocks {
		same = s.number() == b.unpadded && same
		same = s.number() == b.size && same
	}
	padding := s.take(-(len(start) - len(s.rest)) & 3)
	index := start[:len(start)-len(s.rest)]
	sum, footer := s.take(4), s.take(12)
	if !same || padding == nil || footer == nil || !isZero(padding) || !crcMatches(index, sum) || !crcMatches(footer[4:10], footer[:4]) ||
		int(binary.LittleEndian.Uint32(footer[4:]))*4 != len(index) || !bytes.Equal(footer[8:10], flags) || string(footer[10:]) != "YZ" {
		return damagedRejection(s.name, errXZ)
	}
	if len(s.rest) > 0 {
		return input.Reject(catalog.Malformed, "%s goes on after its first xz stream, where dpkg stops reading; rebuild the package with dpkg-deb", s.name)
	}
	return nil
}

// number reads a multibyte integer of at most 63 bits, or returns -1.
func (s *xzStream) number() int64 {
	v, n := binary.Uvarint(s.rest)
	if n <= 0 || n > 9 || n > 1 && s.rest[n-1] == 0 {
		s.rest = nil
		return -1
	}
	s.rest = s.rest[n:]
	return int64(v)
}

func isZero(b []byte) bool { return len(bytes.Trim(b, "\x00")) == 0 }
