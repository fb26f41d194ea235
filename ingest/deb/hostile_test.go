package deb_test

import (
	"archive/tar"
	"bytes"
	"compress/flate"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"
	"testing"
	"unicode"

	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

const control = "Package: hello\nVersion: 1.0\nArchitecture: all\nMaintainer: M <m@example.org>\nDescription: d\n"

var (
	debianBinary = debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")}
	dataTar      = debtest.Member{Name: "data.tar", Body: debtest.Tar(debtest.TarFile{Name: "./"})}
	controlTar   = debtest.Member{Name: "control.tar", Body: debtest.Tar(debtest.TarFile{Name: "./control", Body: control})}
)

// archive returns a package with this control member.
func archive(name string, body []byte) []byte {
	return debtest.Ar(debianBinary, debtest.Member{Name: name, Body: body}, dataTar)
}

// withControl returns a package with this control file.
func withControl(text string) []byte {
	return archive("control.tar", debtest.Tar(debtest.TarFile{Name: "./control", Body: text}))
}

// withTar returns a package with these headers in control.tar; content is zeros, but that of control.
func withTar(headers ...tar.Header) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if h.Name == "control" && h.Typeflag == tar.TypeReg {
			h.Size = int64(len(control))
		}
		if err := w.WriteHeader(&h); err != nil {
			panic(err)
		}
		if h.Size > 0 {
			if _, err := io.WriteString(w, control+strings.Repeat("\x00", int(h.Size)-len(control))); err != nil {
				panic(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return archive("control.tar", b.Bytes())
}

// verdict reads a package whole.
func verdict(r io.Reader) error {
	p, err := deb.Peek(r)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, p.Body())
	return err
}

// expect reads file and fails the test unless the verdict is want; an empty want is for good packages.
func expect(t *testing.T, file []byte, want catalog.Reason) {
	t.Helper()
	err := measured(t, file)
	if want == "" {
		if err != nil {
			t.Error(err)
		}
		return
	}
	var rej *catalog.Rejection
	if !errors.As(err, &rej) || rej.Reason != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	if len(rej.Detail) > 500 || strings.ContainsFunc(rej.Detail, func(r rune) bool { return !unicode.IsPrint(r) }) {
		t.Errorf("detail is not fit to be shown: %q", rej.Detail)
	}
}

// A fileTest is a package and what becomes of it.
type fileTest struct {
	name string
	file []byte
	want catalog.Reason // empty: accepted
}

func runFiles(t *testing.T, tests []fileTest) {
	t.Helper()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { expect(t, test.file, test.want) })
	}
}

func TestArchives(t *testing.T)           { runFiles(t, archiveTests()) }
func TestControlTars(t *testing.T)        { runFiles(t, tarTests()) }
func TestCompressedControls(t *testing.T) { runFiles(t, compressedTests()) }

