package rpm

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

const (
	// maxStart is the number of bytes of a payload that are checked if it is not unpacked: the longest headers of an
	// xz stream and of its first block.
	maxStart = 12 + 1024
	// rpmDictionary is the largest dictionary, in bytes, that rpm accepts: 100 MiB without what liblzma allocates
	// besides (rpmio/rpmio.c).
	rpmDictionary = 100<<20 - 256<<10
)

// checkPayloadStart rejects a payload whose first bytes show that rpm does not unpack it: another compression than
// the header names, or a larger window or dictionary than rpm accepts. It accepts bytes that it cannot read.
func checkPayloadStart(compressor string, start []byte) error {
	name, form := compressorOf(compressor), compressionOf(start)
	switch {
	case form == "":
		return nil
	case form != name && !(form == "xz" && name == "lzma") && !(form == "lzma" && name == "xz"):
		return wrongCompression(compressor, form)
	case form == "zstd":
		var h zstd.Header
		if h.Decode(start) == nil && (h.WindowSize > maxWindow || h.SingleSegment && h.FrameContentSize > maxWindow) {
			return wideWindow()
		}
	case form == "xz" && xzDictionary(start) > rpmDictionary, form == "lzma" && len(start) >= 5 && binary.LittleEndian.Uint32(start[1:]) > rpmDictionary:
		return input.Reject(catalog.TooLarge, "the payload needs an %s dictionary of more than %d bytes, which rpm does not unpack; use a lower compression level", form, rpmDictionary)
	}
	return nil
}

// wrongCompression rejects a payload that begins as another compression than the one of its header.
func wrongCompression(compressor, form string) error {
	return input.Reject(catalog.Malformed, "the payload begins as %s does, and rpm %s; build the package again", form, compressorPhrase(compressor))
}

func wideWindow() error {
	return input.Reject(catalog.TooLarge, "the payload needs a zstd window of more than %d bytes, which rpm does not unpack; use a lower compression level", maxWindow)
}

// xzDictionary returns the size of the dictionary, in bytes, of the first block of an xz stream (The .xz File Format,
// sections 3.1 and 5.3.1), or 0 if start does not have it.
func xzDictionary(start []byte) int64 {
	const streamHeader, lzma2 = 12, 0x21
	if len(start) <= streamHeader || start[streamHeader] == 0 { // the index begins: the stream has no block
		return 0
	}
	block := start[streamHeader:]
	if size := 4 * (int(block[0]) + 1); size <= len(block) {
		block = block[:size-4] // without its checksum
	} else {
		return 0
	}
	flags, rest := block[1], bytes.NewReader(block[2:])
	for _, there := range []byte{0x40, 0x80} { // the sizes of the block
		if flags&there != 0 {
			binary.ReadUvarint(rest) //nolint:errcheck // the next read fails, too
		}
	}
	for range flags&3 + 1 {
		id, _ := binary.ReadUvarint(rest)
		size, err := binary.ReadUvarint(rest)
		if err != nil || size > uint64(rest.Len()) {
			return 0
		}
		properties := make([]byte, size)
		rest.Read(properties) //nolint:errcheck // they are there
		if id == lzma2 && size == 1 {
			bits := properties[0] & 0x3f
			return int64(2|bits&1) << (bits/2 + 11)
		}
	}
	return 0
}
