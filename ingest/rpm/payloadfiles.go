package rpm

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// payloadFiles are the files of a package as its header describes them, to be found by name and compared with those
// of the archive. They use the memory of the header; prepare adds at most 25 bytes for each file and directory.
type payloadFiles struct {
	n                            int // files
	dirs, bases, digests         []byte
	indexes, modes, flags, sizes []byte // 4, 2, 4, and 4 or 8 bytes for each file
	inodes, devices              []byte // 4 bytes for each file; nil unless both are there
	algorithm                    uint64 // of digests, by number

	dirAt, baseAt, digestAt []uint32 // offsets; digestAt is nil unless each file has a digest
	byPath                  []uint32 // numbers of files by path; nil until a file is not the expected one
	lastNames               []uint32 // for each file, the number of its last hard link, which has the contents; nil without hard links
	found                   []bool
	expected                int // the number of the next file if the archive has the order of the header
	pathA, pathB            []byte
}

// payloadFiles returns the files. [headerIndex.checkArrays] and [headerIndex.fileList] must have accepted their
// arrays.
func (x *headerIndex) payloadFiles() *payloadFiles {
	c := &payloadFiles{
		n:    int(x.entries[tagBaseNames].count),
		dirs: x.values(tagDirNames), bases: x.values(tagBaseNames), digests: x.values(tagFileDigests),
		indexes: x.values(tagDirIndexes), modes: x.values(tagFileModes), flags: x.values(tagFileFlags),
		sizes: x.values(tagFileSizes), algorithm: algorithmMD5,
	}
	if len(c.sizes) == 0 { // rpm prefers the first
		c.sizes = x.values(tagLongFileSizes)
	}
	if inodes, devices := x.values(tagFileInodes), x.values(tagFileDevices); len(inodes) == 4*c.n && len(devices) == 4*c.n {
		c.inodes, c.devices = inodes, devices
	}
	if e, ok := x.entries[tagFileDigestAlgo]; ok { // it may have a value for each file; rpm uses the first
		c.algorithm = uint64(binary.BigEndian.Uint32(x.data[e.offset:]))
	}
	return c
}

// prepare computes the offsets and hard links that find and lastName need.
func (c *payloadFiles) prepare() {
	c.dirAt, c.baseAt, c.digestAt = textOffsets(c.dirs), textOffsets(c.bases), textOffsets(c.digests)
	if len(c.digestAt) != c.n {
		c.digestAt = nil
	}
	c.found = make([]bool, c.n)
	c.findHardLinks()
}

// textOffsets returns the offsets of the strings in b, each of which ends with a zero byte.
func textOffsets(b []byte) []uint32 {
	at := make([]uint32, 0, bytes.Count(b, []byte{0}))
	for i := 0; i < len(b); i += bytes.IndexByte(b[i:], 0) + 1 {
		at = append(at, uint32(i))
	}
	return at
}

// textAt returns the string at offset i of b.
func textAt(b []byte, i uint32) []byte {
	text, _, _ := bytes.Cut(b[i:], []byte{0})
	return text
}

// findHardLinks sets lastNames: the hard links of a file are the regular files of one device and inode; inodes count
// from 1 (lib/rpmfi.c: rpmfilesBuildNLink). An archive has the contents with the last of them.
func (c *payloadFiles) findHardLinks() {
	if c.inodes == nil {
		return
	}
	key := func(i uint32) uint64 {
		return uint64(binary.BigEndian.Uint32(c.devices[4*i:]))<<32 | uint64(binary.BigEndian.Uint32(c.inodes[4*i:]))
	}
	regular := make([]uint32, 0, c.n)
	for i := range uint32(c.n) {
		if c.regular(int(i)) && !c.ghost(int(i)) && uint32(key(i)) != 0 {
			regular = append(regular, i)
		}
	}
	slices.SortFunc(regular, func(a, b uint32) int { return cmp.Or(cmp.Compare(key(a), key(b)), cmp.Compare(a, b)) })
	for from, to := 0, 0; from < len(regular); from = to {
		for to = from + 1; to < len(regular) && key(regular[from]) == key(regular[to]); to++ {
		}
		if to-from > 1 && c.lastNames == nil {
			c.lastNames = make([]uint32, c.n)
			for i := range c.lastNames {
				c.lastNames[i] = uint32(i)
			}
		}
		for _, i := range regular[from:to] {
			if c.lastNames != nil {
				c.lastNames[i] = regular[to-1]
			}
		}
	}
}

// lastName returns the number of the hard link of file i that has the contents.
func (c *payloadFiles) lastName(i int) int {
	if c.lastNames == nil {
		return i
	}
	return int(c.lastNames[i])
}

func (c *payloadFiles) mode(i int) uint16 { return binary.BigEndian.Uint16(c.modes[2*i:]) }

func (c *payloadFiles) regular(i int) bool { return c.mode(i)&modeType == modeRegular }

func (c *payloadFiles) ghost(i int) bool { return isGhost(c.flags, i) }

// size returns the size of file i in bytes.
func (c *payloadFiles) size(i int) uint64 {
	switch len(c.sizes) {
	case 4 * c.n:
		return uint64(binary.BigEndian.Uint32(c.sizes[4*i:]))
	case 8 * c.n:
		return binary.BigEndian.Uint64(c.sizes[8*i:])
	}
	return 0
}

// digest returns the digest of file i as the header has it, or "".
func (c *payloadFiles) digest(i int) string {
	if c.digestAt == nil {
		return ""
	}
	return string(textAt(c.digests, c.digestAt[i]))
}

// path appends the path of file i to b, without its first slash.
func (c *payloadFiles) path(b []byte, i int) []byte {
	dir := textAt(c.dirs, c.dirAt[binary.BigEndian.Uint32(c.indexes[4*i:])])
	return append(append(b, bytes.TrimPrefix(dir, []byte("/"))...), textAt(c.bases, c.baseAt[i])...)
}

// find returns the number of the file with this name in an archive, or -1 (lib/rpmfi.c: rpmfnFindFN).
func (c *payloadFiles) find(name []byte) int {
	name = bytes.TrimPrefix(bytes.TrimPrefix(name, []byte("./")), []byte("/"))
	is := func(i int) bool {
		c.pathA = c.path(c.pathA[:0], i)
		return bytes.Equal(c.pathA, name)
	}
	if c.expected < c.n && is(c.expected) {
		return c.expected
	}
	if c.byPath == nil {
		c.sortByPath()
	}
	at, ok := slices.BinarySearchFunc(c.byPath, name, func(i uint32, name []byte) int {
		c.pathA = c.path(c.pathA[:0], int(i))
		return bytes.Compare(c.pathA, name)
	})
	if !ok {
		return -1
	}
	return int(c.byPath[at])
}

func (c *payloadFiles) sortByPath() {
	c.byPath = make([]uint32, c.n)
	for i := range c.byPath {
		c.byPath[i] = uint32(i)
	}
	slices.SortFunc(c.byPath, func(a, b uint32) int {
		c.pathA, c.pathB = c.path(c.pathA[:0], int(a)), c.path(c.pathB[:0], int(b))
		return bytes.Compare(c.pathA, c.pathB)
	})
}
