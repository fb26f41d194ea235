package deb_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/testdata/debtest"
)

// nameCases are names of files, and of what links refer to.
func nameCases() []installCase {
	const most, long = 246, 247 // with ".dpkg-new" behind it
	all := []installCase{
		files("files: a newline", false, file("./a\nb")),
		files("files: a newline in a folder", false, folder("./a\nb/")),
		files("files: a newline in a symbolic link", false, symlink("./a\nb", "x")),
		files("files: a newline in the target of a symbolic link", true, symlink("./a", "x\ny")),
		files("files: control characters and bytes", true, file("./a\r\t\x01\x7f\xff")),
		files("files: no name", false, entry{name: ""}),
		files("files: no name for a long name", true, entry{name: "././@LongLink", kind: 'L', body: "./a\x00"}, entry{name: "", body: "x"}),
		files("files: an empty long name", false, entry{name: "././@LongLink", kind: 'L', body: "\x00"}, file("./a")),
		files("files: a long name without NUL", true, entry{name: "././@LongLink", kind: 'L', body: "./abc"}, file("./b")),
		files("files: a long name of two", true, entry{name: "././@LongLink", kind: 'L', body: "./" + times("n", 300)}, entry{name: "././@LongLink", kind: 'L', body: "./abc"}, file("./b")),
		files("files: a long name cut by NUL", true, entry{name: "././@LongLink", kind: 'L', body: "./abc\x00" + times("n", 9000)}, file("./b")),
		files("files: a long name for nothing", true, file("./b"), entry{name: "././@LongLink", kind: 'L', body: "./abc"}),
		files("files: a prefix of ustar", true, folder("./p/"), ustar("./p", "a")),
		files("files: a prefix of ustar without a name", true, file("./f"), ustar("./p", "")),
		files("files: a prefix of ustar and a name of 100 bytes", true, folder("./p/"), ustar("./p", times("n", 100)), file("./f")),
		files("files: absolute, without dots, and with many", true, folder("/usr/"), file("/usr/a"), file("usr/b"), file("./././/usr/c"), file("./usr//d"), file("./usr/./e"), file("./usr/../f")),
		files("files: a folder that systems have is not there", false, file("./lib/f")).but("systems have it"),
		files("files: a symbolic link to nothing", false, symlink("./a", "")),
		files("files: a symbolic link of 4,095 bytes", true, symlink("./a", times("x", 4095))),
		files("files: a symbolic link of 4,096 bytes", false, symlink("./a", times("x", 4096))),
		files("files: a file that ends in a slash", true, entry{name: "./d/", body: "x"}, file("./f")),
		files("files: a file that ends in a slash is not a folder", false, entry{name: "./d/"}, file("./d/f")),
		files("files: the outermost folder as a file", false, entry{name: "."}),
		files("files: the outermost folder as a symbolic link", true, symlink(".", "/tmp")),
		files("files: the outermost folder without a slash", true, folder(".")),
		files("files: a folder name of 256 bytes", false, file("./"+times("n", 256)+"/f")),
	}
	for i := range all {
		if all[i].name == "files: a folder that systems have is not there" {
			all[i].ours, all[i].dpkg = true, false
		}
	}
	all = append(all, spellingCases()...)
	for _, n := range []int{most, long} {
		name, good := times("n", n), n == most
		all = append(all,
			files(fmt.Sprintf("files: a name of %d bytes", n), good, file("./"+name)),
			files(fmt.Sprintf("files: a folder of %d bytes", n), good, folder("./"+name+"/")),
			files(fmt.Sprintf("files: a symbolic link of a name of %d bytes", n), good, symlink("./"+name, "x")),
			files(fmt.Sprintf("files: a pipe of %d bytes", n), good, pipe("./"+name)),
			files(fmt.Sprintf("files: a hard link of a name of %d bytes", n), good, file("./f"), hardlink("./"+name, "./f")))
	}
	return all
}

