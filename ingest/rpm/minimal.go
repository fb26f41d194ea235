package rpm

import (
	"bytes"
	"encoding/binary"
	"slices"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// maxMinimal is the largest minimal package, in bytes. It has texts and dependencies: some hundred kilobytes in the
// largest packages of real distributions. go-rpmutils keeps several copies of them.
const maxMinimal = 6 << 20

// minimalPackage returns an RPM package with the values that [tagReader] reads: without files, digests and payload,
// and with the part of long lists that an index shows. go-rpmutils reads this package alone. All of its entries were
// checked by [readHeaderIndex].
func minimalPackage(signature, main *headerIndex) ([]byte, error) {
	b := make([]byte, leadSize)
	copy(b, leadMagic)
	for _, x := range []*headerIndex{signature, main} {
		var ok bool
		if b, ok = x.appendMinimal(b); !ok {
			return nil, input.Reject(catalog.TooLarge, "the texts and dependencies of the package have more than %d bytes; shorten them, or split the package", maxMinimal)
		}
	}
	return b, nil
}

// appendMinimal appends a header with the values of x that are read. ok is false if the result has more than
// maxMinimal bytes.
func (x *headerIndex) appendMinimal(b []byte) (_ []byte, ok bool) {
	size := 0
	for _, e := range x.minimal {
		size += int(e.end - e.offset)
	}
	size += -size & 7 // as that of a signature header must be; go-rpmutils needs no other alignment
	entries := x.minimal
	all := introSize + len(entries)*entrySize + size
	if len(b)+all > maxMinimal {
		return nil, false
	}
	b = append(slices.Grow(b, all), headerMagic...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(entries)))
	b = binary.BigEndian.AppendUint32(b, uint32(size))
	offset := uint32(0)
	for _, e := range entries {
		for _, n := range []uint32{e.tag, e.typ, offset, e.count} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		offset += e.end - e.offset
	}
	for _, e := range entries {
		b = append(b, x.data[e.offset:e.end]...)
	}
	return append(b, make([]byte, size-int(offset))...), true
}

// minimalCounts returns the tags whose values are read, each with the largest number of them that is.
func minimalCounts(shapes map[uint32]tagType) map[uint32]uint32 {
	counts := map[uint32]uint32{}
	for tag, s := range shapes {
		switch {
		case s == anyBytes || slices.Contains(notMinimal, tag):
		case s == oneText:
			counts[tag] = 1
		case tag == tagChangeTime || tag == tagChangeName || tag == tagChangeText:
			counts[tag] = maxIndexedChanges
		default:
			counts[tag] = maxCount
		}
	}
	return counts
}

// notMinimal are tags that are read without go-rpmutils: files, and digests, which do not match a minimal package.
var notMinimal = []uint32{
	tagBaseNames, tagDirNames, tagDirIndexes, tagFileModes, tagFileFlags, tagFileDigests, tagFileUsers, tagFileGroups, tagFileSizes,
	tagFileLinks, tagLongFileSizes, tagFileInodes, tagFileDevices, tagFileDigestAlgo,
	sigSHA1, sigSHA256, sigSHA3, tagUnpackedHash, tagPayloadCompressor,
	tagPayloadDigest, tagPayloadAlgo, tagPayloadSize,
}

// cut cuts e to its first n values.
func (x *headerIndex) cut(e entry, n uint32) entry {
	if n >= e.count {
		return e
	}
	e.count = n
	if !isString(e.typ) {
		e.end = e.offset + n*widths[e.typ]
		return e
	}
	e.end = e.offset
	for range n {
		e.end += uint32(bytes.IndexByte(x.data[e.end:], 0)) + 1
	}
	return e
}
