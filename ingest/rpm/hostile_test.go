package rpm_test

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
)

// rejects fails the test unless reading b ends with a rejection for the given reason, with a detail
// that can be printed.
func rejects(t *testing.T, b []byte, want catalog.Reason) {
	t.Helper()
	_, err := measured(t, b)
	var rej *catalog.Rejection
	if !errors.As(err, &rej) {
		t.Errorf("got error %v, want a rejection %s", err, want)
		return
	}
	if rej.Reason != want {
		t.Errorf("got %v, want %s", rej, want)
	}
	if unprintable := func(r rune) bool { return r > unicode.MaxASCII || !unicode.IsPrint(r) }; strings.ContainsFunc(rej.Detail, unprintable) || len(rej.Detail) < 20 || len(rej.Detail) > 400 {
		t.Errorf("detail %q is not a sentence for people", rej.Detail)
	}
}

type hostile struct {
	name string
	pkg  []byte
	want catalog.Reason
}

func runHostile(t *testing.T, tests []hostile) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { rejects(t, test.pkg, test.want) })
	}
}

func TestForgeryIsSound(t *testing.T) {
	for _, f := range []*forgery{forge(), v6()} {
		mustRead(t, f.bytes())
	}
	f := forge()
	f.unchecked()
	mustRead(t, f.bytes())
}

func TestEveryPrefixIsTruncated(t *testing.T) {
	for _, f := range []*forgery{forge(), v6()} {
		b := f.bytes()
		for n := 1; n < len(b); n++ {
			rejects(t, b[:n], catalog.Truncated)
		}
	}
}

func TestHostileLead(t *testing.T) {
	changed := func(i int, v byte) []byte {
		f := forge()
		f.lead[i] = v
		return f.bytes()
	}
	runHostile(t, []hostile{
		{"no bytes", nil, catalog.Empty},
		{"one wrong byte", []byte("!"), catalog.NotAPackage},
		{"a Debian package", []byte("!<arch>\ndebian-binary   "), catalog.NotAPackage},
		{"control characters", []byte("\x1b[31m\n"), catalog.NotAPackage},
		{"a delta of its own kind", []byte("drpm\x00\x00\x00\x01"), catalog.Unsupported},
		{"format version 2", changed(4, 2), catalog.Unsupported},
		{"format version 7", changed(4, 7), catalog.Unsupported},
		{"type 2", changed(7, 2), catalog.Unsupported},
		{"signatures without a header", changed(79, 1), catalog.Unsupported},
	})
}