// spellingCases are names with more slashes and dots than they need.
func spellingCases() []installCase {
	one := func(name string, good bool, entries ...entry) installCase {
		return files("spellings: "+name, good, append([]entry{folder("./d/")}, entries...)...)
	}
	typed := func(kind byte, name string) entry { return entry{name: name, kind: kind, link: "x"} }
	all := []installCase{
		one("a folder with two slashes", false, folder("./a//")),
		one("a folder with three slashes", false, folder("./a///"), file("./a/f")),
		one("a folder with a dot at its end", false, folder("./a/./")),
		one("a folder with a dot at its end, without a slash", false, folder("./a/.")),
		one("a folder there with two slashes", true, folder("./d//"), file("./d/f")),
		one("a folder there with three slashes", true, folder("./d///")),
		one("a folder there with a dot at its end", true, folder("./d/./"), folder("./d/.")),
		one("the folder above one that is there", true, folder("./d/../")),
		one("the folder above one that is not there", false, folder("./a/../")),
		one("the folder above a file", false, file("./f"), folder("./f/../")),
		one("dots in the middle", true, folder("./d/./b/"), file("./d/./b/f"), file("./d//b/g"), symlink("./d/b/./s", "f")),
		one("dots above", true, file("./d/../f"), folder("./d/../e/"), file("./e/f"), symlink("./d/../s", "x"), pipe("./d/../p")),
		one("dots above a file", false, file("./f"), file("./f/../g")),
		one("dots above a symbolic link to a folder", false, symlink("./s", "d"), file("./s/../g")),
		one("dots above what is not there", true, file("./none/../g")).but("systems may have it"),
		one("a folder by dots above, a file in it", true, folder("./d/../e/"), file("./d/../e/f")),
		one("a file of two spellings", false, file("./d/f"), file("./d//f")),
		one("a file of two spellings, with dots", false, file("./d/../f"), file("./f")),
		one("a file of three spellings", false, file("./d/../f"), file("./d/./../f")),
		one("a file twice, in one odd spelling", true, file("./d//f"), file("./d//f")),
		one("a file and a symbolic link of two spellings", false, file("./d/f"), symlink("./d//f", "x")),
		one("a symbolic link and a file of two spellings", false, symlink("./d//f", "x"), file("./d/f")),
		one("a file and a symbolic link in one odd spelling", true, file("./d//f"), symlink("./d//f", "x")),
		one("a folder of two spellings", true, folder("./d/e/"), folder("./d//e/"), file("./d/e/f")),
		one("a file, a folder of another spelling", false, file("./d/f"), folder("./d//f/")),
		one("a folder, a file of another spelling", true, folder("./d/f/"), file("./d//f")),
		one("a folder with a file, a file of another spelling", false, folder("./d/e/"), file("./d/e/f"), file("./d//e")),
		one("a pipe of two spellings", true, pipe("./d/p"), pipe("./d//p")),
		one("a pipe, a file of another spelling", true, pipe("./d/p"), file("./d//p")),
		one("a file, a pipe of another spelling", false, file("./d/p"), pipe("./d//p")),
		one("a file under a file of another spelling", false, file("./d//f"), file("./d/f/x")),
		one("a symbolic link that ends in two slashes, a folder there", true, symlink("./d//", "x")),
		one("a symbolic link that ends in a slash, a folder there", true, symlink("./d/", "x")),
		one("a symbolic link that ends in a dot, a folder there", true, symlink("./d/.", "x")),
		one("a file that ends in two slashes, a folder there", false, entry{name: "./d//", body: "x"}),
		one("a hard link to itself of another spelling", false, file("./d/f"), hardlink("./d//f", "./d/f")),
		one("a hard link to a file of an odd spelling", true, file("./d//f"), hardlink("./h", "./d//f")),
		one("a hard link to a file that has an odd spelling", false, file("./d//f"), hardlink("./h", "./d/f")),
		one("a hard link to a pipe of another spelling", true, pipe("./d/p"), hardlink("./h", "./d//p")),
		one("a hard link to a pipe with a slash", false, pipe("./d/p"), hardlink("./h", "./d/p/")),
		one("a hard link to a hard link of an odd spelling", true, file("./d/f"), hardlink("./d//h", "./d/f"), hardlink("./g", "./d//h")),
	}
	for _, end := range []string{"/", "//", "/.", "/.."} {
		for kind, what := range map[byte]string{'0': "a file", '1': "a hard link", '2': "a symbolic link", '6': "a pipe"} {
			e, good := typed(kind, "./n"+end), kind == '0' && end == "/"
			if kind == '1' {
				e.link = "./d/x"
			}
			all = append(all, one(fmt.Sprintf("%s that ends in %s", what, end), good, file("./d/x"), e))
			if e.name = "./d" + end; kind != '2' && end != "//" && !good {
				all = append(all, one(fmt.Sprintf("%s that ends in %s, a folder there", what, end), false, file("./d/x"), e))
			}
		}
	}
	return all
}

