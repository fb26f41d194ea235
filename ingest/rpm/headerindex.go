package rpm

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A headerKind is one of the two headers of a package, with its limits.
type headerKind struct {
	what    string
	region  uint32 // the tag of its region, which is its first entry
	entries uint32 // the most that are accepted
	data    uint32 // the most bytes that are accepted
	types   map[uint32]tagType
	minimal map[uint32]uint32 // for each tag that a minimal package has, the most values of it
}

// The two headers, with the limits of librpm (lib/header.c: hdrblobRead). One is tighter: librpm accepts 256 MiB of
// data in a main header. Where files have IMA signatures, a signature header has megabytes.
var (
	signatureHeader = headerKind{what: "signature header", region: tagSignatureRegion, entries: 32, data: 64 << 20, types: signatureTypes, minimal: minimalCounts(signatureTypes)}
	mainHeader      = headerKind{what: "main header", region: tagMainRegion, entries: 65_535, data: 64 << 20, types: mainTypes, minimal: minimalCounts(mainTypes)}
)

const (
	headerMagic = "\x8e\xad\xe8\x01\x00\x00\x00\x00"
	introSize   = 16 // bytes: magic, number of entries, size of the data
	entrySize   = 16 // bytes: tag, type, offset, count
	maxCount    = 1<<20 - 1
)

// A headerIndex is a header whose structure was checked: the values of each entry lie within its data, and do not
// overlap.
type headerIndex struct {
	kind    headerKind
	raw     []byte // the whole header without its padding, as header digests cover it
	data    []byte
	entries map[uint32]entry
	minimal []entry // those that a minimal package has, cut to the values that it has
}

// An entry is the index entry of one tag. Its values are data[offset:end].
type entry struct {
	tag, typ, offset, count uint32
	end                     uint32
}

// readHeaderIndex reads one header from s and checks its structure (rpm, lib/header.c: hdrblobInit). before is the
// number of bytes of the file that precede s. The slices of the result stay valid; they keep in memory all that s had
// read by then.
func readHeaderIndex(s *input.Prefix, before int, k headerKind) (*headerIndex, error) {
	start := s.Len()
	if err := need(s, introSize, before, k.what); err != nil {
		return nil, err
	}
	intro := s.From(start)
	entries, size := binary.BigEndian.Uint32(intro[8:]), binary.BigEndian.Uint32(intro[12:])
	switch {
	case !bytes.HasPrefix(intro, []byte(headerMagic)):
		return nil, input.Reject(catalog.Malformed, "the %s does not start with its magic; the file is damaged", k.what)
	case entries == 0:
		return nil, input.Reject(catalog.Malformed, "the %s has no entries", k.what)
	case entries > k.entries:
		return nil, input.Reject(catalog.TooLarge, "the %s says it has %d entries; at most %d are accepted", k.what, entries, k.entries)
	case size > k.data:
		return nil, input.Reject(catalog.TooLarge, "the %s says it has %d bytes of data; at most %d are accepted; split the package", k.what, size, k.data)
	}
	if err := need(s, int64(entries)*entrySize+int64(size), before, k.what); err != nil {
		return nil, err
	}
	x := &headerIndex{kind: k, raw: s.From(start), entries: make(map[uint32]entry, entries), minimal: make([]entry, 0, min(int(entries), len(k.minimal)))}
	x.data = x.raw[introSize+entries*entrySize:]
	if err := x.readEntries(int(entries)); err != nil {
		return nil, err
	}
	if k.region == tagSignatureRegion { // the main header starts at a multiple of 8
		return x, need(s, -int64(size)&7, before, k.what)
	}
	return x, nil
}

// need reads n more bytes into s, and rejects a file that ends before. what names the part of the file in the
// rejection; before is the number of bytes of the file that precede s.
func need(s *input.Prefix, n int64, before int, what string) error {
	err := s.More(n)
	if err == io.EOF {
		return input.Reject(catalog.Truncated, "the file ends within its %s, after %d bytes; upload it again", what, before+s.Len())
	}
	return err
}

// readEntries fills x.entries. The values must follow each other in the order of their entries and must not overlap:
// rpm writes them so, and requires it since 4.14.
func (x *headerIndex) readEntries(n int) error {
	region := x.entryAt(0)
	inside, err := x.checkRegion(region, n)
	if err != nil {
		return err
	}
	var last uint32 // the end of the values before
	for i := 1; i < n; i++ {
		e := x.entryAt(i)
		if problem := x.checkEntry(&e); problem != "" {
			return x.malformed(e.tag, problem)
		}
		switch _, twice := x.entries[e.tag]; {
		case int32(e.tag) < tagFirstOrdinary: // librpm compares tags as signed numbers
			return x.malformed(e.tag, "may only be the first entry, or is not a tag")
		case twice:
			return x.malformed(e.tag, "is there twice")
		case e.offset < last:
			return x.malformed(e.tag, "overlaps the entry before it")
		case i < inside && e.offset != last+-last&(e.alignment()-1):
			return x.malformed(e.tag, "does not follow the entry before it: rpm takes no gaps in a region")
		case e.end > region.offset && e.offset < region.end:
			return x.malformed(e.tag, "overlaps the trailer of the region")
		}
		if s, known := x.kind.types[e.tag]; known && !s.fits(e) {
			return x.malformed(e.tag, "has values of the wrong type or number")
		}
		last = e.end
		x.entries[e.tag] = e
		if most, ok := x.kind.minimal[e.tag]; ok {
			x.minimal = append(x.minimal, x.cut(e, most))
		}
		if i == inside-1 && last != region.offset {
			return x.malformed(region.tag, "has a gap before its trailer")
		}
	}
	return nil
}

