package deb_test

import (
	"bytes"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// Text for people is published in UTF-8, in any encoding that the package has.
func TestTextInOddEncodings(t *testing.T) {
	for _, test := range []struct{ name, field, want string }{
		{"Latin-1", "Maintainer: M\xfcller <m@example.org>", "Maintainer: Müller <m@example.org>"},
		{"UTF-8", "Maintainer: Müller <m@example.org>", "Maintainer: Müller <m@example.org>"},
		{"Latin-1 beside UTF-8 on the line before", "X-A: é\n \xe9", "X-A: é\n é"},
		{"carriage returns at line ends", "Description: a\r\n b\r\n c\r", "Description: a\n b\n c"},
		{"a carriage return within a line", "X-A: b\rFilename: x", "X-A: b\uFFFDFilename: x"},
		{"an escape sequence of terminals", "X-A: \x1b[2J", "X-A: \uFFFD[2J"},
		{"a vertical tab", "X-A: b\vVersion: 2", "X-A: b\uFFFDVersion: 2"},
		{"a line separator", "X-A: b\u2028Version: 2", "X-A: b\uFFFDVersion: 2"},
		{"a next-line character", "X-A: b\u0085Version: 2", "X-A: b\uFFFDVersion: 2"},
		{"a tab and a no-break space", "X-A: a\tb\u00a0c \U0001F600", "X-A: a\tb\u00a0c \U0001F600"},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := withControl("Package: hello\nVersion: 1.0\nArchitecture: all\n" + test.field + "\n")
			if err := measured(t, file); err != nil {
				t.Fatal(err)
			}
			got, _, ok := strings.Cut(string(describe(t, file).Stanza), "\nFilename: ")
			if want := "Package: hello\nVersion: 1.0\nArchitecture: all\n" + test.want; got != want || !ok {
				t.Errorf("the stanza begins with\n%q, want\n%q", got, want)
			}
		})
	}
}

// Lists of checksums of packages with many files are unpacked as a stream.
func TestControlTarOfAnyHonestSize(t *testing.T) {
	sums := strings.Repeat("0123456789abcdef0123456789abcdef  opt/example/embedded/lib/a/file\n", 20<<20/66)
	tarball := debtest.Tar(debtest.TarFile{Name: "md5sums", Body: sums}, debtest.TarFile{Name: "control", Body: control})
	for _, c := range []string{"", "gz", "xz", "zst"} {
		name := strings.TrimSuffix("control.tar."+c, ".")
		packed := debtest.Compress(c, tarball)
		if 200*len(packed) < len(tarball) { // these sums are more alike than those of a package
			packed = debtest.Compress(c, debtest.Tar(debtest.TarFile{Name: "md5sums", Body: spread(sums)}, debtest.TarFile{Name: "control", Body: control}))
		}
		if err := measured(t, archive(name, packed)); err != nil {
			t.Errorf("%s of %d bytes, %d unpacked: %v", name, len(packed), len(tarball), err)
		}
	}
}

// spread makes text that compresses less: every line has digits without a pattern.
func spread(s string) string {
	b := []byte(s)
	state := uint32(1)
	for i := range b {
		if b[i] >= '0' && b[i] <= '9' {
			state = state*1664525 + 1013904223
			b[i] = '0' + byte(state>>24)%10
		}
	}
	return string(b)
}

// What dpkg reads and other tools write.
func TestArchivesOfOtherTools(t *testing.T) {
	good := debtest.Ar(debianBinary, controlTar, dataTar)
	time := bytes.Clone(good)
	copy(time[8+60+4+16:], "1700000000.5")
	odd := debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar.gz", Body: debtest.Compress("gz", debtest.Tar(debtest.TarFile{Name: "./x", Body: "odd"}))})
	if odd[len(odd)-1] != '\n' {
		t.Fatal("the last member has an even size")
	}
	for name, file := range map[string][]byte{
		"a time with a fraction":         time,
		"newlines behind the end":        append(bytes.Clone(good), "\n\n"...),
		"zeros behind gzip":              archive("control.tar.gz", append(debtest.Compress("gz", controlTar.Body), make([]byte, 9)...)),
		"more lines in debian-binary":    debtest.Ar(debtest.Member{Name: "debian-binary", Body: []byte("2.0\nmade by a tool\n")}, controlTar, dataTar),
		"no padding at the end":          odd[:len(odd)-1],
		"a member of a tool behind data": debtest.Ar(debianBinary, controlTar, dataTar, debtest.Member{Name: "sign.sig", Body: []byte("x")}),
	} {
		if err := measured(t, file); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