// ustar is a file of which a part of the name is in the prefix.
func ustar(prefix, name string) entry {
	return entry{name: name, edit: func(h []byte) {
		copy(h[257:], "ustar\x0000")
		copy(h[345:], prefix)
	}}
}

// linkCases are hard links.
func linkCases() []installCase {
	one := func(name string, good bool, entries ...entry) installCase {
		return files("hard links: "+name, good, append([]entry{folder("./usr/")}, entries...)...)
	}
	return []installCase{
		one("a file", true, file("./usr/b"), hardlink("./usr/a", "./usr/b")),
		one("a file, absolute", true, file("./usr/b"), hardlink("./usr/a", "/usr/b")),
		one("a file, without dots, with many", true, file("./usr/b"), hardlink("./usr/a", "usr/b"), hardlink("./usr/c", "././/usr/b")),
		one("a long name", true, file("./usr/"+times("n", 200)), hardlink("./usr/a", "./usr/"+times("n", 200))),
		one("a hard link", true, file("./usr/b"), hardlink("./usr/c", "./usr/b"), hardlink("./usr/a", "./usr/c")),
		one("a pipe", true, pipe("./usr/b"), hardlink("./usr/a", "./usr/b")),
		one("a file that becomes a symbolic link", true, file("./usr/b"), symlink("./usr/b", "c"), hardlink("./usr/a", "./usr/b")),
		one("nothing", false, hardlink("./usr/a", "./usr/b")),
		one("a file that follows", false, hardlink("./usr/a", "./usr/b"), file("./usr/b")),
		one("itself", false, hardlink("./usr/a", "./usr/a")),
		one("itself, a file before", false, file("./usr/a"), hardlink("./usr/a", "./usr/a")),
		one("an empty name", false, hardlink("./usr/a", "")),
		one("the outermost folder", false, hardlink("./usr/a", "./")),
		one("a folder", false, folder("./usr/b/"), hardlink("./usr/a", "./usr/b")),
		one("a folder with a slash", false, folder("./usr/b/"), hardlink("./usr/a", "./usr/b/")),
		one("a symbolic link", false, symlink("./usr/b", "c"), hardlink("./usr/a", "./usr/b")),
		one("a file in another spelling", false, file("./usr/b"), hardlink("./usr/a", "./usr//b")),
		one("a file over dots", false, file("./usr/b"), hardlink("./usr/a", "./usr/../usr/b")),
	}
}

