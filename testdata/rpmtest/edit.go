package rpmtest

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"slices"
	"testing"
)

// An Entry is one tag of a header: the type and the number of its values, and their bytes as they lie in the file.
type Entry struct {
	Type, Count uint32
	Data        []byte
}

const (
	leadSize        = 96
	signatureRegion = 62
	mainRegion      = 63
)

// Edit returns package b with another main header and another signature header: what main and signature leave of their
// entries. Between the two, the digests and the size are made to match, as all of them: SHA-1 (269), SHA-256 (273), size
// (1000) and MD5 (1004). A nil function changes nothing.
func Edit(t testing.TB, b []byte, main, signature func(map[uint32]Entry)) []byte {
	t.Helper()
	_, n := header(t, b[leadSize:])
	rest := b[leadSize+n+-n&7:]
	entries, n := header(t, rest)
	payload := rest[n:]
	if main != nil {
		main(entries)
	}
	head := layOut(mainRegion, entries)
	all := md5.Sum(slices.Concat(head, payload))
	signed := map[uint32]Entry{
		269:  {6, 1, fmt.Appendf(nil, "%x\x00", sha1.Sum(head))},
		273:  {6, 1, fmt.Appendf(nil, "%x\x00", sha256.Sum256(head))},
		1000: {4, 1, binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(payload)))},
		1004: {7, 16, all[:]},
	}
	if signature != nil {
		signature(signed)
	}
	s := layOut(signatureRegion, signed)
	return slices.Concat(b[:leadSize], s, make([]byte, -len(s)&7), head, payload)
}

// header reads the entries of a sound header, without its region, and how long it is.
func header(t testing.TB, b []byte) (map[uint32]Entry, int) {
	t.Helper()
	if !bytes.HasPrefix(b, []byte("\x8e\xad\xe8\x01")) {
		t.Fatal("there is no header to edit")
	}
	n, size := int(binary.BigEndian.Uint32(b[8:])), int(binary.BigEndian.Uint32(b[12:]))
	data := b[16+16*n : 16+16*n+size]
	entries := map[uint32]Entry{}
	for i := 1; i < n; i++ {
		field := func(j int) uint32 { return binary.BigEndian.Uint32(b[16+16*i+4*j:]) }
		e, at := Entry{Type: field(1), Count: field(3)}, data[field(2):]
		e.Data = bytes.Clone(at[:length(e, at)])
		entries[field(0)] = e
	}
	return entries, 16 + 16*n + size
}

// width returns the bytes of one value, 0 for strings.
func width(typ uint32) int { return map[uint32]int{1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 7: 1}[typ] }

// length returns how many bytes the values of e have, of which b begins with the first.
func length(e Entry, b []byte) int {
	if w := width(e.Type); w > 0 {
		return w * int(e.Count)
	}
	n := 0
	for range e.Count {
		n += bytes.IndexByte(b[n:], 0) + 1
	}
	return n
}

// layOut writes a header of one region.
func layOut(region uint32, entries map[uint32]Entry) []byte {
	var index, data []byte
	put := func(b []byte, list ...uint32) []byte {
		for _, n := range list {
			b = binary.BigEndian.AppendUint32(b, n)
		}
		return b
	}
	for _, tag := range slices.Sorted(maps.Keys(entries)) {
		e := entries[tag]
		for len(data)%cmp.Or(width(e.Type), 1) != 0 {
			data = append(data, 0)
		}
		index = put(index, tag, e.Type, uint32(len(data)), e.Count)
		data = append(data, e.Data...)
	}
	n := uint32(len(entries) + 1)
	at := uint32(len(data))
	data = put(data, region, 7, -(16 * n), 16)
	head := put([]byte("\x8e\xad\xe8\x01\x00\x00\x00\x00"), n, uint32(len(data)), region, 7, at, 16)
	return slices.Concat(head, index, data)
}
