package rpm_test

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"fmt"
	"strings"
	"testing"

	"repomill/testdata/rpmtest"
)

// linkCases are files of several names.
func linkCases(t testing.TB) (all []payloadCase) {
	text := strings.Repeat("linked\n", 3)
	files := []listed{
		{path: "/usr/share/a", body: text, inode: 7}, {path: "/usr/share/b", body: text, inode: 7}, {path: "/usr/share/c", body: text, inode: 7},
		{path: "/usr/share/d", body: "alone"},
	}
	add := func(name, detail string, differ bool, members ...member) {
		archive := archiveOf(append(members, trailer)...)
		all = append(all, payloadCase{name: name, file: withPayload(t, list(files...), "zstd", packed("zstd", archive)), detail: detail, differ: differ})
	}
	at := func(name, body string) member { return member{name: "./usr/share/" + name, body: body} }
	add("links, the contents with the last", "", false, at("a", ""), at("b", ""), at("c", text), at("d", "alone"))
	add("links, in another order", "", false, at("d", "alone"), at("b", ""), at("a", ""), at("c", text))
	add("links, the contents with the first", "where the header of a file", false, at("a", text), at("b", ""), at("c", ""), at("d", "alone"))
	add("links, the contents with each", "where the header of a file", false, at("a", text), at("b", text), at("c", text), at("d", "alone"))
	add("links without contents", "with the SHA-256", false, at("a", ""), at("b", ""), at("c", ""), at("d", "alone"))
	add("links with other contents", "with the SHA-256", false, at("a", ""), at("b", ""), at("c", strings.ToUpper(text)), at("d", "alone"))
	add("a link is missing", "does not have the file", false, at("a", ""), at("c", text), at("d", "alone"))
	add("links with another file between them", "mixes up their contents", true, at("a", ""), at("d", "alone"), at("b", ""), at("c", text))
	add("links, the last before the others", "mixes up their contents", true, at("c", text), at("a", ""), at("b", ""), at("d", "alone"))
	return all
}

// headerCases are headers whose files are of kinds of their own.
func headerCases(t testing.TB) (all []payloadCase) {
	add := func(name, detail string, archive []byte, files ...listed) {
		all = append(all, payloadCase{name: name, file: withPayload(t, list(files...), "gzip", packed("gzip", archive)), detail: detail})
	}
	f := listed{path: "/usr/share/f", body: "f"}
	fMember := member{name: "./usr/share/f", body: "f"}
	ghost := listed{path: "/usr/share/g", body: "g", flags: 64}
	gMember := member{name: "./usr/share/g", body: "g"}
	link := listed{path: "/usr/share/l", mode: 0o120777, body: "f", target: "f"}
	lMember := member{name: "./usr/share/l", body: "f"}
	with := func(f listed, change func(*listed)) listed { change(&f); return f }
	add("a file that is not packed, but listed", "", archived(f), f, ghost)
	add("a file that is packed, although it says that it is not", "", archiveOf(fMember, gMember, trailer), f, ghost)
	add("an empty file", "", archiveOf(member{name: "./usr/share/f"}, trailer), with(f, func(f *listed) { f.body = "" }))
	add("a symbolic link", "", archived(f, link), f, link)
	add("a symbolic link with another target in the archive", "", archiveOf(fMember, member{name: lMember.name, body: "x"}, trailer), f, link)
	add("a symbolic link with a short target in the archive", "symbolic link", archiveOf(fMember, member{name: lMember.name}, trailer), f, link)
	add("a symbolic link with a long target in the archive", "where the header of a file", archiveOf(fMember, member{name: lMember.name, body: "fffff"}, trailer), f, link)
	add("Latin-1 in names", "", archived(listed{path: "/usr/share/\xe9t\xe9/\xfc", body: "u"}), listed{path: "/usr/share/\xe9t\xe9/\xfc", body: "u"})
	add("files that are not sorted", "", archived(with(f, func(f *listed) { f.path = "/usr/share/z" }), f), with(f, func(f *listed) { f.path = "/usr/share/z" }), f)
	add("files that are not sorted, packed in order", "", archived(f, with(f, func(f *listed) { f.path = "/usr/share/z" })), with(f, func(f *listed) { f.path = "/usr/share/z" }), f)
	add("a path listed twice", "does not have the file", archived(f), f, f)
	add("a digest in capitals", "", archived(f), with(f, func(f *listed) { f.digest = strings.ToUpper(fmt.Sprintf("%x", sha256.Sum256([]byte("f")))) }))
	add("no digest of a file", "with the SHA-256", archived(f), with(f, func(f *listed) { f.digest = "-" }))
	add("an MD5 that is called SHA-256", "cannot compare", archived(f), with(f, func(f *listed) { f.digest = fmt.Sprintf("%x", md5.Sum([]byte("f"))) }))
	all = append(all, payloadCase{name: "garbage, and no files", file: withPayload(t, nil, "gzip", []byte("garbage"))})
	alone := list(f)
	unpackedHash := func(m map[uint32]rpmtest.Entry) {
		alone(m)
		m[5097] = rpmtest.Entry{Type: 8, Count: 1, Data: fmt.Appendf(nil, "%x\x00", sha256.Sum256(nil))}
	}
	all = append(all, payloadCase{name: "a wrong digest of the unpacked payload", file: withPayload(t, unpackedHash, "gzip", packed("gzip", archived(f)))})
	algorithm := func(name, detail string, n uint32, digest string) {
		m := list(with(f, func(f *listed) { f.digest = digest }))
		change := func(e map[uint32]rpmtest.Entry) {
			m(e)
			if e[5011] = (rpmtest.Entry{Type: 4, Count: 1, Data: []byte{0, 0, 0, byte(n)}}); n == 0 {
				delete(e, 5011)
			}
		}
		all = append(all, payloadCase{name: name, file: withPayload(t, change, "gzip", packed("gzip", archived(f))), detail: detail})
	}
	algorithm("MD5 of files, by no number", "", 0, fmt.Sprintf("%x", md5.Sum([]byte("f"))))
	algorithm("MD5 of files", "", 1, fmt.Sprintf("%x", md5.Sum([]byte("f"))))
	algorithm("SHA-1 of files", "", 2, fmt.Sprintf("%x", sha1.Sum([]byte("f"))))
	algorithm("SHA-512 of files", "", 10, fmt.Sprintf("%x", sha512.Sum512([]byte("f"))))
	algorithm("MD5 by an unknown number", "", 99, fmt.Sprintf("%x", md5.Sum([]byte("f"))))
	return all
}
