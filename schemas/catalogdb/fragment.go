package catalogdb

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"sync"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"

	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
)

// MaxFragment is the largest index fragment that a row takes, in compressed bytes. Larger packets
// are refused by databases with default settings.
const MaxFragment = 12 << 20

// maxText is the largest index fragment that a row may hold, in bytes.
const maxText = 1 << 30

// A fragment column holds, by its first bytes:
//
//   - a short text: smallMark, the CRC-32C of the rest in 4 bytes, big endian, and an S2 block;
//   - a longer one: a zstd frame;
//   - a text that is a member of its own in the published index: that member, which is never made again.
//
// For a few kilobytes, a frame of zstd costs seven times what a block of S2 does, most of it for tables, and saves a quarter of the bytes.
// All coders may be used concurrently.
var (
	encoder, _ = zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
	decoder, _ = zstd.NewReader(nil, zstd.WithDecoderConcurrency(0), zstd.WithDecoderMaxMemory(maxText))
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

const (
	smallText = 16 << 10 // bytes; longer texts are zstd frames
	smallMark = 'S'
	smallHead = 1 + crc32.Size
)

// blocks are buffers in which S2 blocks are made.
var blocks = sync.Pool{New: func() any { return new(make([]byte, s2.MaxEncodedLen(smallText))) }}

// pack returns the column value of a fragment; an empty fragment is NULL.
func pack(fragment []byte) (any, error) {
	var b []byte
	switch n := len(fragment); {
	case n == 0:
		return nil, nil
	case n <= smallText:
		b = packSmall(fragment)
	case n > gzipmember.Oversized:
		b = gzipmember.Append(nil, fragment)
	default:
		b = encoder.EncodeAll(fragment, nil)
	}
	if len(b) > MaxFragment {
		return nil, &catalog.Rejection{
			Reason: catalog.TooLarge,
			Detail: fmt.Sprintf("the package's index entry has %d bytes compressed, more than %d; ship fewer files or a shorter change log", len(b), MaxFragment),
		}
	}
	return b, nil
}

func packSmall(fragment []byte) []byte {
	room := blocks.Get().(*[]byte)
	defer blocks.Put(room)
	block := s2.Encode(*room, fragment)
	b := append(make([]byte, 0, smallHead+len(block)), smallMark)
	b = binary.BigEndian.AppendUint32(b, crc32.Checksum(block, castagnoli))
	return append(b, block...)
}

// errSmall is the error of a short text that is not as [packSmall] made it.
var errSmall = errors.New("it is damaged")

// unpackSmall returns the text of a column that begins with smallMark. It uses the memory of text if that is enough.
func unpackSmall(text, column []byte) ([]byte, error) {
	if len(column) < smallHead || binary.BigEndian.Uint32(column[1:]) != crc32.Checksum(column[smallHead:], castagnoli) {
		return text, errSmall
	}
	block := column[smallHead:]
	if n, err := s2.DecodedLen(block); err != nil || n > smallText {
		return text, errSmall
	}
	return s2.Decode(text[:cap(text)], block)
}

// A Fragment is what a row has for one index.
type Fragment struct {
	Text   []byte
	Member []byte // the gzip member that holds Text, if it was made at ingest
}

// unpack is the inverse of pack. It reuses what f has room for.
func (f *Fragment) unpack(column []byte) (err error) {
	text := f.Text[:0]
	f.Text, f.Member = text, nil
	switch {
	case len(column) == 0:
		return nil
	case column[0] == smallMark:
		f.Text, err = unpackSmall(text, column)
	case gzipmember.Is(column):
		f.Text, err = gzipmember.Text(text, column, maxText)
		f.Member = bytes.Clone(column)
	default:
		f.Text, err = decoder.DecodeAll(column, text)
	}
	if err != nil {
		return fmt.Errorf("read fragment: %w", err)
	}
	return nil
}
