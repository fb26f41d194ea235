package rpm_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
)

// A payloadCase is a package whose digests are right, whether unpacking says that it can be installed, and whether rpm
// installs it, where that differs.
type payloadCase struct {
	name   string
	file   []byte
	want   catalog.Reason
	detail string // part of what the rejection says
	differ bool   // rpm takes what we refuse
	seen   bool   // its first bytes show that, so that it need not be unpacked
}

const dir = 0o040755

// three files, and what their archive is.
var (
	sound     = []listed{{path: "/usr/share/t", mode: dir}, {path: "/usr/share/t/a", body: "text of a\n"}, {path: "/usr/share/t/b", body: "b"}}
	soundCPIO = archived(sound...)
	aMember   = member{name: "./usr/share/t/a", body: "text of a\n"}
	bMember   = member{name: "./usr/share/t/b", body: "b"}
	dirMember = member{name: "./usr/share/t"}
)

// soundCPIO as bzip2 packs it, whole and in two streams.
const (
	bzip2Whole = "425a68393141592653595760061200004cff804e1808007001fcc02224140033409e402000920c940d1a0000d3ca002a8a0201a683d2340068966ceabe4f92c0948b251e2cbd" +
		"dac6ad6b5ee3cc708b8888a532ca17635159855179d094989c6b325149752d5a4a008800e032582ab6ecd6e00746a976e0a43bf0bd0e25c7d29f207a15fc5dc914e142415d80" +
		"1848"
	bzip2Twice = "425a6839314159265359234e54a900000ae9004800080074c0200020002129a13688400c2822cc52349e53d9e476fc5dc914e142408d3952a4425a6839314159265359dfe0bb" +
		"25000043ff804e1808007001fcc02224140033409e4020007233fd4a00c9a680d0c8d0036949a35034d341e413d20373d1bd25625f1980d308b156325ac570e2ad5ecd8ea5c0" +
		"9139d285d8c12b0c20a4b21b314a0514d4de6515af790448ef5d6b5db78c5b89d16d1b3c6c3bf05a19159e89f248b439fc5dc914e142437f82ec94"
)

func payloadCases(t testing.TB) (all []payloadCase) {
	for _, group := range []func(testing.TB) []payloadCase{streamCases, memoryCases, archiveCases, linkCases, headerCases} {
		all = append(all, group(t)...)
	}
	for i, c := range all {
		if c.want == "" && c.detail != "" {
			all[i].want = catalog.Malformed
		}
	}
	return all
}

// ofSound returns a package of the three files with a payload.
func ofSound(t testing.TB, compressor string, payload []byte) []byte {
	return withPayload(t, list(sound...), compressor, payload)
}

// streamCases are payloads that are compressed otherwise than one expects.
func streamCases(t testing.TB) (all []payloadCase) {
	add := func(name, compressor string, payload []byte, detail string) {
		seen := strings.HasPrefix(detail, "begins as ") || strings.Contains(detail, "compressor")
		all = append(all, payloadCase{name: name, file: ofSound(t, compressor, payload), detail: detail, seen: seen})
	}
	for _, c := range []string{"gzip", "xz", "lzma", "zstd", "none"} {
		b := packed(c, soundCPIO)
		add("sound, "+c, c, b, "")
		add("garbage, "+c, c, []byte(strings.Repeat("garbage!", 20)), "cannot unpack")
		add("one byte, "+c, c, []byte{0}, "cannot unpack")
		add("cut in the middle, "+c, c, b[:len(b)/2], "cannot unpack")
		add("two streams, "+c, c, append(packed(c, soundCPIO[:100]), packed(c, soundCPIO[100:])...), map[string]string{"xz": "ends before", "lzma": "cannot unpack"}[c])
		add("garbage behind the archive, "+c, c, packed(c, append(bytes.Clone(soundCPIO), "garbage"...)), "")
		add("garbage behind the stream, "+c, c, append(b, "garbage"...), "")
		for _, other := range []string{"gzip", "xz", "lzma", "zstd", "bzip2", "none"} {
			detail := "begins as " + c
			switch {
			case c == other, c == "xz" && other == "lzma", c == "lzma" && other == "xz", c == "none" && other == "gzip":
				detail = ""
			case c == "none":
				detail = "cannot unpack"
			}
			add(c+" that is called "+other, other, b, detail)
		}
	}
	add("gzip without a tag", "", packed("gzip", soundCPIO), "")
	add("nothing compressed, and no tag, as w.ufdio of rpmbuild does", "", soundCPIO, "")
	add("xz without a tag", "", packed("xz", soundCPIO), "begins as xz")
	add("zstd without a tag", "", packed("zstd", soundCPIO), "does not name a compressor")
	add("zstd by a number", "zstd19", packed("zstd", soundCPIO), `does not know the compressor "zstd19"`)
	add("gzip by the name of its reader", "gzdio", packed("gzip", soundCPIO), "")
	add("xz in capitals", "XZ", packed("xz", soundCPIO), "begins as xz")
	add("bzip2", "bzip2", unhex(t, bzip2Whole), "")
	add("bzip2, cut", "bzip2", unhex(t, bzip2Whole)[:60], "cannot unpack")
	add("bzip2, two streams", "bzip2", unhex(t, bzip2Twice), "ends before")
	add("zstd, a skippable frame first", "zstd", append([]byte("\x50\x2a\x4d\x18\x04\x00\x00\x00skip"), packed("zstd", soundCPIO)...), "")
	z := packed("gzip", soundCPIO)
	add("gzip, cut behind the archive", "gzip", z[:len(z)-8], "")
	add("gzip, a wrong sum at its end", "gzip", flip(z, len(z)-8), "cannot unpack")
	x := packed("xz", soundCPIO)
	add("xz, cut in its index", "xz", x[:len(x)-20], "")
	add("xz, flipped data", "xz", flip(x, 80), "cannot unpack")
	s := packed("zstd", soundCPIO)
	add("zstd, no sum at its end", "zstd", s[:len(s)-4], "ends before")
	add("zstd, a wrong sum at its end", "zstd", flip(s, len(s)-1), "cannot unpack")
	return all
}

