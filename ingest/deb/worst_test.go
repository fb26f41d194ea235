package deb_test

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// Streams that unpack to little or nothing but take long, because each of their parts brings tables of its own,
// and control files that take as long as their limits allow.
func TestWorstControls(t *testing.T) {
	stored := append(bytes.Repeat([]byte{2, 0, 0, 'x'}, 6000), 0)
	stored[0] = 1 // the first chunk resets the dictionary
	// LZMA chunks that reset everything, each of one byte.
	reset := append(bytes.Repeat([]byte{0xe0, 0, 0, 0, 5, 0x5d, 0, 0, 0, 0, 0, 0}, 100_000), 0)
	filler := strings.Repeat("x", 1<<20-len(control)-200)
	lines := strings.Repeat("a, ", (1<<20-len(control)-200)/3)
	for _, test := range []struct {
		name string
		file []byte
		want catalog.Reason
	}{
		{"gzip of a million empty blocks", archive("control.tar.gz", emptyBlocks(4<<20)), catalog.Malformed},
		{"6,000 stored LZMA2 chunks", archive("control.tar.xz", xzStream(stored, 6000)), catalog.TooLarge},
		{"100,000 LZMA2 chunks with a state each", archive("control.tar.xz", xzStream(reset, 100_000)), catalog.TooLarge},
		{"3,000,000 empty zstd blocks", archive("control.tar.zst", append([]byte("\x28\xb5\x2f\xfd\x00\x58"), make([]byte, 9_000_000)...)), catalog.TooLarge},
		{"10 MiB of control.tar", archive("control.tar", make([]byte, 10<<20)), catalog.Malformed},
		{"a control.tar of 32 MiB and more", archive("control.tar", make([]byte, 32<<20+1)), catalog.TooLarge},
		{"a control.tar.gz of 32 MiB and more", archive("control.tar.gz", make([]byte, 32<<20+1)), catalog.TooLarge},
		{"a field of 1 MiB", withControl(control + "X-Long: " + filler + "\n"), ""},
		{"a field of half a million lines", withControl(control + "X-Long: x\n" + strings.Repeat(" x\n", len(filler)/3)), ""},
		{"350,000 dependencies", withControl("Depends: " + lines + "b\n" + control), ""},
		{"a line of 1 MiB without a colon", withControl(control + filler + "\n"), catalog.Malformed},
		{"a field name of 1 MiB", withControl(control + filler + ": x\n"), catalog.TooLarge},
	} {
		t.Run(test.name, func(t *testing.T) { expect(t, test.file, test.want) })
	}
}

// GNU tar, which dpkg unpacks with, skips the content that a folder or a link claims to have, and Go reads it as
// members: an archive has one control file for the index and another for the installation.
func TestTarThatTwoProgramsReadDifferently(t *testing.T) {
	for _, file := range twoReadings() {
		expect(t, file, catalog.Malformed)
	}
}

// twoReadings returns packages of version 1.0 for Go's reader of tar files and of version 6.6 for GNU's.
func twoReadings() (files [][]byte) {
	evil := strings.Replace(control, "Version: 1.0", "Version: 6.6", 1)
	part := func(name, body string) []byte {
		b := debtest.Tar(debtest.TarFile{Name: name, Body: body})
		return b[:len(b)-1024]
	}
	hidden := bytes.Join([][]byte{part("./control", evil), sized(part("y", ""), 1024)}, nil)
	folder := part("./", "")
	for _, kind := range []byte("51") { // a folder, a hard link
		member := sized(bytes.Clone(folder), 512)
		member[156] = kind
		file := bytes.Join([][]byte{sized(member, 512), sized(part("x", ""), int64(len(hidden))), hidden, part("./control", control), make([]byte, 1024)}, nil)
		files = append(files, archive("control.tar", file))
	}
	return files
}

// sized writes another size into the tar header at the start of b.
func sized(b []byte, size int64) []byte {
	copy(b[124:], fmt.Sprintf("%011o\x00", size))
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// emptyBlocks returns a gzip member of about size bytes that unpacks to nothing: deflate blocks that have codes of
// their own and no symbol but the end.
func emptyBlocks(size int) []byte {
	out := []byte("\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff")
	bits, n := uint64(0), 0
	put := func(v uint64, width int) {
		bits |= v << n
		for n += width; n >= 8; n -= 8 {
			out, bits = append(out, byte(bits)), bits>>8
		}
	}
	block := func(final uint64) {
		put(final|2<<1, 3) // with codes of its own
		put(0, 10)         // 257 codes for literals, 1 for distances
		put(14, 4)         // 18 lengths follow, of the codes for lengths, in this order
		for _, symbol := range []int{16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1} {
			put(map[int]uint64{18: 1, 0: 2, 1: 2}[symbol], 3)
		}
		put((138-11)<<1, 8) // 256 zeros, in two runs
		put((118-11)<<1, 8)
		put(3, 2) // the end of the block has a code of one bit,
		put(3, 2) // and so has the one distance
		put(0, 1) // the end
	}
	for len(out) < size {
		block(0)
	}
	block(1)
	put(0, 7)
	return append(out, make([]byte, 8)...)
}

// xzStream returns a stream of one block: these LZMA2 chunks, which unpack to size bytes, and no integrity check.
func xzStream(chunks []byte, size uint64) []byte {
	sum := func(b []byte) []byte { return binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(b)) }
	pad := func(b []byte) []byte { return append(b, make([]byte, -len(b)&3)...) }
	flags := []byte{0, 0}
	header := binary.LittleEndian.AppendUint32(append([]byte("\xfd7zXZ\x00"), flags...), crc32.ChecksumIEEE(flags))
	block := sum([]byte{2, 0, 0x21, 1, 8, 0, 0, 0})
	index := binary.AppendUvarint([]byte{0, 1}, uint64(len(block)+len(chunks)))
	index = sum(pad(binary.AppendUvarint(index, size)))
	footer := append(binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-2)), flags...)
	footer = append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(footer)), footer...)
	return bytes.Join([][]byte{header, block, pad(bytes.Clone(chunks)), index, footer, []byte("YZ")}, nil)
}
