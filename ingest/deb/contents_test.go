package deb_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// entries returns a changelog of n entries, newest first.
func entries(n int) string {
	var b strings.Builder
	for ; n > 0; n-- {
		at := time.Unix(1767225600+int64(n)*86400, 0).UTC().Format(time.RFC1123Z)
		fmt.Fprintf(&b, "hello (1.%d-1) unstable; urgency=medium\n\n  * Change %d of <b>hello</b>, by Zoë.\n\n -- A Maintainer <a@example.org>  %s\n\n", n, n, at)
	}
	return b.String()
}

func contentsOf(t *testing.T, entries ...entry) *deb.Contents {
	t.Helper()
	c, err := deb.ReadContents(bytes.NewReader(debtest.Ar(debianBinary, controlTar, dataMember("gz", rawTar(entries...)))))
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// listing is a line of tar: its kind, and the name, without what a link leads to.
var listing = regexp.MustCompile(`^(.)\S+ +\S+ +\S+ +\S+ +\S+ \.(/.*?)(?: -> .*| link to .*)?$`)

func TestContentsAreThoseOfDpkg(t *testing.T) {
	proctest.Need(t, "dpkg-deb", "dpkg-parsechangelog")
	root := filepath.Join(t.TempDir(), "root")
	text := entries(200)
	for name, body := range map[string]string{
		"DEBIAN/control": control, "usr/bin/hello": "x", "usr/share/doc/hello/a b": "x", "etc/" + times("long/", 40) + "x": "x",
		"usr/share/doc/hello/changelog.gz": string(pack("gz", []byte("upstream"))), "usr/share/doc/hello/changelog.Debian.gz": string(pack("gz", []byte(text))),
	} {
		if err := os.MkdirAll(filepath.Join(root, filepath.Dir(name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), []byte(body), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := errors.Join(os.Symlink("hello", root+"/usr/bin/hi"), os.Link(root+"/usr/bin/hello", root+"/usr/bin/other"), os.MkdirAll(root+"/var/empty", 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, form := range []string{"none", "gzip", "xz", "zstd"} {
		t.Run(form, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "hello.deb")
			if out, err := exec.Command("dpkg-deb", "-Z"+form, "--root-owner-group", "--build", root, file).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, err := deb.ReadContents(bytes.NewReader(b))
			if err != nil {
				t.Fatal(err)
			}
			want, files := dpkgContents(t, file)
			if d := cmp.Diff(want, got.Paths); d != "" {
				t.Error("-dpkg +got\n" + d)
			}
			if got.Files != files || got.LeftOut != 0 {
				t.Errorf("%d files, and %d paths left out, want %d and 0", got.Files, got.LeftOut, files)
			}
			if !strings.HasPrefix(text, got.Changelog) || len(got.Changelog) > deb.MaxChangelog || len(got.Changelog) < deb.MaxChangelog*3/4 {
				t.Errorf("the changelog has %d bytes, or is not the start of that of the package", len(got.Changelog))
			}
			read := parsed(t, got.Changelog, "--all")
			if n := strings.Count(got.Changelog, "\n -- "); n < 10 || read != parsed(t, text, "--count", fmt.Sprint(n)) {
				t.Errorf("dpkg-parsechangelog reads other entries than the first %d:\n%s", n, read)
			}
		})
	}
}

// dpkgContents returns what dpkg-deb lists, and how many are no folders.
func dpkgContents(t *testing.T, file string) (paths []deb.Path, files int) {
	t.Helper()
	out, err := exec.Command("dpkg-deb", "--contents", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		m := listing.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil {
			t.Fatalf("dpkg-deb writes %q", line)
		}
		kind := map[string]string{"d": deb.PathFolder, "l": deb.PathLink}[m[1]]
		if kind != deb.PathFolder {
			files++
		}
		if name := strings.TrimSuffix(m[2], "/"); name != "" {
			paths = append(paths, deb.Path{Path: name, Kind: kind})
		}
	}
	slices.SortFunc(paths, func(a, b deb.Path) int { return strings.Compare(a.Path, b.Path) })
	return paths, files
}

// parsed returns the entries that dpkg-parsechangelog reads.
func parsed(t *testing.T, text string, args ...string) string {
	t.Helper()
	cmd := exec.Command("dpkg-parsechangelog", append([]string{"--file", "-", "--format", "rfc822"}, args...)...)
	cmd.Stdin = strings.NewReader(text + "\n")
	out, err := cmd.CombinedOutput()
	if err != nil || !bytes.HasPrefix(out, []byte("Source: hello")) {
		t.Fatalf("dpkg-parsechangelog: %v\n%s", err, out)
	}
	return string(out)
}

func TestContentsOfOldCompressions(t *testing.T) {
	for _, data := range []string{"bz2", "lzma"} {
		c, err := deb.ReadContents(bytes.NewReader(pair(t, "old", "gz", data)))
		if err != nil || !slices.Contains(c.Paths, deb.Path{Path: "/usr/share/doc/old/payload"}) {
			t.Errorf("%s: %v, %v", data, c, err)
		}
	}
}

func TestPathsAreAbsoluteAndListedOnce(t *testing.T) {
	c := contentsOf(t, folder("./"), folder("usr/"), file("/usr//b"), file("./usr/a"), file("./usr/a"), symlink("./usr/a", "b"), pipe("./usr/./p"), file("./old/"))
	want := []deb.Path{{Path: "/old", Kind: deb.PathFolder}, {Path: "/usr", Kind: deb.PathFolder}, {Path: "/usr/a", Kind: deb.PathLink}, {Path: "/usr/b"}, {Path: "/usr/p"}}
	if d := cmp.Diff(want, c.Paths); d != "" || c.Files != 3 {
		t.Errorf("%d files; -want +got\n%s", c.Files, d)
	}
}

func TestPathsThatAreKeptAreBounded(t *testing.T) {
	var many []entry
	for i := range 6000 { // 4,000 bytes each
		many = append(many, folder(fmt.Sprintf("./%s%05d", times(times("x", 99)+"/", 40), i)))
	}
	c := contentsOf(t, append(many, file("./last"))...)
	if len(c.Paths) < 4000 || len(c.Paths)+c.LeftOut != 6001 || c.LeftOut < 1500 || c.Files != 1 {
		t.Errorf("%d paths, %d left out, %d files", len(c.Paths), c.LeftOut, c.Files)
	}
}

func TestChangelogs(t *testing.T) {
	doc := func(name, body string) entry { return with("usr/share/doc/"+name, body) }
	gz := func(text string) string { return string(pack("gz", []byte(text))) }
	one, long := strings.TrimSpace(entries(1)), "hello (1.0) unstable; urgency=low\n\n"+times("  * A change among many.\n", 1000)
	for _, test := range []struct {
		name    string
		entries []entry
		want    string
	}{
		{"that of Debian is preferred", []entry{doc("hello/changelog.gz", gz("upstream")), doc("hello/changelog.Debian.gz", gz(one))}, one},
		{"a native package has one", []entry{doc("hello/changelog.gz", gz(one))}, one},
		{"one that is not packed is read", []entry{doc("hello/changelog.Debian", one)}, one},
		{"a native one that is not packed is read", []entry{doc("hello/changelog", one)}, one},
		{"of another package's folder none is read", []entry{doc("other/changelog.Debian.gz", gz(one))}, ""},
		{"a symbolic link is followed", []entry{symlink("./usr/share/doc/hello/changelog.Debian.gz", "../other/changelog.gz"), doc("other/changelog.gz", gz(one))}, one},
		{"an absolute link is followed", []entry{doc("other/changelog.gz", gz(one)), symlink("./usr/share/doc/hello/changelog.gz", "/usr/share/doc/other/changelog.gz")}, one},
		{"a hard link is followed", []entry{doc("other/changelog.gz", gz(one)), hardlink("./usr/share/doc/hello/changelog.gz", "./usr/share/doc/other/changelog.gz")}, one},
		{"a link of the folder is followed", []entry{symlink("./usr/share/doc/hello", "other"), doc("other/changelog.gz", gz(one))}, one},
		{"links in a circle have none", []entry{symlink("./usr/share/doc/hello/changelog.gz", "changelog"), symlink("./usr/share/doc/hello/changelog", "changelog.gz")}, ""},
		{"a link out of the package has none", []entry{symlink("./usr/share/doc/hello/changelog.gz", "../../../../etc/passwd")}, ""},
		{"a long entry is cut at a line", []entry{doc("hello/changelog.gz", gz(long))}, long[:strings.LastIndexByte(long[:deb.MaxChangelog], '\n')]},
		{"a damaged end is left out", []entry{doc("hello/changelog.gz", gz(one + "\n" + entries(1000))[:2000])}, "start"},
		{"what is no text is left out", []entry{doc("hello/changelog.gz", gz("\x00\x01ELF")), doc("hello/changelog", "a\x1b[31mb\xff")}, "a[31mb\ufffd"},
		{"line ends of other systems are read", []entry{doc("hello/changelog", "a\r\nb\r\n")}, "a\nb"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := contentsOf(t, test.entries...).Changelog
			if test.want == "start" {
				if !strings.HasPrefix(got, one) || !strings.HasSuffix(got, "+0000") {
					t.Errorf("got %q", got)
				}
			} else if got != test.want {
				t.Errorf("got %q, want %q", got, test.want)
			}
		})
	}
}

func TestPackagesThatAreNotReadAreRejected(t *testing.T) {
	var all [][]byte
	for _, cases := range [][]fileTest{archiveTests(), tarTests(), compressedTests()} {
		for _, c := range cases {
			all = append(all, c.file)
		}
	}
	for _, c := range payloadCases() {
		all = append(all, debtest.Ar(debianBinary, controlTar, c.member))
	}
	for _, cases := range [][]installCase{conffileCases(), nameCases(), spellingCases(), linkCases(), placeCases(), numberCases()} {
		for _, c := range cases {
			all = append(all, c.file)
		}
	}
	for i := range 40 {
		all = append(all, small()[:len(small())*i/40])
	}
	read := 0
	for _, file := range all {
		if checkContents(t, file) == nil {
			read++
		}
	}
	if read < len(all)/4 || read == len(all) {
		t.Errorf("%d of %d are read", read, len(all))
	}
}

// checkContents reads any file: no panic, bounded contents, or a verdict.
func checkContents(t *testing.T, file []byte) error {
	t.Helper()
	c, err := deb.ReadContents(bytes.NewReader(file))
	if err != nil {
		checkRejection(t, err)
		return err
	}
	if len(c.Paths) > deb.MaxPaths || c.Files > len(c.Paths)+c.LeftOut || len(c.Changelog) > deb.MaxChangelog {
		t.Errorf("%d paths, %d left out, %d files, %d bytes of changelog", len(c.Paths), c.LeftOut, c.Files, len(c.Changelog))
	}
	for _, p := range c.Paths {
		if !strings.HasPrefix(p.Path, "/") || strings.HasSuffix(p.Path, "/") || strings.Contains(p.Path+"/", "/../") {
			t.Errorf("path %q", p.Path)
		}
	}
	return nil
}

func TestContentsOfABomb(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 1 GiB")
	}
	packed := zstdRLE(0x50, 9000) // of 128 KiB each
	head := block(entry{name: "./zeros", edit: func(h []byte) { copy(h[124:], "77777777777\x00") }})
	_, err := deb.ReadContents(bytes.NewReader(debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar.zst", Body: withFirstBlock(packed, head)})))
	var rej *catalog.Rejection
	if !errors.As(err, &rej) || rej.Reason != catalog.TooLarge {
		t.Errorf("got %v", err)
	}
}

// withFirstBlock puts a stored block at the start of a zstd frame that has a window and nothing else in its header.
func withFirstBlock(frame, body []byte) []byte {
	n := len(body) << 3
	return slices.Concat(frame[:6], []byte{byte(n), byte(n >> 8), byte(n >> 16)}, body, frame[6:])
}

func TestAFaultOfTheStoreIsNoRejection(t *testing.T) {
	fault := errors.New("the bucket is away")
	file := small()
	for _, n := range []int{0, 100, len(file) - 300} {
		_, err := deb.ReadContents(io.MultiReader(bytes.NewReader(file[:n]), failing{fault}))
		var rej *catalog.Rejection
		if !errors.Is(err, fault) || errors.As(err, &rej) {
			t.Errorf("after %d bytes: %v", n, err)
		}
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// FuzzContents reads archives that have right sums, and changelogs.
func FuzzContents(f *testing.F) {
	f.Add("./usr/share/doc/hello/changelog", entries(2), "./usr/share/doc/hello/changelog.gz", "changelog", byte('2'))
	f.Add("./a", "x", "../../a", "./a", byte('1'))
	f.Add("./usr/share/doc/hello/changelog.gz", string(pack("gz", []byte(entries(300)))), "./usr/share/doc/hello", "..", byte('5'))
	f.Fuzz(func(t *testing.T, name, body, second, link string, kind byte) {
		if len(name)+len(second)+len(link) <= 1<<14 && len(body) <= 1<<18 {
			checkContents(t, debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar", Body: rawTar(entry{name: name, body: body}, entry{name: second, link: link, kind: kind})})) //nolint:errcheck // either way
		}
	})
}

// What it costs to read the contents of a package, in bytes as they lie in the file.
func BenchmarkContents(b *testing.B) {
	tarball := debtest.Tar(debtest.TarFile{Name: "./"}, debtest.TarFile{Name: "./text", Body: benchText()})
	for _, c := range []string{"gz", "xz", "zst"} {
		file := debtest.Ar(debianBinary, controlTar, dataMember(c, tarball))
		b.Run(c, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if _, err := deb.ReadContents(bytes.NewReader(file)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