func TestHostileIndex(t *testing.T) {
	main := func(change func(*forgedHeader)) []byte {
		f := forge()
		f.headed = change
		return f.bytes()
	}
	signature := func(change func(*forgedHeader)) []byte {
		f := forge()
		f.signed = change
		return f.bytes()
	}
	count := func(entries, data uint32) func(*forgedHeader) {
		return func(h *forgedHeader) { h.counts = [2]uint32{entries, data} }
	}
	entry := func(tag uint32, change func(*forgedEntry)) func(*forgedHeader) {
		return func(h *forgedHeader) { change(h.entry(tag)) }
	}
	trailer := func(field int, n uint32) func(*forgedHeader) {
		return func(h *forgedHeader) { binary.BigEndian.PutUint32(h.data[len(h.data)-16+4*field:], n) }
	}
	runHostile(t, []hostile{
		{"signature header without magic", signature(func(h *forgedHeader) { h.magic = "\x8e\xad\xe8\x02\x00\x00\x00\x00" }), catalog.Malformed},
		{"main header with something in the reserved bytes", main(func(h *forgedHeader) { h.magic = "\x8e\xad\xe8\x01\x00\x00\x00\x01" }), catalog.Malformed},
		{"no entries", main(func(h *forgedHeader) { h.entries = nil }), catalog.Malformed},
		{"33 signature entries", signature(count(33, 0)), catalog.TooLarge},
		{"2^32-1 signature entries", signature(count(1<<32-1, 0)), catalog.TooLarge},
		{"a signature header over 64 MiB", signature(count(0, 64<<20+1)), catalog.TooLarge},
		{"65,536 entries", main(count(65_536, 0)), catalog.TooLarge},
		{"2^28 entries, whose size is 0 in 32 bits", main(count(1<<28, 0)), catalog.TooLarge},
		{"a main header over 64 MiB", main(count(0, 64<<20+1)), catalog.TooLarge},
		{"a main header of 64 MiB that is not there", main(count(0, 64<<20)), catalog.Truncated},
		{"a signature header of 64 MiB that is not there", signature(count(0, 64<<20)), catalog.Truncated},

		{"no region", main(func(h *forgedHeader) { h.entries = h.entries[1:] }), catalog.Unsupported},
		{"no signature region", signature(entry(62, func(e *forgedEntry) { e.tag = 63 })), catalog.Unsupported},
		{"a region of strings", main(entry(63, func(e *forgedEntry) { e.typ = 8 })), catalog.Malformed},
		{"a region with a long trailer", main(entry(63, func(e *forgedEntry) { e.count = 32 })), catalog.Malformed},
		{"a region whose trailer is not in the data", main(entry(63, func(e *forgedEntry) { e.offset += 1 })), catalog.Malformed},
		{"a region whose trailer is at -1", main(entry(63, func(e *forgedEntry) { e.offset = 1<<32 - 1 })), catalog.Malformed},
		{"a region in a header without data", main(func(h *forgedHeader) { h.entries, h.data = h.entries[:1], nil }), catalog.Malformed},
		{"a trailer of another region", main(trailer(0, 62)), catalog.Malformed},
		{"a trailer of another type", main(trailer(1, 6)), catalog.Malformed},
		{"a trailer of size 0", main(trailer(2, 0)), catalog.Malformed},
		{"a trailer of a size that is not one of entries", main(trailer(2, ^uint32(16))), catalog.Malformed},
		{"a trailer that is bigger than the index", main(trailer(2, 1<<31)), catalog.Malformed},
		{"a tag outside of the region", main(trailer(2, ^uint32(31))), catalog.Malformed},
		{"data outside of the region", main(func(h *forgedHeader) { h.data = append(h.data, 0) }), catalog.Malformed},
		{"a second region", main(entry(1000, func(e *forgedEntry) { e.tag = 63 })), catalog.Malformed},

		{"type 0", main(entry(1004, func(e *forgedEntry) { e.typ = 0 })), catalog.Malformed},
		{"type 10", main(entry(1004, func(e *forgedEntry) { e.typ = 10 })), catalog.Malformed},
		{"type -1", main(entry(1004, func(e *forgedEntry) { e.typ = 1<<32 - 1 })), catalog.Malformed},
		{"count 0", main(entry(1000, func(e *forgedEntry) { e.count = 0 })), catalog.Malformed},
		{"count -1", main(entry(1049, func(e *forgedEntry) { e.count = 1<<32 - 1 })), catalog.Malformed},
		{"count over 2^20", main(entry(1049, func(e *forgedEntry) { e.count = 1 << 20 })), catalog.Malformed},
		{"two single strings", main(entry(1000, func(e *forgedEntry) { e.count = 2 })), catalog.Malformed},
		{"offset beyond the data", main(entry(1000, func(e *forgedEntry) { e.offset = 1 << 20 })), catalog.Malformed},
		{"offset -1", main(entry(1000, func(e *forgedEntry) { e.offset = 1<<32 - 1 })), catalog.Malformed},
		{"integers beyond the data", main(entry(1116, func(e *forgedEntry) { e.count = 400 })), catalog.Malformed},
		{"strings beyond the data", main(entry(1118, func(e *forgedEntry) { e.count = 400 })), catalog.Malformed},
		{"a string without an end", main(func(h *forgedHeader) { h.entry(1124).offset = uint32(len(h.data)) }), catalog.Malformed},
		{"integers that are not aligned", main(entry(1116, func(e *forgedEntry) { e.offset++ })), catalog.Malformed},
		{"values that overlap", main(func(h *forgedHeader) { h.entry(1001).offset = h.entry(1000).offset + 1 }), catalog.Malformed},
		{"bytes between values, which rpm refuses", main(func(h *forgedHeader) { h.entry(1124).offset += 2 }), catalog.Malformed},
		{"bytes before the trailer, which rpm refuses", main(func(h *forgedHeader) {
			h.data = slices.Insert(h.data, len(h.data)-16, make([]byte, 16)...)
			h.entries[0].offset += 16
		}), catalog.Malformed},
		{"values in another order", main(func(h *forgedHeader) {
			a, b := h.entry(1000), h.entry(1001)
			a.offset, b.offset = b.offset, a.offset
		}), catalog.Malformed},
		{"values in the trailer", main(func(h *forgedHeader) { h.entry(1124).offset = uint32(len(h.data) - 1) }), catalog.Malformed},
		{"a tag below 0", main(entry(1124, func(e *forgedEntry) { e.tag = 1<<32 - 100 })), catalog.Malformed},
		{"a tag twice", main(entry(1001, func(e *forgedEntry) { e.tag = 1000 })), catalog.Malformed},
		{"a signature tag twice", signature(entry(1000, func(e *forgedEntry) { e.tag = 273 })), catalog.Malformed},
	})
}

