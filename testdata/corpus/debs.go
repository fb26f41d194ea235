package corpus

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"repomill/testdata/debtest"
)

var debArchs = []string{"amd64", "arm64", "all"}

// debPayload is what a small package holds besides its copyright file, in bytes that do not compress.
const debPayload = 2048

// Deb returns the file name and the bytes of package i as a .deb of about 4 KB, whose members are
// compressed with gzip. It is quicker than debtest.Build, which makes any kind of package.
func (c Corpus) Deb(i int) (name string, body []byte) { return c.deb(i, "gz", gzipped) }

// XZDeb returns the package of [Corpus.Deb] with members that are compressed with xz, which dpkg-deb does by default.
func (c Corpus) XZDeb(i int) (name string, body []byte) {
	return c.deb(i, "xz", func(b []byte) []byte { return debtest.Compress("xz", b) })
}

func (c Corpus) deb(i int, ext string, compress func([]byte) []byte) (name string, body []byte) {
	d := c.control(i)
	payload := make([]byte, debPayload)
	rand.NewChaCha8([32]byte{byte(c.Seed), byte(i), byte(i >> 8), byte(i >> 16)}).Read(payload) //nolint:errcheck // never fails
	doc := "./usr/share/doc/" + d.name + "/"
	data := debtest.Tar(
		debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./usr/"}, debtest.TarFile{Name: "./usr/share/"}, debtest.TarFile{Name: "./usr/share/doc/"},
		debtest.TarFile{Name: doc}, debtest.TarFile{Name: doc + "copyright", Body: "This package was made for benchmarks.\n"},
		debtest.TarFile{Name: doc + "payload", Body: string(payload)},
	)
	return fmt.Sprintf("%s_%s_%s.deb", d.name, d.version, d.arch), debtest.Ar(
		debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
		debtest.Member{Name: "control.tar." + ext, Body: compress(d.controlTar())},
		debtest.Member{Name: "data.tar." + ext, Body: compress(data)},
	)
}

// Debs writes the packages [from, to) into a folder, which it makes, and returns their paths.
func (c Corpus) Debs(t testing.TB, dir string, from, to int) []string {
	t.Helper()
	return writeAll(t, dir, from, to, c.Deb)
}

// XZDebs is [Corpus.Debs] of [Corpus.XZDeb].
func (c Corpus) XZDebs(t testing.TB, dir string, from, to int) []string {
	t.Helper()
	return writeAll(t, dir, from, to, c.XZDeb)
}

// A debControl is what package i says of itself.
type debControl struct {
	name, version, arch string
	control             string // the control file
}

func (c Corpus) control(i int) debControl {
	m := c.member(i)
	r := m.rand
	d := debControl{name: m.name, version: m.version + "-1", arch: debArchs[m.arch]}
	depends := []string{fmt.Sprintf("libc6 (>= 2.%d)", 17+r.IntN(20))}
	for range 2 + r.IntN(5) {
		depends = append(depends, fmt.Sprintf("%s%s (>= %d.%d)", pick(r, prefixes), pick(r, words), r.IntN(9), r.IntN(30)))
	}
	lines := []string{
		"Package: " + d.name, "Version: " + d.version, "Architecture: " + d.arch,
		"Maintainer: Release Engineering <release@example.org>",
		fmt.Sprintf("Installed-Size: %d", 20+r.IntN(90000)),
		"Depends: " + strings.Join(depends, ", "),
		"Section: " + pick(r, []string{"admin", "devel", "libs", "net", "utils", "web"}),
		"Priority: optional",
		"Homepage: https://example.org/" + d.name,
		"Description: " + sentence(r, 4),
	}
	for range 2 + r.IntN(4) {
		lines = append(lines, " "+sentence(r, 9))
	}
	d.control = strings.Join(lines, "\n") + "\n"
	return d
}

func (d debControl) controlTar() []byte {
	return debtest.Tar(debtest.TarFile{Name: "./control", Body: d.control})
}

// head returns the package up to the end of its control member, which is all that a stanza is made of.
func (d debControl) head() []byte {
	return debtest.Ar(
		debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
		debtest.Member{Name: "control.tar", Body: d.controlTar()},
	)
}

var gzips = sync.Pool{New: func() any { return gzip.NewWriter(nil) }}

// gzipped returns b compressed; a new writer for each would cost more than what it does.
func gzipped(b []byte) []byte {
	var out bytes.Buffer
	w := gzips.Get().(*gzip.Writer)
	defer gzips.Put(w)
	w.Reset(&out)
	w.Write(b) //nolint:errcheck // memory
	w.Close()  //nolint:errcheck // memory
	return out.Bytes()
}
