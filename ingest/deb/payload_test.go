package deb_test

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/deb"
	"repomill/testdata/debtest"
)

// A payloadCase is a data member, whether an intake takes it that looks at its structure, and whether dpkg unpacks it.
type payloadCase struct {
	name             string
	member           debtest.Member
	structure, whole bool
}

func dataMember(ext string, tarball []byte) debtest.Member {
	return debtest.Member{Name: strings.TrimSuffix("data.tar."+ext, "."), Body: pack(ext, tarball)}
}

// pack compresses as debtest.Compress does, and as old tools did.
func pack(ext string, b []byte) []byte {
	if ext != "lzma" {
		return debtest.Compress(ext, b)
	}
	var out bytes.Buffer
	w, err := lzma.NewWriter(&out)
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

// packFar compresses with the windows of "xz -9" and "zstd --long".
func packFar(ext string, b []byte) (out []byte) {
	var packed bytes.Buffer
	var w io.WriteCloser
	var err error
	switch ext {
	case "xz":
		w, err = xz.WriterConfig{DictCap: 64 << 20}.NewWriter(&packed)
	case "lzma":
		w, err = lzma.WriterConfig{DictCap: 64 << 20}.NewWriter(&packed)
	case "zst":
		w, err = zstd.NewWriter(&packed, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(64<<20))
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
	return packed.Bytes()
}

// echo is an archive in which a file refers to another one, 2.4 MB before it. What lies in between is short when compressed,
// so that it is in what is looked at.
func echo() []byte {
	first, gap := noise(900<<10), debtest.TarFile{Name: "./zeros", Body: strings.Repeat("\x00", 3<<19)}
	return debtest.Tar(debtest.TarFile{Name: "./"}, first, gap, debtest.TarFile{Name: "./again", Body: first.Body}, noise(5<<19))
}

// noise is a file of n bytes that hardly compress, so that it reaches beyond what is looked at.
func noise(n int) debtest.TarFile {
	r := rand.New(rand.NewPCG(1, 2026))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return debtest.TarFile{Name: "./noise", Body: string(b)}
}

// paxTar is an archive with PAX headers, as Python and Bazel write it, behind other files.
func paxTar(before ...debtest.TarFile) []byte {
	files := debtest.Tar(append([]debtest.TarFile{{Name: "./"}, {Name: "./usr/"}}, before...)...)
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	h := &tar.Header{Name: "./usr/zz", Typeflag: tar.TypeReg, Mode: 0o644, Size: 1, ModTime: time.Unix(1700000000, 5e8), Format: tar.FormatPAX}
	if err := w.WriteHeader(h); err != nil {
		panic(err)
	}
	io.WriteString(w, "x") //nolint:errcheck // into memory
	w.Close()              //nolint:errcheck // likewise
	return append(files[:len(files)-1024], b.Bytes()...)
}

func payloadCases() (all []payloadCase) {
	small := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./usr/"}, debtest.TarFile{Name: "./usr/a", Body: "a"})
	large := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./usr/"}, noise(5<<19))
	typed := bytes.Clone(small)
	typed[2*512+156] = 'V' // a volume's name, of GNU tar
	copy(typed[2*512:], resum(typed[2*512:3*512]))
	field := func(at int, text string) []byte { // of the header of ./usr/a
		changed := bytes.Clone(small)
		copy(changed[2*512+at:], text)
		copy(changed[2*512:], resum(changed[2*512:3*512]))
		return changed
	}
	summed := bytes.Clone(small)
	summed[2*512] = '!'
	add := func(name string, m debtest.Member, structure, whole bool) {
		all = append(all, payloadCase{name, m, structure, whole})
	}
	for _, c := range []string{"", "gz", "xz", "zst", "lzma"} {
		plain := c == "" // is read whole in any case
		add("small "+c, dataMember(c, small), true, true)
		add("PAX headers "+c, dataMember(c, paxTar()), false, false)
		add("a member of an unknown type "+c, dataMember(c, typed), false, false)
		add("a wrong checksum "+c, dataMember(c, summed), false, false)
		add("a contiguous file "+c, dataMember(c, field(156, "7")), false, false)
		add("an owner that is not a number "+c, dataMember(c, field(108, "zz")), false, false)
		add("a time that is not a number "+c, dataMember(c, field(136, "zz")), false, false)
		add("no end blocks "+c, dataMember(c, small[:len(small)-1024]), true, true)
		add("an archive cut in a file "+c, dataMember(c, small[:3*512+100]), false, false)
		if c == "lzma" {
			continue // it takes long to write
		}
		add("large "+c, dataMember(c, large), true, true)
		add("PAX headers far behind "+c, dataMember(c, paxTar(noise(5<<19))), !plain, false)
	}
	for _, c := range []string{"xz", "zst", "lzma"} {
		add("a reference far back "+c, debtest.Member{Name: "data.tar." + c, Body: packFar(c, echo())}, true, true)
	}
	for _, c := range []string{"zst", "xz"} { // as pzstd and pixz write them; of gzip dpkg reads all members
		half := len(small) / 1024 * 512
		add("several streams "+c, debtest.Member{Name: "data.tar." + c, Body: append(pack(c, small[:half]), pack(c, small[half:])...)}, false, false)
	}
	for what, descriptor := range map[string]byte{"128 MiB": 0x88, "144 MiB": 0x89, "256 MiB": 0x90, "2 GiB": 0xa8} {
		fit := what == "128 MiB"
		add("a zstd window of "+what, debtest.Member{Name: "data.tar.zst", Body: zstdStored(descriptor, small)}, fit, fit)
		add("a zstd window of "+what+", large", debtest.Member{Name: "data.tar.zst", Body: zstdBlocks(descriptor, large)}, fit, fit)
	}
	sized := append(binary.LittleEndian.AppendUint32([]byte("\x28\xb5\x2f\xfd\xa0"), 200<<20), zstdStored(0, small)[6:]...)
	add("a zstd frame that says that it has 200 MiB", debtest.Member{Name: "data.tar.zst", Body: sized}, false, false)
	add("a zstd dictionary", debtest.Member{Name: "data.tar.zst", Body: append([]byte("\x28\xb5\x2f\xfd\x01\x50\x07"), zstdStored(0, small)[6:]...)}, false, false)
	add("a zstd dictionary that is none", debtest.Member{Name: "data.tar.zst", Body: append([]byte("\x28\xb5\x2f\xfd\x01\x50\x00"), zstdStored(0, small)[6:]...)}, true, true)
	for text, fit := range map[string]bool{oneBzip2: true, twoBzip2: false} {
		add(fmt.Sprintf("bzip2 in one stream is %v", fit), debtest.Member{Name: "data.tar.bz2", Body: unhex(text)}, fit, fit)
	}
	for _, c := range []string{"gz", "xz", "zst"} {
		damaged := dataMember(c, large)
		damaged.Body = bytes.Clone(damaged.Body)
		damaged.Body[2<<20] ^= 0x55
		add("damage in the middle "+c, damaged, true, false)
	}
	for _, c := range []string{"gz", "xz", "zst", "lzma", "bz2"} {
		stream := dataMember("gz", small)
		if stream.Name = "data.tar." + c; c == "bz2" {
			stream.Body = unhex(oneBzip2)
		} else {
			stream.Body = pack(c, small)
		}
		for what, behind := range map[string]string{
			"a byte": "x", "eight bytes": "nonsense", "zeros": times("\x00", 512), "30,000 bytes": times("x", 30_000),
			"the start of gzip": "\x1f", "a newline": "\n", "B": "B",
		} {
			add(fmt.Sprintf("%s with %s behind it", c, what), behindOf(stream, behind), true, true)
		}
		add(c+" with 400,000 bytes behind it", behindOf(stream, times("x", 400_000)), c == "lzma", false) // whose end says nothing
		add(c+" with 400,000 zeros behind it", behindOf(stream, times("\x00", 400_000)), c == "lzma", false)
		add(c+" without its last byte", debtest.Member{Name: stream.Name, Body: stream.Body[:len(stream.Body)-1]}, false, false)
	}
	if _, err := exec.LookPath("xz"); err == nil {
		cmd := exec.Command("xz", "-6", "-T1", "--block-size=1MiB", "-c")
		cmd.Stdin = bytes.NewReader(large)
		packed, err := cmd.Output()
		if err != nil {
			panic(err)
		}
		add("several blocks xz", debtest.Member{Name: "data.tar.xz", Body: packed}, true, true)
	}
	all = append(all, gzipCases(small, large)...)
	for _, c := range []string{"xz", "zst"} {
		whole := dataMember(c, large)
		add(c+" of 2.5 MiB with bytes behind it", behindOf(whole, "nonsense"), true, true)
		add(c+" of 2.5 MiB with 30,000 bytes behind it", behindOf(whole, times("x", 30_000)), true, true)
		for _, lost := range []int{1, 7, 100, 70_000} {
			add(fmt.Sprintf("%s without its last %d bytes", c, lost), debtest.Member{Name: whole.Name, Body: whole.Body[:len(whole.Body)-lost]}, false, false)
		}
	}
	return all
}

// zstdBlocks returns a zstd frame with this window descriptor and blocks that are stored.
func zstdBlocks(window byte, body []byte) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, window}
	for part := range slices.Chunk(body, 128<<10) {
		header := uint32(len(part)) << 3
		b = append(append(b, byte(header), byte(header>>8), byte(header>>16)), part...)
	}
	return append(b, 1, 0, 0) // an empty block ends it
}