// memoryCases are payloads that ask for much of it: what their header says, they need not use.
func memoryCases(t testing.TB) (all []payloadCase) {
	add := func(name, compressor string, payload []byte, detail string, seen, differ bool) {
		c := payloadCase{name: name, file: ofSound(t, compressor, payload), detail: detail, seen: seen, differ: differ}
		if detail != "" {
			c.want = catalog.TooLarge
		}
		all = append(all, c)
	}
	add("a zstd window of 128 MiB", "zstd", zstdStored(0x88, soundCPIO), "", false, false)
	add("a zstd window of 144 MiB", "zstd", zstdStored(0x89, soundCPIO), "zstd window", true, false)
	add("a zstd window of 2 GiB", "zstd", zstdStored(0xa8, soundCPIO), "zstd window", true, false)
	for size, fit := range map[string]bool{"64MiB": true, "96MiB": true, "128MiB": false} {
		for _, form := range []string{"xz", "lzma"} {
			detail := ""
			if size != "64MiB" {
				detail = "dictionary of more than"
			}
			cmd := exec.Command("xz", "--format="+form, "--"+map[string]string{"xz": "lzma2", "lzma": "lzma1"}[form]+"=preset=0,dict="+size, "-T1", "-c")
			cmd.Stdin = bytes.NewReader(soundCPIO)
			packed, err := cmd.Output()
			if err != nil { // it has the memory of an encoder of that size only here
				t.Logf("no %s of %s: %v", form, size, err)
				continue
			}
			add("a dictionary of "+size+", "+form, form, packed, detail, !fit, size == "96MiB")
		}
	}
	return all
}

// zstdStored returns a zstd frame with this window descriptor and one stored block.
func zstdStored(window byte, body []byte) []byte {
	header := uint32(len(body))<<3 | 1
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, window, byte(header), byte(header >> 8), byte(header >> 16)}, body...)
}

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x20
	return b
}