func TestHostileArrays(t *testing.T) {
	many := func(n int) (names, versions []string, flags []uint32) {
		return make([]string, n), make([]string, n), make([]uint32, n)
	}
	names, versions, flags := many(100_001)
	bases, _, zeros := many(500_001)
	runHostile(t, []hostile{
		{"a name that is a number", forge().set(int32s(1000, 1)).bytes(), catalog.Malformed},
		{"an array of names", forge().set(strs(1000, "a", "b")).bytes(), catalog.Malformed},
		{"two epochs", forge().set(int32s(1003, 1, 2)).bytes(), catalog.Malformed},
		{"an epoch of 64 bits", forge().set(int64s(1003, 1)).bytes(), catalog.Malformed},
		{"dependencies without flags", forge().drop(1048).bytes(), catalog.Malformed},
		{"dependencies without names", forge().drop(1049).bytes(), catalog.Malformed},
		{"more names than flags", forge().set(strs(1047, "a", "b")).bytes(), catalog.Malformed},
		{"more versions than names", forge().set(strs(1050, "", "", "1")).bytes(), catalog.Malformed},
		{"more weak names than versions", forge().set(strs(5046, "a", "b"), strs(5047, "1"), int32s(5048, 0, 0)).bytes(), catalog.Malformed},
		{"files without modes", forge().drop(1030).bytes(), catalog.Malformed},
		{"files without owners", forge().drop(1039).bytes(), catalog.Malformed},
		{"files without groups", forge().drop(1040).bytes(), catalog.Malformed},
		{"contents without sizes", forge().drop(1028).bytes(), catalog.Malformed},
		{"contents without digests", forge().drop(1035).bytes(), catalog.Malformed},
		{"more owners than files", forge().set(strs(1039, "a", "b", "c")).bytes(), catalog.Malformed},
		{"more capabilities than files", forge().set(strs(5010, "a", "b", "c")).bytes(), catalog.Malformed},
		{"files that may be hard links, without inodes", linked(1095).bytes(), catalog.Malformed},
		{"files that may be hard links, without devices", linked(1096).bytes(), catalog.Malformed},
		{"files without directories", forge().drop(1118).bytes(), catalog.Malformed},
		{"fewer modes than files", forge().set(int16s(1030, 0)).bytes(), catalog.Malformed},
		{"fewer sizes than files", forge().set(int32s(1028, 0)).bytes(), catalog.Malformed},
		{"a directory index beyond the directories", forge().set(int32s(1116, 0, 2)).bytes(), catalog.Malformed},
		{"a directory index of -1", forge().set(int32s(1116, 0, 1<<32-1)).bytes(), catalog.Malformed},
		{"files as rpm 3 lists them", forge().drop(1030, 1035, 1037, 1116, 1117, 1118).set(strs(1027, "/etc/x")).bytes(), catalog.Unsupported},
		{"a changelog without authors", forge().set(int32s(1080, 1), strs(1082, "x")).bytes(), catalog.Malformed},
		{"65,537 dependencies", forge().set(strs(1049, names[:65_537]...), int32s(1048, flags[:65_537]...), strs(1050, versions[:65_537]...)).bytes(), catalog.TooLarge},
		{"100,001 changes", forge().set(strs(1081, names...), int32s(1080, flags...), strs(1082, versions...)).bytes(), catalog.TooLarge},
		{"500,001 files", forge().set(strs(1117, bases...), int32s(1116, zeros...)).bytes(), catalog.TooLarge},
	})
}