// A small archive as bzip2 and pbzip2 write it, in one stream and in two: nothing here can.
const (
	oneBzip2 = "425a68393141592653599ed4027d000035db80e9804001ff80003160001e0004082000750944d2640d0f507a8024a4d3d40f534d01a325bccc98fa264360801a5b4e238a44e09d6401004ea8a2b4f867552ea2088731180242a45021dd5a789298d51aad2240536aaa2a9644131658a0fc5dc914e142427b5009f4"
	twoBzip2 = "425a6839314159265359ebaf2ee8000027db80c9c04001ff80003160001e0004002000750924d26400d0f500492988da83d400694eaa3c1328905d9e9121c5910c9d540604cebb5728b12d998ba8848e6230050ca28116b33cf12531ea3d5e4480ebd5e2f8b2194cb2bcfc5dc914e14243aebcbba0425a68393141592653595e645a06000000c101e000200000400008200021126419a0dd12d41d17c5dc914e14241799168180"
)

func unhex(text string) []byte {
	b, err := hex.DecodeString(text)
	if err != nil {
		panic(err)
	}
	return b
}

// behindOf returns a member with more bytes at its end.
func behindOf(m debtest.Member, more string) debtest.Member {
	return debtest.Member{Name: m.Name, Body: append(bytes.Clone(m.Body), more...)}
}