// archiveCases are archives that are not what the header says.
func archiveCases(t testing.TB) (all []payloadCase) {
	add := func(name string, archive []byte, detail string) {
		all = append(all, payloadCase{name: name, file: ofSound(t, "gzip", packed("gzip", archive)), detail: detail})
	}
	of := func(members ...member) []byte { return archiveOf(append(members, trailer)...) }
	named := func(m member, name string) member { m.name = name; return m }
	stripped := func(n, body string) member { return member{magic: "07070X", name: n, body: body} }
	magic := func(m member, magic string) member { m.magic = magic; return m }
	long := strings.Repeat("x", 4096)
	add("no byte", nil, "ends before")
	add("no file", of(), "does not have the file")
	add("no file and no end", []byte{}, "ends before")
	add("cut in a header", soundCPIO[:150], "ends before")
	add("cut in a file", archiveOf(dirMember, aMember)[:256], "ends before")
	add("no end mark", archiveOf(dirMember, aMember, bMember), "ends before")
	add("an end mark without padding", soundCPIO[:len(soundCPIO)-3], "ends before")
	add("in another order", of(bMember, aMember, dirMember), "")
	add("with sums", of(magic(dirMember, "070702"), magic(aMember, "070702"), magic(bMember, "070702")), "")
	add("in the old format", of(magic(dirMember, "070707"), aMember, bMember), "begins with \"070707\"")
	add("stripped", of(stripped("00000000", ""), stripped("00000001", aMember.body), stripped("00000002", "b")), "")
	add("stripped, with an end of its own", archiveOf(stripped("00000000", ""), stripped("00000001", aMember.body), stripped("00000002", "b"), stripped("ffffffff", "")), "")
	add("stripped, of a file too many", of(stripped("00000000", ""), stripped("00000001", aMember.body), stripped("00000003", "b")), "has the file 3 of the header")
	add("stripped, without a number", of(stripped("0000000z", "")), "no number")
	add("names without a dot", of(named(dirMember, "/usr/share/t"), named(aMember, "/usr/share/t/a"), named(bMember, "usr/share/t/b")), "")
	add("a file is missing", of(dirMember, aMember), `does not have the file "/usr/share/t/b"`)
	add("the folder is missing", of(aMember, bMember), `does not have the file "/usr/share/t"`)
	add("a file more", of(dirMember, aMember, bMember, named(bMember, "./usr/share/t/c")), `"./usr/share/t/c", which the header does not list`)
	add("a file is renamed", of(dirMember, aMember, named(bMember, "./usr/share/t/c")), "which the header does not list")
	add("a file in another case", of(dirMember, aMember, named(bMember, "./usr/share/t/B")), "which the header does not list")
	add("a name with dots", of(dirMember, aMember, named(bMember, "./usr/share/t/../t/b")), "which the header does not list")
	add("a file twice", of(dirMember, aMember, bMember, bMember), "twice")
	add("flipped contents", of(dirMember, named(member{body: "TEXT of a\n"}, aMember.name), bMember), "with the SHA-256")
	add("a file too short", of(dirMember, named(member{body: "text"}, aMember.name), bMember), "with the SHA-256")
	add("a file too long", of(dirMember, named(member{body: aMember.body + "and more"}, aMember.name), bMember), "where the header of a file")
	add("a size in the archive that is not that of the contents", of(dirMember, member{name: aMember.name, body: aMember.body, size: 5}, bMember), "")
	add("a size of the folder", of(member{name: dirMember.name, size: 4096}, aMember, bMember), "")
	add("a size without digits", bytes.Replace(soundCPIO, []byte("0000000a"), []byte("0000zz0a"), 1), "impossible number")
	add("a name without bytes", bytes.Replace(soundCPIO, []byte("0000000e"), []byte("00000000"), 1), "impossible number")
	add("a name of 4097 bytes", of(dirMember, aMember, named(bMember, long)), "impossible number")
	add("a name with a zero byte", of(dirMember, aMember, named(bMember, "./usr/share/t/b\x00c")), "")
	all = append(all, payloadCase{name: "the folder twice", file: ofSound(t, "gzip", packed("gzip", of(dirMember, aMember, dirMember, bMember))),
		detail: "twice", differ: true})
	return all
}

func TestPayloadVerdictIsThatOfRPM(t *testing.T) {
	_, err := exec.LookPath("rpm")
	judged := err == nil
	for _, c := range payloadCases(t) {
		t.Run(c.name, func(t *testing.T) {
			err := readPayload(c.file, false)
			if c.seen {
				checkVerdict(t, err, c.want, c.detail)
			} else if err != nil {
				t.Errorf("without unpacking it is refused: %v", err)
			}
			err = readPayload(c.file, true)
			checkVerdict(t, err, c.want, c.detail)
			if !judged {
				t.Skip("rpm is not installed")
			}
			if installed, said := rpmInstalls(t, c.file); installed != (c.want == "" || c.differ) {
				t.Errorf("rpm installs it: %t, and we say %v; rpm says %s", installed, err, said)
			}
		})
	}
}

func checkVerdict(t *testing.T, err error, want catalog.Reason, detail string) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("got %v, want it accepted", err)
		}
		return
	}
	rej, ok := errors.AsType[*catalog.Rejection](err)
	if !ok || rej.Reason != want || !strings.Contains(rej.Detail, detail) {
		t.Errorf("got %v, want %s with %q", err, want, detail)
	}
}

// readPayload reads a package to its end.
func readPayload(file []byte, whole bool) error {
	p, err := rpm.Peek(bytes.NewReader(file))
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

// drain reads a package to its end, unpacks it, and keeps nothing.
func drain(file []byte) error {
	p, err := rpm.Peek(bytes.NewReader(file))
	if err != nil {
		return err
	}
	defer p.Close() //nolint:errcheck // never fails
	p.VerifyWhole()
	_, err = io.Copy(io.Discard, p.Body())
	return err
}
