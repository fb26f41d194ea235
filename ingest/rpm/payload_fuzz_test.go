package rpm_test

import (
	"bytes"
	"errors"
	"testing"

	"repomill/schemas/catalog"
)

// FuzzRpmPayload gives the reader of payloads anything, compressed by it or not: the answer is a verdict, and no archive that
// differs from the header is taken.
func FuzzRpmPayload(f *testing.F) {
	linked := archiveOf(dirMember, member{name: aMember.name}, bMember, trailer)
	for _, c := range []string{"gzip", "xz", "lzma", "zstd", "none"} {
		f.Add(c, packed(c, soundCPIO))
		f.Add(c, packed(c, linked))
	}
	f.Add("bzip2", unhex(f, bzip2Whole))
	f.Add("bzip2", unhex(f, bzip2Twice))
	f.Add("none", archiveOf(member{magic: "07070X", name: "00000000"}, member{magic: "07070X", name: "00000001", body: aMember.body},
		member{magic: "07070X", name: "00000002", body: "b"}, trailer))
	f.Fuzz(func(t *testing.T, compressor string, payload []byte) {
		if len(payload) == 0 || len(compressor) > 20 || bytes.ContainsRune([]byte(compressor), 0) {
			return
		}
		err := readPayload(withPayload(t, list(sound...), compressor, payload), true)
		if err == nil {
			return
		}
		if rej, ok := errors.AsType[*catalog.Rejection](err); !ok || rej.Reason == catalog.ParserPanic {
			t.Errorf("got %v, want a rejection, and not of a panic", err)
		}
	})
}

// FuzzRpmArchive changes the archive alone, of links and other kinds of files.
func FuzzRpmArchive(f *testing.F) {
	text := "linked\n"
	files := []listed{
		{path: "/usr/share/a", body: text, inode: 7}, {path: "/usr/share/b", body: text, inode: 7}, {path: "/usr/share/d", mode: dir},
		{path: "/usr/share/g", body: "ghost", flags: 64}, {path: "/usr/share/l", mode: 0o120777, body: "a", target: "a"}, {path: "/usr/share/x", body: "x"},
	}
	f.Add(archiveOf(member{name: "./usr/share/a"}, member{name: "./usr/share/b", body: text}, member{name: "./usr/share/d"},
		member{name: "./usr/share/l", body: "a"}, member{name: "./usr/share/x", body: "x"}, trailer))
	f.Add(archiveOf(member{name: "/usr/share/x", body: "x"}, member{name: "./usr/share/g", body: "ghost"}, trailer))
	f.Add(archiveOf(member{magic: "07070X", name: "00000004", body: "a"}, member{magic: "07070X", name: "00000000"}, trailer))
	f.Fuzz(func(t *testing.T, archive []byte) {
		if len(archive) == 0 {
			return
		}
		err := readPayload(withPayload(t, list(files...), "none", archive), true)
		if rej, ok := errors.AsType[*catalog.Rejection](err); err != nil && (!ok || rej.Reason == catalog.ParserPanic) {
			t.Errorf("got %v, want a rejection, and not of a panic", err)
		}
		if err == nil && !bytes.Contains(archive, []byte(text)) {
			t.Error("an archive is taken that does not have the contents of all files")
		}
	})
}