func TestHostileValues(t *testing.T) {
	long := strings.Repeat("x", 300)
	runHostile(t, []hostile{
		{"no name", forge().drop(1000).bytes(), catalog.MissingField},
		{"no version", forge().drop(1001).bytes(), catalog.MissingField},
		{"no release", forge().drop(1002).bytes(), catalog.MissingField},
		{"no architecture", forge().drop(1022).bytes(), catalog.MissingField},
		{"an empty name", forge().set(str(1000, "")).bytes(), catalog.MissingField},
		{"a '/' in the name", forge().set(str(1000, "a/b")).bytes(), catalog.BadField},
		{"the name ..", forge().set(str(1000, "..")).bytes(), catalog.BadField},
		{"a name like an option", forge().set(str(1000, "-x")).bytes(), catalog.BadField},
		{"a macro in the name", forge().set(str(1000, "a%{b}")).bytes(), catalog.BadField},
		{"a line end after the name", forge().set(str(1000, "a\n")).bytes(), catalog.BadField},
		{"markup in the name", forge().set(str(1000, `a"><b`)).bytes(), catalog.BadField},
		{"a name outside of ASCII", forge().set(str(1000, "ä")).bytes(), catalog.BadField},
		{"a '-' in the version", forge().set(str(1001, "1-2")).bytes(), catalog.BadField},
		{"a ':' in the version", forge().set(str(1001, "1:2")).bytes(), catalog.BadField},
		{"a '/' in the release", forge().set(str(1002, "1/2")).bytes(), catalog.BadField},
		{"a blank in the release", forge().set(str(1002, "1 2")).bytes(), catalog.BadField},
		{"a '/' in the architecture", forge().set(str(1022, "../x")).bytes(), catalog.BadField},
		{"a file name that is too long", forge().set(str(1000, long)).bytes(), catalog.BadField},
		{"a '/' in a base name", forge().set(strs(1117, "a/b", "c")).bytes(), catalog.BadField},
		{"a line end in a base name", forge().set(strs(1117, "a\nb", "c")).bytes(), catalog.BadField},
		{"U+FFFF in a base name", forge().set(strs(1117, "a\uFFFF", "c")).bytes(), catalog.BadField},
		{"a C1 control character in a base name", forge().set(strs(1117, "a\u009bb", "c")).bytes(), catalog.BadField},
		{"a base name of 256 bytes", forge().set(strs(1117, long[:256], "c")).bytes(), catalog.BadField},
		{"a directory name of 4,096 bytes", forge().set(strs(1118, "/"+strings.Repeat("x", 4094)+"/", "/b/")).bytes(), catalog.BadField},
		{"a dependency of 16 KiB and more", forge().set(strs(1047, strings.Repeat("x", 16<<10+1))).bytes(), catalog.TooLarge},
		{"a summary of 512 KiB and more", forge().set(str(1004, strings.Repeat("x", 512<<10+1))).bytes(), catalog.TooLarge},
		{"a change of 512 KiB and more", forge().set(strs(1081, "a"), int32s(1080, 1), strs(1082, strings.Repeat("x", 512<<10+1))).bytes(), catalog.TooLarge},
		{"DEL in a directory name", forge().set(strs(1118, "/a\x7f/", "/b/")).bytes(), catalog.BadField},
		{"a tab in a dependency", forge().set(strs(1047, "a\tb")).bytes(), catalog.BadField},
		{"a control character in the version of a dependency", forge().set(strs(1113, "1\x1b")).bytes(), catalog.BadField},
		{"no operating system", forge().drop(1021).bytes(), catalog.MissingField},
		{"another operating system", forge().set(str(1021, "windows")).bytes(), catalog.Unsupported},
		{"a delta RPM", forge().set(str(1124, "drpm")).bytes(), catalog.Unsupported},
		{"a payload that is a tar file", forge().set(str(1124, "ustar\n")).bytes(), catalog.Unsupported},
		{"a value of many lines", forge().set(str(1000, strings.Repeat("\n\x1b[2J", 1000))).bytes(), catalog.BadField},
	})
}

