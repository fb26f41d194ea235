package rpm

import (
	"bytes"
	"encoding/binary"

	"github.com/klauspost/compress/zstd"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

const (
	// maxStart is how much of the start of a payload is looked at where it is not unpacked: the longest header of an xz
	// stream and of its first block.
	maxStart = 12 + 1024
	// rpmDictionary is what rpm takes, with some room that liblzma needs besides (rpmio/rpmio.c: 100 MiB in all).
	rpmDictionary = 100<<20 - 256<<10
)

// checkPayloadStart says what the first bytes of a payload show that rpm does not unpack: another compression than the header
// names, and more memory than rpm gives. What it cannot read says nothing.
func checkPayloadStart(compressor string, lead []byte) error {
	name, form := compressorOf(compressor), compressionOf(lead)
	switch {
	case form == "":
		return nil
	case form != name && !(form == "xz" && name == "lzma") && !(form == "lzma" && name == "xz"):
		return wrongCompression(compressor, form)
	case form == "zstd":
		var h zstd.Header
		if h.Decode(lead) == nil && (h.WindowSize > maxWindow || h.SingleSegment && h.FrameContentSize > maxWindow) {
			return wideWindow()
		}
	case form == "xz" && xzDictionary(lead) > rpmDictionary, form == "lzma" && len(lead) >= 5 && binary.LittleEndian.Uint32(lead[1:]) > rpmDictionary:
		return input.Reject(catalog.TooLarge, "the payload needs an %s dictionary of more than %d bytes, which rpm does not unpack; use a lower compression level", form, rpmDictionary)
	}
	return nil
}

// wrongCompression is the rejection of a payload that begins as another compression does than the header names.
func wrongCompression(compressor, form string) error {
	return input.Reject(catalog.Malformed, "the payload begins as %s does, and rpm %s; build the package again", form, compressorPhrase(compressor))
}

func wideWindow() error {
	return input.Reject(catalog.TooLarge, "the payload needs a zstd window of more than %d bytes, which rpm does not unpack; use a lower compression level", maxWindow)
}

// xzDictionary returns the dictionary, in bytes, that the first block of a stream asks for (The .xz File Format, sections 3.1
// and 5.3.1), or 0.
func xzDictionary(lead []byte) int64 {
	const streamHeader, lzma2 = 12, 0x21
	if len(lead) <= streamHeader || lead[streamHeader] == 0 { // the index: there is no block
		return 0
	}
	block := lead[streamHeader:]
	if size := 4 * (int(block[0]) + 1); size <= len(block) {
		block = block[:size-4] // without its sum
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