// gzipCases are the ends of gzip members, of which there may be several. What is in the first MiB is read to its end; of a
// longer one the end alone is seen.
func gzipCases(small, large []byte) (all []payloadCase) {
	one, long := dataMember("gz", small), dataMember("gz", large)
	add := func(name string, m debtest.Member, structure, whole bool) {
		all = append(all, payloadCase{"gzip: " + name, m, structure, whole})
	}
	half := len(small) / 1024 * 512
	add("several members", debtest.Member{Name: one.Name, Body: append(pack("gz", small[:half]), pack("gz", small[half:])...)}, true, true)
	add("bytes, and another member", behindOf(behindOf(one, "nonsense"), string(one.Body)), true, true)
	add("a zero, and another member", behindOf(behindOf(one, "\x00"), string(one.Body)), true, true)
	add("the first two bytes of a member", behindOf(one, "\x1f\x8b"), false, false)
	add("the first three bytes of a member", behindOf(one, "\x1f\x8b\x08"), false, false)
	add("a member of another method", behindOf(one, "\x1f\x8b\x00\x00"), false, false)
	for _, lost := range []int{4, 8, 9, 20} {
		add(fmt.Sprintf("without its last %d bytes", lost), debtest.Member{Name: one.Name, Body: one.Body[:len(one.Body)-lost]}, false, false)
	}
	for _, at := range []int{1, 5} {
		add(fmt.Sprintf("a wrong byte, %d before the end", at), debtest.Member{Name: one.Name, Body: flip(one.Body, len(one.Body)-at)}, false, false)
	}
	add("2.5 MiB, cut", debtest.Member{Name: one.Name, Body: long.Body[:len(long.Body)-100]}, false, false)
	add("2.5 MiB, and zeros", behindOf(long, times("\x00", 512)), true, true)
	add("2.5 MiB, and 400,000 zeros", behindOf(long, times("\x00", 400_000)), false, false)
	add("2.5 MiB, and bytes, which looks as if it were cut", behindOf(long, "nonsense"), false, true)
	return all
}

// Where dpkg reads the first stream only, and that has a whole archive, it installs what others see as the start of more.
func TestSeveralStreamsAreRefused(t *testing.T) {
	small := debtest.Tar(debtest.TarFile{Name: "./"})
	for c, stream := range map[string][]byte{"xz": pack("xz", small), "zst": pack("zst", small), "bz2": unhex(oneBzip2)} {
		file := debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar." + c, Body: append(bytes.Clone(stream), stream...)})
		for _, whole := range []bool{false, true} {
			if err := readPayload(file, whole); err == nil || !strings.Contains(err.Error(), "has several compressed streams, and dpkg reads the first one only") {
				t.Errorf("%s, whole %v: %v", c, whole, err)
			}
		}
	}
}