func archiveTests() []fileTest {
	member := func(name string, body string) debtest.Member { return debtest.Member{Name: name, Body: []byte(body)} }
	good := debtest.Ar(debianBinary, controlTar, dataTar)
	edit := func(at int, s string) []byte {
		b := bytes.Clone(good)
		copy(b[at:], s)
		return b
	}
	many := []debtest.Member{debianBinary, controlTar, dataTar}
	for range 8 {
		many = append(many, member("_x", ""))
	}
	const dataHeader = 8 + 60 + 4 + 60 + 2048 // the control tar has 2048 bytes
	return []fileTest{
		{"a package", good, ""},
		{"no bytes", nil, catalog.Empty},
		{"an RPM", []byte("\xed\xab\xee\xdb\x03\x00\x00\x00"), catalog.NotAPackage},
		{"one byte of another kind", []byte("x"), catalog.NotAPackage},
		{"HTML", []byte("<!DOCTYPE html>"), catalog.NotAPackage},
		{"dpkg's format before 1995", []byte("0.939000\n123\n"), catalog.NotAPackage},
		{"another archive", debtest.Ar(member("a.o", "x"), dataTar), catalog.NotAPackage},
		{"an empty archive", debtest.Ar(), catalog.Truncated},
		{"extra member before debian-binary", debtest.Ar(member("_x", "1"), debianBinary, controlTar, dataTar), catalog.NotAPackage},
		{"format 2.1", debtest.Ar(member("debian-binary", "2.1\n"), controlTar, dataTar), ""},
		{"format 3.0", debtest.Ar(member("debian-binary", "3.0\n"), controlTar, dataTar), catalog.Unsupported},
		{"format without a minor version", debtest.Ar(member("debian-binary", "2.\n"), controlTar, dataTar), catalog.Malformed},
		{"format without a newline", debtest.Ar(member("debian-binary", "2.0"), controlTar, dataTar), catalog.Malformed},
		{"format with more lines", debtest.Ar(member("debian-binary", "2.0\nx\n"), controlTar, dataTar), ""},
		{"format with zeros", debtest.Ar(member("debian-binary", "0002.0000000000000000\n"), controlTar, dataTar), ""},
		{"format of a minor version that no integer holds", debtest.Ar(member("debian-binary", "2.2147483648\n"), controlTar, dataTar), catalog.Malformed},
		{"format of a major version that no integer holds", debtest.Ar(member("debian-binary", "4294967298.0\n"), controlTar, dataTar), catalog.Malformed},
		{"long debian-binary", debtest.Ar(member("debian-binary", "2.0\n"+strings.Repeat("x", 1024)), controlTar, dataTar), catalog.Malformed},
		{"names with a slash", debtest.Ar(member("debian-binary/", "2.0\n"), member("control.tar/", string(controlTar.Body)), member("data.tar/", "")), ""},
		{"names with two slashes", debtest.Ar(debianBinary, member("control.tar//", string(controlTar.Body)), dataTar), catalog.Malformed},
		{"a GNU long name", debtest.Ar(debianBinary, member("/0", ""), controlTar, dataTar), catalog.Malformed},
		{"a BSD long name", debtest.Ar(debianBinary, member("#1/11", "control.tar"), controlTar, dataTar), catalog.Malformed},
		{"extra member before control", debtest.Ar(debianBinary, member("_x", "odd"), controlTar, dataTar), ""},
		{"extra member between", debtest.Ar(debianBinary, controlTar, member("_x", "odd"), dataTar), ""},
		{"extra member at the end", debtest.Ar(debianBinary, controlTar, dataTar, member("_gpgorigin", "odd")), ""},
		{"a large extra member before control", debtest.Ar(debianBinary, member("_x", strings.Repeat("x", 1<<20+1)), controlTar, dataTar), catalog.TooLarge},
		{"data before control", debtest.Ar(debianBinary, dataTar, controlTar), catalog.Malformed},
		{"two control members", debtest.Ar(debianBinary, controlTar, controlTar, dataTar), catalog.Malformed},
		{"a second control member at the end", debtest.Ar(debianBinary, controlTar, dataTar, controlTar), catalog.Malformed},
		{"two data members", debtest.Ar(debianBinary, controlTar, dataTar, dataTar), catalog.Malformed},
		{"an unknown member before control", debtest.Ar(debianBinary, member("foo", ""), controlTar, dataTar), catalog.Malformed},
		{"an unknown member at the end", debtest.Ar(debianBinary, controlTar, dataTar, member("foo", "")), ""},
		{"eleven members", debtest.Ar(many...), catalog.TooLarge},
		{"ten members", debtest.Ar(many[:10]...), ""},
		{"control.tar.bz2", archive("control.tar.bz2", nil), catalog.Unsupported},
		{"control.tarx", archive("control.tarx", nil), catalog.Unsupported},
		{"data.tar.rar", debtest.Ar(debianBinary, controlTar, member("data.tar.rar", "")), catalog.Unsupported},
		{"data.tar.xz that is gzip", debtest.Ar(debianBinary, controlTar, member("data.tar.xz", "\x1f\x8b\b\x00\x00\x00\x00\x00")), catalog.Malformed},
		{"data.tar.zst that is a page", debtest.Ar(debianBinary, controlTar, member("data.tar.zst", "<html>")), catalog.Malformed},
		{"an empty data.tar.gz", debtest.Ar(debianBinary, controlTar, member("data.tar.gz", "")), catalog.Malformed},
		{"data.tar.gz cut in its magic", debtest.Ar(debianBinary, controlTar, member("data.tar.gz", "\x1f\x8b"))[:len(debtest.Ar(debianBinary, controlTar))+60+1], catalog.Truncated},
		{"no data member", debtest.Ar(debianBinary, controlTar), catalog.Truncated},
		{"a few bytes at the end", append(bytes.Clone(good), "\n"...), ""},
		{"many bytes at the end", append(bytes.Clone(good), make([]byte, 1000)...), catalog.Malformed},
		{"a negative size", edit(8+48, "-4        "), catalog.Malformed},
		{"a hexadecimal size", edit(8+48, "0x4       "), catalog.Malformed},
		{"a size with an inner space", edit(8+48, "4 4       "), catalog.Malformed},
		{"no size", edit(8+48, "          "), catalog.Malformed},
		{"a wrong time", edit(8+16, "now "), catalog.Malformed},
		{"a header without its end", edit(8+58, "xx"), catalog.Malformed},
		{"a control character in a name", edit(8+60+4, "control\x1b"), catalog.Malformed},
		{"a control member of 9 GB", edit(8+60+4+48, "9999999999"), catalog.TooLarge},
		{"a data member of 9 GB", edit(dataHeader+48, "9999999999"), catalog.TooLarge},
		{"a data member of 8 GB less the rest, cut short", edit(dataHeader+48, "8000000000"), catalog.Truncated},
	}
}