// placeCases are members of one name, and members under others.
func placeCases() []installCase {
	f, d, p, s := file("./a"), folder("./a/"), pipe("./a"), symlink("./a", "b")
	one := func(name string, good bool, entries ...entry) installCase {
		return files("places: "+name, good, entries...)
	}
	return []installCase{
		one("a file twice", true, f, f), one("a folder twice", true, d, d), one("a symbolic link twice", true, s, s),
		one("a file, a folder", false, f, d), one("a folder, a file", true, d, f),
		one("a file, a pipe", false, f, p), one("a pipe, a file", true, p, f),
		one("a file, a symbolic link", true, f, s), one("a symbolic link, a file", true, s, f),
		one("a folder, a symbolic link", true, d, s), one("a symbolic link, a folder", true, s, d),
		one("a folder, a pipe", true, d, p), one("a pipe, a symbolic link", true, p, s), one("a symbolic link, a pipe", true, s, p),
		one("a hard link, a folder", false, file("./b"), hardlink("./a", "./b"), d),
		one("a file, a folder, a symbolic link", false, f, d, s),
		one("a file, a folder, a file", false, f, d, f).but("it is not known at the folder that a file follows"),
		one("a folder with a file, a file", false, d, file("./a/x"), f),
		one("a folder with a file far below, a file", false, d, folder("./a/b/"), file("./a/b/x"), f),
		one("a folder with a symbolic link, a file", false, d, symlink("./a/x", "y"), f),
		one("a folder with a pipe, a file", true, d, pipe("./a/x"), f),
		one("a folder with a folder, a file", true, d, folder("./a/x/"), f),
		one("a folder with a file, a pipe", false, d, file("./a/x"), p),
		one("a file under a file", false, f, file("./a/x")), one("a folder under a file", false, f, folder("./a/x/")),
		one("a symbolic link under a file", false, f, symlink("./a/x", "y")),
		one("a file far below a file", false, f, file("./a/x/y/z")),
		one("a file below a file in another spelling", false, f, file(".///a//x")),
		one("a file under a pipe", false, p, file("./a/x")),
		one("a file under a symbolic link", false, folder("./b/"), s, file("./a/x")),
		one("a file far below a symbolic link", false, folder("./b/"), s, file("./a/x/y")),
		one("a folder under a symbolic link", false, folder("./b/"), s, folder("./a/x/")),
		one("a symbolic link under a symbolic link", false, folder("./b/"), s, symlink("./a/x", "y")),
		one("a symbolic link over a file", false, folder("./b/"), file("./a/x"), s),
		one("a file under a symbolic link to itself", false, symlink("./a", "a"), file("./a/x")),
		one("a file under a symbolic link to nothing", false, symlink("./a", "/none"), file("./a/x")),
		one("a file under a symbolic link and a folder", true, s, d, file("./a/x")),
		one("a file under the link to /usr that systems have", false, symlink("./lib", "usr/lib"), file("./lib/x")).but("it is there, but not in this root").turned(),
	}
}

// turned makes a case of which we accept what dpkg does not, or the other way.
func (c installCase) turned() installCase {
	c.ours, c.dpkg = !c.ours, !c.dpkg
	return c
}

// suffixCases are names that dpkg itself uses while it unpacks others.
func suffixCases() []installCase {
	n, nf := folder("./a.dpkg-new/"), file("./a.dpkg-new/f")
	one := func(name string, good bool, entries ...entry) installCase {
		return files("suffixes: "+name, good, entries...)
	}
	return []installCase{
		one("a folder NAME.dpkg-new with a file, a file", false, n, nf, file("./a")),
		one("a file, a folder NAME.dpkg-new with a file", false, file("./a"), n, nf),
		one("a folder NAME.dpkg-new with a file, a symbolic link", false, n, nf, symlink("./a", "x")),
		one("a symbolic link, a folder NAME.dpkg-new with a file", false, symlink("./a", "x"), n, nf),
		one("a folder NAME.dpkg-new with a file, a folder", false, n, nf, folder("./a/")),
		one("a folder NAME.dpkg-new with a file, a pipe", false, n, nf, pipe("./a")),
		one("a folder, a folder NAME.dpkg-new with a file", true, folder("./a/"), n, nf),
		one("a folder, a folder NAME.dpkg-new with a file, the folder again", true, folder("./a/"), n, nf, folder("./a/")),
		one("a pipe, a folder NAME.dpkg-new with a file", true, pipe("./a"), n, nf),
		one("a folder NAME.dpkg-new with a file, and nothing else", true, n, nf),
		one("files of both names", true, file("./a.dpkg-new"), file("./a"), file("./b"), file("./b.dpkg-new"), file("./c"), file("./c.dpkg-tmp")),
	}
}