func TestHostileDigestsAndSizes(t *testing.T) {
	signed := func(values ...value) []byte {
		f := forge()
		f.noDigests = true
		f.signature = values
		return f.bytes()
	}
	with := func(change func(*forgery)) []byte {
		f := forge()
		change(f)
		return f.bytes()
	}
	damaged := func(b []byte) []byte {
		b[len(b)-1] ^= 1
		return b
	}
	zeros := strings.Repeat("0", 64)
	sha1OfNothing := fmt.Sprintf("%x", sha1.Sum(nil))
	runHostile(t, []hostile{
		{"no digest", signed(int32s(1000, uint32(len(layOut(63, forge().main...).bytes())+len(forge().payload)))), catalog.BadDigest},
		{"a digest of the header alone", signed(str(279, "a SHA-3")), catalog.BadDigest},
		{"a digest of the payload alone", with(func(f *forgery) { f.unchecked(); f.signature = []value{bin(1005, []byte("signature"))} }), catalog.BadDigest},
		{"a digest of the unpacked payload beside the MD5 of all", forge().set(strs(5097, zeros)).bytes(), catalog.BadDigest},
		{"a wrong SHA-256 of the header", signed(str(273, zeros)), catalog.BadDigest},
		{"a SHA-256 that is text", signed(str(273, "<b>\n")), catalog.BadDigest},
		{"a wrong SHA-1 of the header", signed(str(269, sha1OfNothing)), catalog.BadDigest},
		{"a wrong SHA-1 beside a right SHA-256", with(func(f *forgery) { f.signature = []value{str(269, sha1OfNothing)} }), catalog.BadDigest},
		{"a wrong MD5 of all", signed(bin(1004, make([]byte, 16))), catalog.BadDigest},
		{"an MD5 that is a string", signed(str(1004, "x")), catalog.Malformed},
		{"a wrong digest of the payload", forge().set(strs(5092, zeros), int32s(5093, 8)).bytes(), catalog.BadDigest},
		{"a damaged payload", damaged(v6().bytes()), catalog.BadDigest},
		{"a size below that of the header", signed(int32s(1000, 16)), catalog.Malformed},
		{"a size beyond 2^63", signed(int64s(270, 1<<64-1)), catalog.TooLarge},
		{"a v6 size beyond 2^63", v6().set(int64s(5112, 1<<63)).bytes(), catalog.TooLarge},
		{"a size beyond the file", with(func(f *forgery) { f.unchecked(); f.signature = append(f.signature, int64s(270, 1<<40)) }), catalog.Truncated},
		{"bytes after the payload", append(forge().bytes(), 0), catalog.Malformed},
		{"no payload", with(func(f *forgery) { f.payload = nil }), catalog.Truncated},
		{"no payload, and no size", with(func(f *forgery) { f.payload = nil; f.unchecked() }), catalog.Truncated},
	})
}

// A header within its limits may not make an index without limits.
func TestLongDirectoryOfManyFiles(t *testing.T) { rejects(t, longPaths("/"), catalog.TooLarge) }

// longPaths returns a package of 12,000 files in one directory with a long name: 330 KB that ask for 49 MB of index.
func longPaths(dir string) []byte {
	const n = 12_000
	return forge().set(
		strs(1117, make([]string, n)...), int32s(1116, make([]uint32, n)...), int16s(1030, slices.Repeat([]uint16{0o100644}, n)...),
		int32s(1037, make([]uint32, n)...), strs(1035, make([]string, n)...), int32s(1028, make([]uint32, n)...), strs(1039, make([]string, n)...), strs(1040, make([]string, n)...), strs(1118, dir+strings.Repeat(strings.Repeat("x", 199)+"/", 20))).bytes()
}

func TestForgedSizesAllocateNothing(t *testing.T) {
	const most = 1 << 20
	for name, counts := range map[string][2]uint32{
		"data":          {0, 64 << 20},
		"entries":       {4096, 0},
		"too much data": {0, 1<<32 - 1},
	} {
		f := forge()
		f.headed = func(h *forgedHeader) { h.counts = counts }
		b := f.bytes()
		if got := intaketest.Allocated(func() { rpm.Peek(bytes.NewReader(b)) }); got > most {
			t.Errorf("forged %s: %d bytes allocated, want at most %d", name, got, most)
		}
	}
}

// linked returns a package of two files that are alike, with one of the tags that say which are one file.
func linked(tag uint32) *forgery {
	f := forge().set(int16s(1030, 0o100644, 0o100644), strs(1035, "abc", "abc"), int32s(1028, 3, 3))
	return f.set(int32s(tag, 1, 1))
}
