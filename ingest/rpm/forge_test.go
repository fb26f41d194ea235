package rpm_test

import (
	"bytes"
	"cmp"
	"crypto/md5"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"
)

// A value is one entry of a forged header.
type value struct {
	tag, typ, count uint32
	data            []byte
}

func str(tag uint32, s string) value { return value{tag, 6, 1, []byte(s + "\x00")} }

func strs(tag uint32, list ...string) value {
	v := value{tag: tag, typ: 8, count: uint32(len(list))}
	for _, s := range list {
		v.data = append(append(v.data, s...), 0)
	}
	return v
}

func int16s(tag uint32, list ...uint16) value {
	v := value{tag: tag, typ: 3, count: uint32(len(list))}
	for _, n := range list {
		v.data = binary.BigEndian.AppendUint16(v.data, n)
	}
	return v
}

func int32s(tag uint32, list ...uint32) value {
	v := value{tag: tag, typ: 4, count: uint32(len(list))}
	for _, n := range list {
		v.data = binary.BigEndian.AppendUint32(v.data, n)
	}
	return v
}

func int64s(tag uint32, list ...uint64) value {
	v := value{tag: tag, typ: 5, count: uint32(len(list))}
	for _, n := range list {
		v.data = binary.BigEndian.AppendUint64(v.data, n)
	}
	return v
}

func bin(tag uint32, data []byte) value { return value{tag, 7, uint32(len(data)), data} }

// A forgedEntry is one entry of an index as it is written, so that a test can lie in it.
type forgedEntry struct{ tag, typ, offset, count uint32 }

// A forgedHeader is a header before it is written. Tests change what they like.
type forgedHeader struct {
	entries []forgedEntry // the first is the region
	data    []byte
	counts  [2]uint32 // of entries and bytes of data, if not the true ones
	magic   string
}

// layOut makes a sound header of values, in the order of their tags.
func layOut(region uint32, values ...value) *forgedHeader {
	h := &forgedHeader{entries: []forgedEntry{{region, 7, 0, 16}}, magic: "\x8e\xad\xe8\x01\x00\x00\x00\x00"}
	slices.SortStableFunc(values, func(a, b value) int { return cmp.Compare(a.tag, b.tag) })
	for _, v := range values {
		for width := map[uint32]int{3: 2, 4: 4, 5: 8}[v.typ]; width > 0 && len(h.data)%width != 0; {
			h.data = append(h.data, 0)
		}
		h.entries = append(h.entries, forgedEntry{v.tag, v.typ, uint32(len(h.data)), v.count})
		h.data = append(h.data, v.data...)
	}
	h.entries[0].offset = uint32(len(h.data))
	for _, n := range []uint32{region, 7, -uint32(16 * len(h.entries)), 16} {
		h.data = binary.BigEndian.AppendUint32(h.data, n)
	}
	return h
}

func (h *forgedHeader) bytes() []byte {
	b := []byte(h.magic)
	b = binary.BigEndian.AppendUint32(b, cmp.Or(h.counts[0], uint32(len(h.entries))))
	b = binary.BigEndian.AppendUint32(b, cmp.Or(h.counts[1], uint32(len(h.data))))
	for _, e := range h.entries {
		for _, n := range []uint32{e.tag, e.typ, e.offset, e.count} {
			b = binary.BigEndian.AppendUint32(b, n)
		}
	}
	return append(b, h.data...)
}

// entry returns the entry of a tag.
func (h *forgedHeader) entry(tag uint32) *forgedEntry {
	for i := range h.entries {
		if h.entries[i].tag == tag {
			return &h.entries[i]
		}
	}
	panic(fmt.Sprint("no tag ", tag))
}

func lead(kind byte) []byte {
	b := make([]byte, 96)
	copy(b, "\xed\xab\xee\xdb\x03\x00\x00")
	b[7], b[79] = kind, 5
	return b
}

// A forgery is a package of which a test can change every part.
type forgery struct {
	lead      []byte
	signature []value
	main      []value
	payload   []byte
	v6        bool // the signature header has no sizes
	noDigests bool // else the signature header gets SHA-256 and size
	signed    func(*forgedHeader)
	headed    func(*forgedHeader) // the same for the main header
}

// forge returns a small, sound package: files in two directories, and dependencies.
func forge() *forgery {
	return &forgery{
		lead:    lead(0),
		payload: []byte("not a payload that anybody unpacks"),
		main: []value{
			str(1000, "forged"), str(1001, "1.0"), str(1002, "1"), str(1004, "A forgery"), str(1005, "Made by a test."),
			int32s(1006, 1_700_000_000), int32s(1009, 5), str(1014, "MIT"), str(1021, "linux"), str(1022, "x86_64"), str(1044, "forged-1.0-1.src.rpm"),
			str(1124, "cpio"),
			int16s(1030, 0o100644, 0o040755), strs(1035, "", ""), int32s(1028, 0, 0), int32s(1037, 0, 0), strs(1039, "root", "root"), strs(1040, "root", "root"), int32s(1116, 0, 1),
			strs(1117, "forged.conf", "forged"), strs(1118, "/etc/", "/usr/share/"),
			strs(1047, "forged"), int32s(1112, 8), strs(1113, "1.0-1"),
			strs(1049, "/bin/sh", "libc.so.6"), int32s(1048, 0, 0), strs(1050, "", ""),
		},
	}
}

// set adds values, in the place of those of the same tags.
func (f *forgery) set(values ...value) *forgery {
	for _, v := range values {
		f.main = slices.DeleteFunc(f.main, func(old value) bool { return old.tag == v.tag })
	}
	f.main = append(f.main, values...)
	return f
}

// drop removes tags.
func (f *forgery) drop(tags ...uint32) *forgery {
	f.main = slices.DeleteFunc(f.main, func(v value) bool { return slices.Contains(tags, v.tag) })
	return f
}

func (f *forgery) bytes() []byte {
	main := layOut(63, slices.Clone(f.main)...)
	if f.headed != nil {
		f.headed(main)
	}
	body := main.bytes()
	if f.v6 {
		f.signature = []value{str(273, fmt.Sprintf("%x", sha256.Sum256(body))), bin(278, []byte("signature"))}
	}
	values := slices.Clone(f.signature)
	if !f.noDigests {
		whole := md5.Sum(slices.Concat(body, f.payload))
		values = append(values, str(273, fmt.Sprintf("%x", sha256.Sum256(body))), int32s(1000, uint32(len(body)+len(f.payload))), bin(1004, whole[:]))
	}
	signature := layOut(62, values...)
	if f.signed != nil {
		f.signed(signature)
	}
	s := signature.bytes()
	s = append(s, make([]byte, -len(s)&7)...)
	return bytes.Join([][]byte{f.lead, s, body, f.payload}, nil)
}

// unchecked leaves digests that vouch for the package, and of which that of the payload alone is checked.
func (f *forgery) unchecked() {
	f.noDigests = true
	f.signature = []value{str(279, "a SHA-3")}
	f.set(strs(5092, fmt.Sprintf("%x", sha256.Sum256(f.payload))), int32s(5093, 8))
}

// v6 returns a package as rpm 6 makes it: no sizes in the signature header.
func v6() *forgery {
	f := forge()
	f.noDigests = true
	f.v6 = true
	f.set(
		int64s(5112, uint64(len(f.payload))), int64s(5113, 99),
		strs(5092, fmt.Sprintf("%x", sha256.Sum256(f.payload))), int32s(5093, 8), int32s(5114, 6),
	)
	return f
}