// alignment returns the alignment of the values of e, in bytes: a power of 2.
func (e entry) alignment() uint32 {
	if isString(e.typ) {
		return 1
	}
	return widths[e.typ]
}

func (x *headerIndex) entryAt(i int) entry {
	b := x.raw[introSize+i*entrySize:]
	e := entry{
		tag:    binary.BigEndian.Uint32(b),
		typ:    binary.BigEndian.Uint32(b[4:]),
		offset: binary.BigEndian.Uint32(b[8:]),
		count:  binary.BigEndian.Uint32(b[12:]),
	}
	e.end = e.offset
	if e.tag == x.kind.region {
		e.end += entrySize
	}
	return e
}

// checkRegion checks that the n entries are in one region, which digests and signatures cover. inside is the number
// of entries in it: all of a main header; a signature header may have entries behind its region, where an old rpm
// added a signature.
//
// The trailer of a region is an entry itself. It is the last of the data, and its offset is minus the size of all
// entries of the region.
func (x *headerIndex) checkRegion(e entry, n int) (inside int, err error) {
	size := uint32(len(x.data))
	if e.tag != x.kind.region {
		return 0, input.Reject(catalog.Unsupported, "the %s has no region: the package was made before rpm 4.0; build it again", x.kind.what)
	}
	if e.typ != typeBinary || e.count != entrySize || size < entrySize || e.offset > size-entrySize {
		return 0, x.malformed(e.tag, "is not a region")
	}
	trailer := x.data[e.offset:]
	tag, length := binary.BigEndian.Uint32(trailer), -int64(int32(binary.BigEndian.Uint32(trailer[8:])))
	if tag == tagImageRegion && x.kind.region == tagSignatureRegion { // as rpm 4.0 wrote it
		tag = tagSignatureRegion
	}
	switch {
	case tag != e.tag || binary.BigEndian.Uint32(trailer[4:]) != typeBinary || binary.BigEndian.Uint32(trailer[12:]) != entrySize:
		return 0, x.malformed(e.tag, "has no proper trailer")
	case length <= 0 || length%entrySize != 0 || length/entrySize > int64(n):
		return 0, x.malformed(e.tag, "has an impossible size")
	case x.kind.region == tagMainRegion && (length/entrySize != int64(n) || e.end != size):
		return 0, x.malformed(e.tag, "does not cover the whole header: what is outside is not signed")
	}
	return int(length / entrySize), nil
}

// checkEntry sets e.end. problem is what is wrong with e, as the end of a sentence about its tag, or "".
func (x *headerIndex) checkEntry(e *entry) (problem string) {
	size := uint32(len(x.data))
	switch {
	case e.typ < typeChar || e.typ > typeI18N:
		return fmt.Sprintf("is of the unknown type %d", e.typ)
	case e.count == 0 || e.count > min(size, maxCount):
		return fmt.Sprintf("has the impossible count %d", e.count)
	case e.offset > size:
		return fmt.Sprintf("has its values at %d, beyond the data", e.offset)
	case e.typ == typeString && e.count != 1:
		return fmt.Sprintf("is a single string with the count %d", e.count)
	}
	if !isString(e.typ) {
		width := widths[e.typ]
		end := uint64(e.offset) + uint64(e.count)*uint64(width)
		if e.offset%width != 0 {
			return fmt.Sprintf("has its values at %d, which is not aligned", e.offset)
		}
		if end > uint64(size) {
			return "has values that reach beyond the data"
		}
		e.end = uint32(end)
		return ""
	}
	e.end = e.offset
	for range e.count {
		n := bytes.IndexByte(x.data[e.end:], 0)
		if n < 0 {
			return "has strings that reach beyond the data"
		}
		e.end += uint32(n) + 1
	}
	return ""
}

func (x *headerIndex) malformed(tag uint32, problem string) error {
	return input.Reject(catalog.Malformed, "tag %d of the %s %s; the file is damaged, or the tool that made it is", tag, x.kind.what, problem)
}

// text returns the first string of a tag, or "".
func (x *headerIndex) text(tag uint32) string {
	e, ok := x.entries[tag]
	if !ok || !isString(e.typ) {
		return ""
	}
	s, _, _ := bytes.Cut(x.data[e.offset:e.end], []byte{0})
	return string(s)
}

// number returns the value of a tag that has one integer of 32 or 64 bits.
func (x *headerIndex) number(tag uint32) (n uint64, ok bool) {
	e, ok := x.entries[tag]
	switch {
	case ok && e.typ == typeInt32:
		return uint64(binary.BigEndian.Uint32(x.data[e.offset:])), true
	case ok && e.typ == typeInt64:
		return binary.BigEndian.Uint64(x.data[e.offset:]), true
	}
	return 0, false
}