// No error has the words of a library of Go, which say nothing to those who build packages.
func TestTextsOfDamagedStreams(t *testing.T) {
	small := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./a", Body: times("a", 5000)})
	for c, stream := range map[string][]byte{"gz": pack("gz", small), "xz": pack("xz", small), "zst": pack("zst", small), "bz2": unhex(oneBzip2), "lzma": pack("lzma", small)} {
		for at := range stream {
			file := debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar." + c, Body: flip(stream, at)})
			for _, whole := range []bool{false, true} {
				err := readPayload(file, whole)
				if err == nil {
					continue // a time, or a name
				}
				for _, word := range []string{"bzip2 data", "gzip:", "flate", "xz:", "lzma", "unexpected EOF", "zstd:", "magic", "corrupt"} {
					if strings.Contains(strings.ReplaceAll(err.Error(), "data.tar."+c, ""), word) {
						t.Fatalf("%s, byte %d, whole %v: %v", c, at, whole, err)
					}
				}
			}
		}
	}
}

// resum returns a header with the checksum that it should have.
func resum(h []byte) []byte {
	copy(h[148:], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return h
}

func TestPayloadVerdictIsThatOfDpkg(t *testing.T) {
	asked := os.Getuid() == 0
	if _, err := exec.LookPath("dpkg"); err != nil || !asked {
		asked = false
		t.Log("dpkg is not asked: it is not here, or we are not root")
	}
	for _, test := range payloadCases() {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			file := debtest.Ar(debianBinary, controlTar, test.member)
			if err := readPayload(file, false); (err == nil) != test.structure {
				t.Errorf("a look at the structure says %v, want it accepted: %v", err, test.structure)
			}
			err := readPayload(file, true)
			if (err == nil) != test.whole {
				t.Errorf("unpacking says %v, want it accepted: %v", err, test.whole)
			}
			if complaint := dpkgUnpack(t, file, asked); asked && (complaint == "") != test.whole {
				t.Errorf("dpkg says %q, we %v", complaint, err)
			}
		})
	}
}

// readPayload reads a package to its end.
func readPayload(file []byte, whole bool) error {
	p, err := deb.Peek(bytes.NewReader(file))
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // never fails
	if whole {
		p.VerifyWhole()
	}
	got, err := io.ReadAll(p.Body())
	if err == nil && !bytes.Equal(got, file) {
		err = fmt.Errorf("the body has other bytes")
	}
	return err
}

// dpkgUnpack unpacks a package into an empty root, if asked, and returns what dpkg has against it.
func dpkgUnpack(t *testing.T, file []byte, asked bool) string {
	t.Helper()
	if !asked {
		return ""
	}
	root := t.TempDir()
	for _, dir := range []string{"info", "updates"} {
		if err := os.MkdirAll(filepath.Join(root, "var/lib/dpkg", dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"status", "available"} {
		if err := os.WriteFile(filepath.Join(root, "var/lib/dpkg", name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	path := filepath.Join(root, "x.deb")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("dpkg", "--root", root, "--force-depends", "--log=/dev/null", "--unpack", path).CombinedOutput()
	if err != nil {
		return string(out) + err.Error()
	}
	return ""
}

// A body that is dropped while it unpacks leaves nothing running: Close returns.
func TestCloseEndsAVerification(t *testing.T) {
	file := debtest.Ar(debianBinary, controlTar, dataMember("xz", debtest.Tar(debtest.TarFile{Name: "./"}, noise(3<<20))))
	p, err := deb.Peek(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	p.VerifyWhole()
	if _, err := io.CopyN(io.Discard, p.Body(), 1<<20); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What it costs to look at the structure of a payload, and to unpack it, in bytes as they lie in the file.
func BenchmarkPayload(b *testing.B) {
	tarball := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./text", Body: benchText()})
	for _, c := range []string{"gz", "xz", "zst"} {
		file := debtest.Ar(debianBinary, controlTar, dataMember(c, tarball))
		for name, whole := range map[string]bool{"structure": false, "whole": true} {
			b.Run(c+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(file)))
				for b.Loop() {
					if err := readPayload(file, whole); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// benchText is what benchmarks compress, to a third or so.
func benchText() string {
	r := rand.New(rand.NewPCG(2, 2026))
	words := make([]string, 5000)
	for i := range words {
		words[i] = fmt.Sprintf("%x ", r.Uint32N(1<<(8+r.Uint32N(24))))
	}
	var text strings.Builder
	for text.Len() < 64<<20 {
		text.WriteString(words[r.IntN(1+r.IntN(len(words)))])
	}
	return text.String()
}
