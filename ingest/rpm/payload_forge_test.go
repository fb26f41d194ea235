package rpm_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/testdata/rpmtest"
)

// A listed file is one that a forged header lists. The zero mode is that of a regular file.
type listed struct {
	path   string
	mode   uint16
	body   string
	flags  uint32
	inode  uint32 // 0: one of its own
	digest string // "": the right one; "-": none
	target string // of a symbolic link
}

func (f listed) regular() bool { return f.mode == 0 || f.mode&0o170000 == 0o100000 }

// list makes a header list these files.
func list(files ...listed) func(map[uint32]rpmtest.Entry) {
	var bases, dirs, digests, owners, targets []string
	var modes []uint16
	var indexes, sizes, flags, inodes, devices []uint32
	for i, f := range files {
		slash := strings.LastIndexByte(f.path, '/') + 1
		bases, dirs, indexes = append(bases, f.path[slash:]), append(dirs, f.path[:slash]), append(indexes, uint32(i))
		digest := ""
		if f.regular() {
			digest = fmt.Sprintf("%x", sha256.Sum256([]byte(f.body)))
		}
		if f.digest != "" {
			digest = strings.Trim(f.digest, "-")
		}
		if f.mode == 0 {
			f.mode = 0o100644
		}
		if f.inode == 0 {
			f.inode = uint32(100 + i)
		}
		modes, sizes, flags = append(modes, f.mode), append(sizes, uint32(len(f.body))), append(flags, f.flags)
		inodes, devices = append(inodes, f.inode), append(devices, 1)
		owners, digests, targets = append(owners, "root"), append(digests, digest), append(targets, f.target)
	}
	n := len(files)
	return func(m map[uint32]rpmtest.Entry) {
		for _, v := range []value{
			strs(1117, bases...), strs(1118, dirs...), int32s(1116, indexes...), int16s(1030, modes...), int32s(1028, sizes...),
			strs(1035, digests...), int32s(1037, flags...), strs(1039, owners...), strs(1040, owners...), strs(1036, targets...),
			int32s(1096, inodes...), int32s(1095, devices...), int32s(1034, make([]uint32, n)...), int16s(1033, make([]uint16, n)...),
			int32s(5011, 8),
		} {
			m[v.tag] = rpmtest.Entry{Type: v.typ, Count: v.count, Data: v.data}
		}
		for _, tag := range []uint32{1045, 1097, 1140, 1141, 1142, 1143, 1144} { // of each file, too
			delete(m, tag)
		}
	}
}

// A member is a file of a forged archive.
type member struct {
	name  string // of the magic 07070X: the number of the file
	body  string
	size  int    // that its header says, if not that of the body
	magic string // "": 070701
}

// archiveOf returns a cpio archive of members. What is called TRAILER!!! ends it; nothing else does.
func archiveOf(members ...member) []byte {
	var b bytes.Buffer
	pad := func() { b.Write(make([]byte, -b.Len()&3)) }
	for i, m := range members {
		if m.magic == "07070X" {
			b.WriteString(m.magic + m.name)
			pad()
			b.WriteString(m.body)
			pad()
			continue
		}
		size := len(m.body)
		if m.size != 0 {
			size = m.size
		}
		if m.magic == "" {
			m.magic = "070701"
		}
		fmt.Fprintf(&b, "%s%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x", m.magic, i+1, 0o100644, 0, 0, 1, 0, size, 0, 0, 0, 0, len(m.name)+1, 0)
		b.WriteString(m.name + "\x00")
		pad()
		b.WriteString(m.body)
		pad()
	}
	return b.Bytes()
}

var trailer = member{name: "TRAILER!!!"}

// archived returns the archive that belongs to files of which each has one name.
func archived(files ...listed) []byte {
	var members []member
	for _, f := range files {
		if f.flags&64 == 0 {
			members = append(members, member{name: "." + f.path, body: f.body})
		}
	}
	return archiveOf(append(members, trailer)...)
}

// packed compresses b as a payload is, by its tag.
func packed(compressor string, b []byte) []byte {
	var out bytes.Buffer
	var w io.WriteCloser
	var err error
	switch compressor {
	case "gzip":
		w = gzip.NewWriter(&out)
	case "xz":
		w, err = xz.NewWriter(&out)
	case "lzma":
		w, err = lzma.NewWriter(&out)
	case "zstd":
		w, err = zstd.NewWriter(&out, zstd.WithEncoderConcurrency(1))
	default:
		return b
	}
	if err == nil {
		_, err = w.Write(b)
	}
	if err == nil {
		err = w.Close()
	}
	if err != nil {
		panic(err)
	}
	return out.Bytes()
}

// withPayload returns a package whose digests are right, with a payload of its own and a tag that says how it is compressed
// (or, if that is "", no tag).
func withPayload(t testing.TB, main func(map[uint32]rpmtest.Entry), compressor string, payload []byte) []byte {
	t.Helper()
	b := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch"})
	at := 96
	for range 2 {
		at += -at & 7
		at += 16 + 16*int(binary.BigEndian.Uint32(b[at+8:])) + int(binary.BigEndian.Uint32(b[at+12:]))
	}
	return rpmtest.Edit(t, append(b[:at:at], payload...), func(m map[uint32]rpmtest.Entry) {
		if delete(m, 1125); compressor != "" {
			with(1125, 6, 1, compressor+"\x00")(m)
		}
		with(5092, 8, 1, fmt.Sprintf("%x\x00", sha256.Sum256(payload)))(m)
		if main != nil {
			main(m)
		}
	}, nil)
}