func tarTests() []fileTest {
	file := func(name string) tar.Header { return tar.Header{Name: name, Typeflag: tar.TypeReg} }
	with := func(h tar.Header) []byte { return withTar(file("control"), h) }
	many := []tar.Header{file("control")}
	for i := range 1000 {
		many = append(many, file(fmt.Sprint("x", i)))
	}
	lone := append(debtest.Tar(debtest.TarFile{Name: "control", Body: control}), "control"...)
	return []fileTest{
		{"control without ./", withTar(file("control")), ""},
		{"other files", withTar(file("md5sums"), file("control"), file("postinst")), ""},
		{"the outermost folder", with(tar.Header{Name: "./", Typeflag: tar.TypeDir}), ""},
		{"a hard link", with(tar.Header{Name: "prerm", Linkname: "control", Typeflag: tar.TypeLink}), ""},
		{"a name that dpkg does not take", with(tar.Header{Name: strings.Repeat("x", 200), Format: tar.FormatGNU}), catalog.Malformed},
		{"a long name", with(tar.Header{Name: strings.Repeat("x", 200) + ".y", Format: tar.FormatGNU}), ""},
		{"no control", withTar(file("postinst")), catalog.Malformed},
		{"nothing", archive("control.tar", nil), catalog.Malformed},
		{"not a tar archive", archive("control.tar", bytes.Repeat([]byte("x"), 1024)), catalog.Malformed},
		{"two controls", withTar(file("control"), file("control")), catalog.Malformed},
		{"two spellings of control", withNames("./control", "control"), catalog.Malformed},
		{"control in another spelling", withNames(".//control"), catalog.Malformed},
		{"control at the root", withNames("/control"), catalog.Malformed},
		{"control behind dots", withNames("x/../control"), catalog.Malformed},
		{"two postinsts", withTar(file("control"), file("postinst"), file("./postinst")), catalog.Malformed},
		{"control is a symbolic link", withTar(tar.Header{Name: "control", Linkname: "/etc/passwd", Typeflag: tar.TypeSymlink}), catalog.Malformed},
		{"control is a hard link", withTar(tar.Header{Name: "control", Linkname: "/etc/passwd", Typeflag: tar.TypeLink}), catalog.Malformed},
		{"control is a folder", withTar(tar.Header{Name: "control", Typeflag: tar.TypeDir}), catalog.Malformed},
		{"another symbolic link", with(tar.Header{Name: "d", Linkname: ".", Typeflag: tar.TypeSymlink}), catalog.Malformed},
		{"a device", with(tar.Header{Name: "null", Typeflag: tar.TypeChar}), catalog.Malformed},
		{"a folder", with(tar.Header{Name: "d/", Typeflag: tar.TypeDir}), catalog.Malformed},
		{"a file in a folder", with(file("d/x")), catalog.Malformed},
		{"a file above", with(file("../x")), catalog.Malformed},
		{"a PAX header", with(tar.Header{Name: "x", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"A.b": "c"}}), ""},
		{"a global PAX header", with(tar.Header{Typeflag: tar.TypeXGlobalHeader, PAXRecords: map[string]string{"path": "control"}}), catalog.Unsupported},
		{"a GNU sparse file", archive("control.tar", sparse()), catalog.Unsupported},
		{"1,001 members", withTar(many...), catalog.TooLarge},
		{"1,000 members", withTar(many[:1000]...), ""},
		{"bytes after the end", archive("control.tar", lone), catalog.Malformed},
		{"cut inside", archive("control.tar", lone[:600]), catalog.Malformed},
		{"a control file over 1 MiB", withControl(control + "X-Long: " + strings.Repeat("x", 1<<20) + "\n"), catalog.TooLarge},
		{"a field of 128 KiB", withControl(control + "X-Long: " + strings.Repeat("x", 128<<10) + "\n"), ""},
		{"32 MiB of zeros", archive("control.tar", make([]byte, 32<<20)), catalog.Malformed},
		{"over 32 MiB", archive("control.tar", make([]byte, 32<<20+512)), catalog.TooLarge},
	}
}

