package rpm

import (
	"bytes"
	"encoding/binary"
	"maps"
	"slices"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// maxMinimal is the most bytes of all that is read with go-rpmutils: texts and dependencies, in the hundreds of
// kilobytes for the largest packages of real distributions. It keeps them in several copies.
const maxMinimal = 6 << 20

// minimalPackage returns a package that has the values which [tagReader] asks for and nothing else: no files, no
// digests, no payload, and of a long list only what an index shows. It is all that go-rpmutils gets to see,
// made of entries that the guard has measured.
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

// appendMinimal appends a header with the values of x that are wanted, or reports that they are too many.
func (x *headerIndex) appendMinimal(b []byte) (_ []byte, ok bool) {
	entries, size := x.minimalEntries()
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

// minimalEntries returns the entries that are wanted, cut to the values that are, by tag, and how many bytes these
// have: a multiple of 8, as the length of a signature header is. go-rpmutils does not ask for more alignment.
func (x *headerIndex) minimalEntries() (entries []entry, size int) {
	for _, tag := range slices.Sorted(maps.Keys(x.entries)) {
		if most, wanted := minimalCount(x.kind.types, tag); wanted {
			e := x.cut(x.entries[tag], most)
			entries = append(entries, e)
			size += int(e.end - e.offset)
		}
	}
	return entries, size + -size&7
}

// minimalCount returns how many values of a tag are wanted at most, if any are.
func minimalCount(shapes map[uint32]tagType, tag uint32) (most uint32, wanted bool) {
	s, known := shapes[tag]
	switch {
	case !known || s == anyBytes || slices.Contains(notMinimal, tag):
		return 0, false
	case s == oneText:
		return 1, true
	case tag == tagChangeTime || tag == tagChangeName || tag == tagChangeText:
		return maxIndexedChanges, true
	}
	return maxCount, true
}

// notMinimal are tags that are read without go-rpmutils: files, and digests, which do not match a lean package.
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