// numberCases are fields of headers.
func numberCases() []installCase {
	one := func(name string, good bool, e entry) installCase { return files("numbers: "+name, good, e) }
	const high, low = "\x80\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f", "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"
	return []installCase{
		one("an owner", true, edited(108, "0001750")), one("no owner", true, edited(108, times("\x00", 8))),
		one("an owner of blanks and NUL", true, edited(108, "       \x00")), one("an owner of blanks", false, edited(108, times(" ", 8))),
		one("an owner of eight digits", true, edited(108, "00001750")), one("an owner behind NUL", false, edited(108, "\x000001750")),
		one("an owner with a sign", false, edited(108, "+000001\x00")), one("an owner with letters", false, edited(108, "zzzzzzz\x00")),
		one("an owner with digits behind a blank", false, edited(108, "0001 750")),
		one("an owner below zero", false, edited(108, low[:8])), one("a huge owner", false, edited(108, high[:8])),
		one("the highest owner", true, edited(108, "\x80\x00\x00\x00\xff\xff\xff\xff")), one("one owner more", false, edited(108, "\x80\x00\x00\x01\x00\x00\x00\x00")),
		one("an owner of another first byte", false, edited(108, "\x81\x00\x00\x00\x00\x00\x00\x01")),
		one("a group below zero", false, edited(116, low[:8])), one("a group with letters", false, edited(116, "zz")),
		one("a time below zero", true, edited(136, low)), one("a huge time", false, edited(136, high)),
		one("a time out of range below zero", false, edited(136, "\xff\x00"+low[2:])),
		one("the time of 2242", true, edited(136, "77777777777\x00")), one("a time with a nine", false, edited(136, "99999999999\x00")),
		one("a mode with letters", true, edited(100, "zzzzzzz\x00")), one("a huge mode", true, edited(100, "7777777\x00")),
		one("devices with letters", true, edited(329, "zzzzzzz\x00")),
		one("a size in binary", true, entry{name: "./a", body: "x", edit: func(h []byte) { copy(h[124:], "\x80\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01") }}),
		one("a size below zero", false, edited(124, low)), one("a size with letters", false, edited(124, "zz")),
		one("a size with letters, of a folder", false, entry{name: "./a/", kind: '5', edit: func(h []byte) { copy(h[124:], "zz") }}),
		one("a size of a folder", true, entry{name: "./a/", kind: '5', edit: func(h []byte) { copy(h[124:], "00000001000\x00") }}),
		one("a name of the owner that no system has", true, edited(265, times("\xff", 32))),
		one("another format", true, edited(257, "xxxxxxxx")), one("an old format", true, edited(257, times("\x00", 8))),
	}
}

// dpkg writes a path with the root before it and ".dpkg-new" behind it, which may have 4,095 bytes. Our root is "/".
func TestLongestPathIsThatOfDpkg(t *testing.T) {
	deep := func(n int) []byte { // a file whose path has n bytes
		entries := []entry{folder("./")}
		name := ""
		for n-len(name) > 240 {
			name += times("d", 200) + "/"
			entries = append(entries, folder("./"+name))
		}
		return debtest.Ar(debianBinary, controlTar, debtest.Member{Name: "data.tar.gz", Body: pack("gz", rawTar(append(entries, file("./"+name+times("x", n-len(name))))...))})
	}
	const most = 4095 - len(".dpkg-new") - len("/")
	for n, good := range map[int]bool{most: true, most + 1: false} {
		if err := readPayload(deep(n), true); (err == nil) != good {
			t.Errorf("a path of %d bytes: %v", n, err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("dpkg is not asked: we are not root")
	}
	root, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(root) //nolint:errcheck // a folder for tests
	for more, good := range map[int]bool{0: true, 1: false} {
		complaint := dpkgInstallInto(t, filepath.Clean(root), deep(most-len(root)+more))
		if (complaint == "") != good || !good && !strings.Contains(complaint, "File name too long") {
			t.Errorf("dpkg says of %d bytes more: %q", more, complaint)
		}
	}
}

// The first MiB shows what is wrong in it; behind, the whole verification finds it.
func TestWholeVerificationFindsWhatLiesFarBehind(t *testing.T) {
	for _, c := range []string{"gz", "xz", "zst"} {
		far := rawTar(folder("./"), entry{name: "./noise", body: noise(5 << 19).Body}, hardlink("./a", "./none"))
		data := debtest.Ar(debianBinary, controlTar, dataMember(c, far))
		if err := readPayload(data, false); err != nil {
			t.Errorf("%s: a look finds %v", c, err)
		}
		if err := readPayload(data, true); err == nil || !strings.Contains(err.Error(), "hard link") {
			t.Errorf("%s: the whole verification finds %v", c, err)
		}
	}
}