// withNames returns a package with a control file of each of these names.
func withNames(names ...string) []byte {
	var files []debtest.TarFile
	for _, n := range names {
		files = append(files, debtest.TarFile{Name: n, Body: control})
	}
	return archive("control.tar", debtest.Tar(files...))
}

// sparse returns a tar archive with an old GNU sparse file, which Go does not write.
func sparse() []byte {
	b := debtest.Tar(debtest.TarFile{Name: "control"})
	copy(b[257:], "ustar  \x00")
	b[156] = 'S'
	copy(b[148:], "        ")
	sum := 0
	for _, c := range b[:512] {
		sum += int(c)
	}
	copy(b[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// A controlTest is a control file and what becomes of a package that has it.
type controlTest struct {
	name, control string
	want          catalog.Reason // empty: accepted
}

func controlTests() []controlTest {
	with := func(field string) string { return control + field + "\n" }
	replace := func(old, new string) string { return strings.Replace(control, old, new, 1) }
	many := control
	for i := range 200 {
		many += fmt.Sprintf("X-%d: y\n", i)
	}
	return []controlTest{
		{"no Maintainer, no Description", "Package: hello\nVersion: 1.0\nArchitecture: all\n", ""},
		{"names in lower case", strings.ToLower(control), ""},
		{"empty lines around", "\n" + control + "\n\n", ""},
		{"an unknown architecture", replace("all", "sparc99"), ""},
		{"no Package", replace("Package: hello\n", ""), catalog.MissingField},
		{"no Version", replace("Version: 1.0\n", ""), catalog.MissingField},
		{"no Architecture", replace("Architecture: all\n", ""), catalog.MissingField},
		{"an empty Version", replace("1.0", " "), catalog.MissingField},
		{"name with a path", replace("hello", "../x"), catalog.BadField},
		{"name in upper case", replace("hello", "Hello"), catalog.BadField},
		{"name of one letter", replace("hello", "h"), ""},
		{"name with an underscore", replace("hello", "h_x"), ""},
		{"name of 256 bytes", replace("hello", strings.Repeat("h", 256)), catalog.BadField},
		{"a file name of 256 bytes", replace("hello", strings.Repeat("h", 256-len("_1.0_all.deb"))), catalog.TooLarge},
		{"a file name of 255 bytes", replace("hello", strings.Repeat("h", 255-len("_1.0_all.deb"))), ""},
		{"a file name of 256 bytes in apt's cache, for an underscore", replace("hello", strings.Repeat("h", 252-len("_1.0_all.deb"))+"_h"), catalog.TooLarge},
		{"a file name of 255 bytes in apt's cache, for an underscore", replace("hello", strings.Repeat("h", 251-len("_1.0_all.deb"))+"_h"), ""},
		{"a file name of 256 bytes in apt's cache, for an epoch", strings.Replace(replace("hello", strings.Repeat("h", 252-len("_1.0_all.deb"))), "1.0", "1:1.0", 1), catalog.TooLarge},
		{"name of two lines", replace("hello", "hello\n world"), catalog.BadField},
		{"version with an empty upstream part", replace("1.0", "1:-1"), catalog.BadField},
		{"version with a large epoch", replace("1.0", "2147483648:1"), catalog.BadField},
		{"version of 200 bytes", replace("1.0", strings.Repeat("1", 200)), ""},
		{"version of 256 bytes", replace("1.0", strings.Repeat("1", 256)), catalog.BadField},
		{"version with a path", replace("1.0", "1/../2"), catalog.BadField},
		{"version of two lines", replace("1.0", "1.0\n Filename: x"), catalog.BadField},
		{"version on the second line", replace(" 1.0", "\n 1.0"), catalog.BadField},
		{"architecture source", replace("all", "source"), catalog.BadField},
		{"architecture any", replace("all", "linux-any"), catalog.BadField},
		{"two architectures", replace("all", "amd64 arm64"), catalog.BadField},
		{"architecture with an underscore", replace("all", "x86_64"), catalog.BadField},
		{"architecture with a path", replace("all", ".."), catalog.BadField},
		{"a field twice", with("version: 2.0"), catalog.Malformed},
		{"an unknown field twice", with("X-A: 1\nx-a: 1"), catalog.Malformed},
		{"201 fields", many[:len(many)-1] + "\n", ""},
		{"two stanzas", control + "\n" + control, catalog.Malformed},
		{"a second stanza injected", with("X-A: b\n\nPackage: evil\nVersion: 1\nArchitecture: all"), catalog.Malformed},
		{"a blank line with a space", with("X-A: b\n \n c"), catalog.Malformed},
		{"a blank last line", with("X-A: b\n\t"), catalog.Malformed},
		{"a comment", "# x\n" + control, catalog.Malformed},
		{"a comment with a colon", with("#x: y"), catalog.Malformed},
		{"a line without a colon", with("hello"), catalog.Malformed},
		{"a line that starts with a colon", with(": x"), catalog.Malformed},
		{"a space before the colon", with("X-A : x"), catalog.Malformed},
		{"a field name of one letter", with("X: y"), catalog.Malformed},
		{"a field name that starts with a hyphen", with("-X: y"), catalog.Malformed},
		{"a field name that is not ASCII", with("X-É: y"), catalog.Malformed},
		{"a continuation first", " x\n" + control, catalog.Malformed},
		{"no newline at the end", strings.TrimSpace(control), catalog.Malformed},
		{"an empty last field", with("Depends:"), catalog.Malformed},
		{"an empty last field and a blank line", with("Depends:\n"), ""},
		{"Size with a unit", with("Size: 244 Kb"), ""},
		{"an empty control file", "", catalog.Malformed},
		{"only newlines", "\n\n", catalog.Malformed},
		{"CR at line ends", strings.ReplaceAll(control, "\n", "\r\n"), ""},
		{"CR inside", with("X-A: b\rFilename: x"), ""},
		{"NUL", with("X-A: b\x00"), catalog.BadField},
		{"DEL", with("X-A: \x7f"), ""},
		{"half of a surrogate pair", with("X-A: \xed\xa0\x80"), ""},
		{"overlong UTF-8", with("X-A: \xc0\x8a"), ""},
		{"a line separator", with("X-A: b\u2028Version: 2"), ""},
		{"a paragraph separator", with("X-A: b\u2029 c"), ""},
		{"a vertical tab, at which Python starts a line", with("X-A: b\vVersion: 2"), ""},
		{"Status, which dpkg refuses", with("Status: install ok installed"), catalog.BadField},
		{"Conffiles, which dpkg refuses", with("Conffiles: x"), catalog.BadField},
		{"Conffiles as dpkg has them in its database", with("Conffiles:\n /x 0"), catalog.BadField},
		{"Triggers-Pending, which dpkg refuses", with("Triggers-Pending: x"), catalog.BadField},
		{"Triggers-Awaited, which dpkg refuses", with("Triggers-Awaited: x"), catalog.BadField},
		{"Filename of a repository", with("Filename: pool/x.deb"), ""},
		{"Filename of two words", with("Filename: x y"), ""},
		{"Size without a value, which dpkg refuses", "Size:\n" + control, catalog.BadField},
		{"MSDOS-Filename of two words", with("MSDOS-Filename: a b"), ""},
		{"ESC", with("X-A: \x1b[2J"), ""},
		{"a C1 control character", with("X-A: a\u0085b"), ""},
		{"Latin-1", with("X-A: \xe9"), ""},
		{"Revision, which dpkg adds to the version", with("Revision: 2"), catalog.BadField},
		{"Config-Version, which dpkg refuses", with("Config-Version: 2"), catalog.BadField},
		{"Multi-Arch of an unknown kind", with("Multi-Arch: x"), catalog.BadField},
		{"Multi-Arch same for all", with("Multi-Arch: same"), catalog.BadField},
		{"Multi-Arch foreign", with("Multi-Arch: foreign"), ""},
		{"Multi-Arch without a value", "Multi-Arch:\n" + control, ""},
		{"Essential of an unknown kind", with("Essential: maybe"), catalog.BadField},
		{"a package for the installer", with("Package-Type: udeb"), catalog.Unsupported},
		{"a section of the installer", with("Section: debian-installer"), catalog.Unsupported},
		{"a section of the installer in a component", with("Section: universe/debian-installer"), catalog.Unsupported},
		{"debug symbols of Ubuntu", with("Package-Type: ddeb"), ""},
		{"another type of package", with("Package-Type: tdeb"), ""},
		{"architecture aarch64", replace("all", "aarch64"), catalog.BadField},
		{"architecture i686", replace("all", "i686"), catalog.BadField},
		{"architecture armv7l", replace("all", "armv7l"), catalog.BadField},
		{"CR in a version", replace("1.0", "1.\r0"), catalog.BadField},
		{"Package-Type deb", with("Package-Type: deb"), ""},
		{"Description-md5 that apt stops at", with("Description-md5: x"), catalog.BadField},
		{"Provides without a value, that apt stops at", "Provides:\n" + control, catalog.BadField},
		{"a Section that apt aborts at", with("Section: " + strings.Repeat("x", 70000)), catalog.TooLarge},
		{"a Source that apt aborts at", with("Source: " + strings.Repeat("x", 70000)), catalog.TooLarge},
		{"Depends without a value", "Depends:\n" + control, ""},
	}
}

// dpkg and apt make lower case of it: apt finds the package under that name alone.
func TestUpperCaseIsRefusedWithTheNameThatClientsKnow(t *testing.T) {
	_, err := deb.Peek(bytes.NewReader(withControl(strings.Replace(control, "hello", "HelloMill", 1))))
	if err == nil || !strings.Contains(err.Error(), `Package is "HelloMill"; dpkg and apt read it as "hellomill"`) {
		t.Error(err)
	}
}

func TestControlFiles(t *testing.T) {
	for _, test := range controlTests() {
		t.Run(test.name, func(t *testing.T) { expect(t, withControl(test.control), test.want) })
	}
}

// relationTests are values of Depends.
var relationTests = []struct {
	value string
	want  catalog.Reason // empty: accepted
}{
	{"a", ""}, {"a, b|c:any (>= 1:2~), d(<<3)", ""}, {"a\n , b (=\n\t1)", ""}, {"A_b", ""}, {"a (> 1)", ""},
	{"a,", catalog.BadField}, {", a", catalog.BadField}, {"a | | b", catalog.BadField}, {"a (", catalog.BadField}, {"a (1)", catalog.BadField}, {"a (=1)", catalog.BadField}, {"a (1), b", ""}, {"a (=1), b", ""}, {"a (2.17)", ""},
	{"a (= 1", catalog.BadField}, {"a (= )", catalog.BadField}, {"a (~ 1)", catalog.BadField}, {"a (= 1) (= 2)", catalog.BadField},
	{"${shlibs:Depends}", catalog.BadField}, {"a [amd64]", catalog.BadField}, {"a <!nocheck>", catalog.BadField}, {"a b", catalog.BadField},
	{"a:", catalog.BadField}, {"a/b", catalog.BadField}, {"a (= 1-)", catalog.BadField}, {"a (= x)", catalog.BadField}, {"a\n b", catalog.BadField},
	{strings.Repeat("x", 70000), catalog.BadField},
}

func TestRelations(t *testing.T) {
	for _, test := range relationTests {
		t.Run(test.value[:min(len(test.value), 30)], func(t *testing.T) {
			expect(t, withControl("Depends: "+test.value+"\n"+control), test.want)
		})
	}
	for _, field := range []string{"Provides", "Conflicts", "Breaks", "Replaces"} {
		t.Run("alternatives in "+field, func(t *testing.T) { expect(t, withControl(control+field+": a | b\n"), catalog.BadField) })
	}
}

func compressedTests() []fileTest {
	plain := debtest.Tar(debtest.TarFile{Name: "./control", Body: control})
	gz, xz, zst := debtest.Compress("gz", plain), debtest.Compress("xz", plain), debtest.Compress("zst", plain)
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	skippable := []byte("\x50\x2a\x4d\x18\x04\x00\x00\x00abcd")
	return []fileTest{
		{"gzip in two members", archive("control.tar.gz", join(debtest.Compress("gz", plain[:512]), debtest.Compress("gz", plain[512:]))), ""},
		{"gzip in 1,001 members", archive("control.tar.gz", join(bytes.Repeat(debtest.Compress("gz", nil), 1000), gz)), catalog.TooLarge},
		{"gzip that is plain tar", archive("control.tar.gz", plain), catalog.Malformed},
		{"gzip without bytes", archive("control.tar.gz", nil), catalog.Malformed},
		{"gzip cut short", archive("control.tar.gz", gz[:len(gz)-1]), catalog.Malformed},
		{"gzip with bytes at the end", archive("control.tar.gz", join(gz, []byte("x"))), catalog.Malformed},
		{"gzip with zeros at the end", archive("control.tar.gz", join(gz, make([]byte, 512))), ""},
		{"gzip with a wrong checksum", archive("control.tar.gz", flip(gz, len(gz)-8)), catalog.Malformed},
		{"xz that is gzip", archive("control.tar.xz", gz), catalog.Malformed},
		{"xz without bytes", archive("control.tar.xz", nil), catalog.Malformed},
		{"xz cut short", archive("control.tar.xz", xz[:len(xz)-1]), catalog.Malformed},
		{"xz in two streams", archive("control.tar.xz", join(debtest.Compress("xz", plain[:512]), debtest.Compress("xz", plain[512:]))), catalog.Malformed},
		{"xz with stream padding", archive("control.tar.xz", join(xz, make([]byte, 4))), catalog.Malformed},
		{"xz with a dictionary of 1.5 GB", archive("control.tar.xz", xzDictionary(xz, 37)), catalog.TooLarge},
		{"xz with a dictionary of 96 MiB", archive("control.tar.xz", xzDictionary(xz, 29)), catalog.TooLarge},
		{"xz with a dictionary of 64 MiB", archive("control.tar.xz", xzDictionary(xz, 28)), ""},
		{"xz with an unknown dictionary", archive("control.tar.xz", xzDictionary(xz, 41)), catalog.Malformed},
		{"zstd that is gzip", archive("control.tar.zst", gz), catalog.Malformed},
		{"zstd without bytes", archive("control.tar.zst", nil), catalog.Malformed},
		{"zstd cut short", archive("control.tar.zst", zst[:len(zst)-1]), catalog.Malformed},
		{"zstd in two frames", archive("control.tar.zst", join(debtest.Compress("zst", plain[:512]), debtest.Compress("zst", plain[512:]))), catalog.Malformed},
		{"zstd with a skippable frame first", archive("control.tar.zst", join(skippable, zst)), catalog.Malformed},
		{"zstd with a skippable frame last", archive("control.tar.zst", join(zst, skippable)), catalog.Malformed},
		{"zstd with a dictionary", archive("control.tar.zst", join([]byte("\x28\xb5\x2f\xfd\x01\x58\x07\x01\x00\x00"), plain)), catalog.Unsupported},
		{"zstd with a window of 512 MiB", archive("control.tar.zst", zstdRLE(0x98, 1)), catalog.TooLarge},
		{"zstd with a window of 128 MiB", archive("control.tar.zst", zstdStored(0x88, plain)), ""},
		{"zstd that states 1 GiB", archive("control.tar.zst", []byte("\x28\xb5\x2f\xfd\xa0\x00\x00\x00\x40\x01\x00\x00")), catalog.DecompressionBomb},
		{"1 GiB of zeros in gzip", archive("control.tar.gz", gzipBomb()), catalog.DecompressionBomb},
		{"1 GiB of zeros in xz", archive("control.tar.xz", xzBomb()), catalog.DecompressionBomb},
		{"1 GiB of zeros in zstd", archive("control.tar.zst", zstdRLE(0x58, 8192)), catalog.DecompressionBomb},
		{"1,100 KiB of zeros in gzip", archive("control.tar.gz", debtest.Compress("gz", make([]byte, 1100<<10))), catalog.DecompressionBomb},
		{"1,100 KiB of zeros in xz", archive("control.tar.xz", debtest.Compress("xz", make([]byte, 1100<<10))), catalog.DecompressionBomb},
		{"1,100 KiB of zeros in zstd", archive("control.tar.zst", debtest.Compress("zst", make([]byte, 1100<<10))), catalog.DecompressionBomb},
	}
}

func TestEveryByteOfAnXZStreamIsChecked(t *testing.T) {
	xz := debtest.Compress("xz", debtest.Tar(debtest.TarFile{Name: "./control", Body: control}))
	for i := range xz {
		if err := verdict(bytes.NewReader(archive("control.tar.xz", flip(xz, i)))); err == nil {
			t.Errorf("byte %d of %d is not checked", i, len(xz))
		}
	}
}

// flip returns b with one bit changed.
func flip(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 1
	return b
}

// gzipBomb returns 1 GiB of zeros in one gzip member: the same deflate block again and again.
func gzipBomb() []byte {
	var block bytes.Buffer
	w, err := flate.NewWriter(&block, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		panic(err)
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	var empty bytes.Buffer
	if err := gzip.NewWriter(&empty).Close(); err != nil {
		panic(err)
	}
	return append(empty.Bytes()[:10:10], bytes.Repeat(block.Bytes(), 1024)...)
}

// xzBomb returns 1 GiB of zeros in one block of one xz stream: the same chunks again and again.
func xzBomb() []byte {
	var chunks bytes.Buffer
	w, err := lzma.NewWriter2(&chunks)
	if err != nil {
		panic(err)
	}
	if _, err := w.Write(make([]byte, 1<<20)); err != nil {
		panic(err)
	}
	if err := w.Flush(); err != nil {
		panic(err)
	}
	good := debtest.Compress("xz", []byte("x"))
	head := good[:12+4*(int(good[12])+1)]
	body := append(bytes.Repeat(chunks.Bytes(), 1024), 0)
	padded := 4 * ((len(body) + 3) / 4)
	body = append(body, make([]byte, padded-len(body)+8)...)
	unpadded := uint64(4*(int(good[12])+1) + 1024*chunks.Len() + 1 + 8)
	index := binary.AppendUvarint([]byte{0, 1}, unpadded)
	index = binary.AppendUvarint(index, 1<<30)
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	footer := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	footer = append(footer, good[6:8]...)
	footer = append(binary.LittleEndian.AppendUint32(nil, crc32.ChecksumIEEE(footer)), footer...)
	return bytes.Join([][]byte{head, body, index, footer, []byte("YZ")}, nil)
}

// xzDictionary sets the dictionary property of the first block of an xz stream.
func xzDictionary(b []byte, property byte) []byte {
	b = bytes.Clone(b)
	end := 12 + 4*(int(b[12])+1) - 4
	at := 12 + bytes.Index(b[12:end], []byte{0x21, 1})
	b[at+2] = property
	binary.LittleEndian.PutUint32(b[end:], crc32.ChecksumIEEE(b[12:end]))
	return b
}

// zstdRLE returns a zstd frame with this window descriptor and blocks of 128 KiB of zeros.
func zstdRLE(window byte, blocks int) []byte {
	b := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, window}
	for i := range blocks {
		header := uint32(128<<10)<<3 | 1<<1
		if i == blocks-1 {
			header |= 1
		}
		b = append(b, byte(header), byte(header>>8), byte(header>>16), 0)
	}
	return b
}

// zstdStored returns a zstd frame with this window descriptor and one stored block.
func zstdStored(window byte, body []byte) []byte {
	header := uint32(len(body))<<3 | 1
	return append([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, window, byte(header), byte(header >> 8), byte(header >> 16)}, body...)
}
