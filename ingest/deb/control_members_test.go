package deb_test

import (
	"fmt"

	"repomill/testdata/debtest"
)

// conffileCases are lines of conffiles.
func conffileCases() []installCase {
	one := func(name string, good bool, lines string) installCase {
		return listed("conffiles: "+name, good, lines, file("./f"))
	}
	dir := func(name string, good bool, lines string, entries ...entry) installCase {
		return listed("conffiles: "+name, good, lines, entries...)
	}
	return []installCase{
		one("a path", true, "/f\n"),
		one("a path that is not in the package", true, "/g\n"),
		one("a path twice", true, "/f\n/f\n"),
		one("nothing", true, ""),
		one("empty lines and blanks", true, "\n  \n\t\r\f\v\n/f \t\n"),
		one("a carriage return at the end", true, "/f\r\n"),
		one("blanks and umlauts", true, "/a b\n/ä\xff\n"),
		one("a relative path", false, "f\n"),
		one("a relative path behind others", false, "/f\n/g\n./f\n"),
		one("no newline at the end", false, "/f"),
		one("no newline at the end of the second line", false, "/f\n/g"),
		one("a blank first", false, " /f\n"),
		one("a tab first", false, "\t/f\n"),
		one("an unknown flag", false, "obsolete /f\n"),
		one("a NUL", false, "/f\x00g\n"),
		one("a NUL first", false, "\x00\n"),
		one("a NUL at the end", false, "/f\n\x00"),
		one("a line of 996 bytes", true, "/"+times("d/", 497)+"\n"),
		one("a line of 998 bytes", false, "/"+times("d/", 498)+"\n"),
		one("a line of 998 bytes with blanks", false, "/"+times(" ", 996)+"\n"),
		one("a file name of 246 bytes", true, "/"+times("n", 246)+"\n"),
		one("a file name of 247 bytes", false, "/"+times("n", 247)+"\n"),
		one("a folder name of 256 bytes", false, "/"+times("n", 256)+"/f\n"),
		one("a file to remove", true, "remove-on-upgrade /g\n"),
		one("a file to remove that is in the package", false, "remove-on-upgrade /f\n"),
		one("a file to remove that is in the package, with blanks", false, "remove-on-upgrade /./f \r\n"),
		one("a file to remove and to keep", false, "/f\nremove-on-upgrade /f\n"),
		one("a file to keep and to remove", false, "remove-on-upgrade /f\n/f\n"),
		one("a flag without a path", false, "remove-on-upgrade\n"),
		one("a flag with two blanks", false, "remove-on-upgrade  /g\n"),
		one("a flag with a tab", false, "remove-on-upgrade\t/g\n"),
		one("a flag with a relative path", false, "remove-on-upgrade g\n"),
		dir("a symbolic link to remove that is in the package", false, "remove-on-upgrade /s\n", symlink("./s", "x")),
		dir("a folder to remove that is in the package", false, "remove-on-upgrade /d\n", folder("./d/")),
		dir("a symbolic link", true, "/s\n", symlink("./s", "x")),
		dir("a hard link", true, "/h\n", file("./f"), hardlink("./h", "./f")),
		dir("a folder of the package", false, "/d\n", folder("./d/")),
		dir("a folder of the package with a file", false, "/d\n", folder("./d/"), file("./d/f")),
		dir("a folder that systems have", true, "/etc\n", folder("./etc/")).but("it is there on every system, but not in this root"),
		dir("a pipe", false, "/p\n", pipe("./p")),
		dir("a symbolic link to a folder", false, "/s\n", folder("./d/"), symlink("./s", "d")),
		dir("a symbolic link to a folder that follows", false, "/s\n", symlink("./s", "d"), folder("./d/")),
		dir("a symbolic link to a folder far away", false, "/etc/s\n", folder("./etc/"), folder("./usr/"), folder("./usr/d/"), symlink("./etc/s", "../usr/./d/")),
		dir("a symbolic link to a folder that systems have", false, "/s\n", symlink("./s", "/usr/share")),
		dir("a symbolic link to the outermost folder", false, "/s\n", symlink("./s", "/")),
		dir("a symbolic link to a link to a folder", false, "/s\n", folder("./d/"), symlink("./s", "t"), symlink("./t", "d")),
		dir("a symbolic link to a folder, and one to a file, and back", true, "/s\n", symlink("./s", "t"), symlink("./t", "s")),
		dir("a symbolic link to a folder in an odd spelling", false, "/a/./s\n", folder("./a/"), folder("./a/d/"), symlink("./a/./s", "d")),
		dir("a symbolic link to a folder, listed in another spelling", true, "/a/./s\n", folder("./a/"), folder("./a/d/"), symlink("./a/s", "d")),
		dir("a symbolic link to a file", true, "/s\n", file("./f"), symlink("./s", "f")),
		dir("a symbolic link to a file, both listed", true, "/s\n/f\n", file("./f"), symlink("./s", "f")),
		dir("a symbolic link to a pipe", false, "/s\n", pipe("./p"), symlink("./s", "p")),
		dir("a symbolic link to nothing", true, "/s\n", symlink("./s", "none")),
		dir("a file with a slash", false, "/f/\n", file("./f")),
		dir("a file with two slashes", false, "/f//\n", file("./f")),
		dir("a file with a dot", false, "/f/.\n", file("./f")),
		dir("a folder with a slash", true, "/d/\n", folder("./d/")),
		dir("a folder with a dot", true, "/d/.\n", folder("./d/")),
		dir("a file in a folder with a slash", false, "/d/f/\n", folder("./d/"), file("./d/f")),
		dir("a symbolic link to a file with a slash", false, "/s/\n", file("./f"), symlink("./s", "f")),
		dir("a symbolic link to a folder with a slash", true, "/s/\n", folder("./d/"), symlink("./s", "d")),
		dir("a symbolic link to nothing with a slash", true, "/s/\n", symlink("./s", "none")),
		dir("nothing with a slash", true, "/none/\n", file("./f")),
		dir("what would lie under a file", false, "/f/x\n", file("./f")),
		dir("what would lie under a pipe", false, "/p/x\n", pipe("./p")),
		dir("what would lie far below a file", false, "/f/x/y/z\n", file("./f")),
		dir("a file in another spelling", true, "/d//f\n/d/./f\n", folder("./d/"), file("./d/f")),
		dir("a file by dots above", true, "/d/../f\n", folder("./d/"), file("./f")),
		dir("a file by dots above a file", false, "/g/../f\n", file("./g"), file("./f")),
		dir("a file to remove, with a slash", true, "remove-on-upgrade /f/\n", file("./f")),
	}
}

// triggerCases are lines of triggers.
func triggerCases() []installCase {
	one := func(name string, good bool, lines string) installCase {
		return members("triggers: "+name, good, with("triggers", lines))
	}
	return []installCase{
		one("all directives", true, "interest a\ninterest-await b\ninterest-noawait /usr/x\nactivate c\nactivate-await d\nactivate-noawait /e\n"),
		one("comments, blanks and tabs", true, "# c\n\n \t\n\tinterest\t a.b+c-1 \t\n"),
		one("nothing", true, ""),
		one("the same twice", true, "interest /x\ninterest /x\ninterest-noawait /x\n"),
		one("upper case", true, "interest Foo\n"),
		one("an unknown directive", false, "bogus foo\n"),
		one("an unknown directive behind others", false, "interest foo\nInterest foo\n"),
		one("no name", false, "interest\n"),
		one("no name, but blanks", false, "interest  \n"),
		one("two names", false, "interest a b\n"),
		one("an underscore", false, "interest a_b\n"),
		one("a hyphen first", false, "interest -foo\n"),
		one("a tilde", false, "interest a~b\n"),
		one("a slash inside", false, "interest a/b\n"),
		one("a colon", false, "interest a:b\n"),
		one("umlauts", false, "interest fö\n"),
		one("umlauts in a path", false, "interest /fö\n"),
		one("umlauts where it activates", false, "activate fö\n"),
		one("odd names where it activates", true, "activate -foo_\nactivate /a//b\n"),
		one("a path with an empty part", false, "interest /usr//x\n"),
		one("a path with a slash at its end", false, "interest /usr/\n"),
		one("the outermost folder", false, "interest /\n"),
		one("a path with dots", true, "interest /usr/../x\n"),
		one("carriage returns", false, "interest foo\r\n"),
		one("a line with a carriage return", false, "\r\n"),
		one("no newline at the end", false, "interest foo"),
		one("a comment without a newline at the end", false, "# foo"),
		one("a form feed for a blank", false, "interest\ffoo\n"),
		one("DEL", false, "interest a\x7f\n"),
		one("a NUL", false, "interest a\x00b\n"),
		one("a NUL first", false, "\x00\n"),
		one("a line of 255 bytes", true, "interest "+times("x", 245)+"\n"),
		one("a line of 256 bytes", false, "interest "+times("x", 246)+"\n"),
		one("a comment of 256 bytes", false, "#"+times("x", 254)+"\n"),
		one("the file of dpkg's file triggers", false, "interest-noawait File\n").but("each dpkg after it stops: syntax error in file triggers file"),
		one("the file of dpkg's pending triggers", false, "interest Unincorp\n"),
		one("the file that dpkg locks", false, "interest Lock\n").but("it replaces the file by which dpkg locks"),
	}
}

// headerCases are control.tar with members that are not files.
func headerCases() []installCase {
	text := with("control", control)
	global := func(record string) entry {
		return entry{name: "pax_global_header", kind: 'g', body: fmt.Sprintf("%d %s\n", len(record)+4, record)}
	}
	one := func(name string, good bool, entries ...entry) installCase {
		return installCase{name: "control.tar: " + name, ours: good, dpkg: good, file: debtest.Ar(debianBinary,
			debtest.Member{Name: "control.tar", Body: rawTar(entries...)}, debtest.Member{Name: "data.tar.gz", Body: pack("gz", rawTar(folder("./"), file("./f")))})}
	}
	commit := global("comment=52c4dc2e9ac0cd9b5b4c0bf7b8b2a2d8a1b5a1b5")
	return []installCase{
		one("as git archive writes it", true, commit, folder("./"), text),
		one("as git archive writes it, without a folder", true, commit, text),
		one("a global header between and behind", true, folder("./"), commit, text, commit),
		one("the outermost folder twice", true, folder("./"), text, folder("./")),
		one("the outermost folder in another spelling", true, folder("."), folder(".//"), text),
		one("a global header of times", false, global("mtime=1700000000"), text).but("a header for all members is refused if it says anything of them"),
		one("a folder", false, folder("./"), folder("./x/"), text),
		one("control twice", false, text, text).but("programs read different ones"),
		one("a symbolic link", false, text, symlink("./postinst", "/bin/true")).but("a program could write through it"),
	}
}

// foldedCases are fields whose value begins on the line below.
func foldedCases() (all []installCase) {
	add := func(lines string, good bool) {
		all = append(all, named(fmt.Sprintf("folded: %q", lines), good, "Package: hello\nVersion: 1\nArchitecture: all\n"+lines))
	}
	for _, field := range []string{"Depends", "Pre-Depends", "Recommends", "Suggests", "Enhances", "Breaks", "Conflicts", "Replaces", "Provides"} {
		add(field+":\n zz\n", false)
		add(field+": \t\n\tzz,\n yy\n", false)
		add(field+": zz,\n yy\n", true)
	}
	for _, lines := range []string{"Essential:\n yes\n", "Protected:\n yes\n", "Multi-Arch:\n foreign\n"} {
		add(lines, false)
	}
	for _, lines := range []string{"Section:\n a\n", "Priority:\n optional\n", "Source:\n a\n", "Origin:\n a\n", "Installed-Size:\n 1\n", "Built-Using:\n a (= 1)\n", "Foo:\n a\n", "Depends:\n"} {
		add(lines, true)
	}
	return all
}

// infoCases are names of members of control.tar, and of packages, of which dpkg makes names of files.
func infoCases() []installCase {
	const same = "Architecture: amd64\nMulti-Arch: same\n"
	pkg := func(n int) string { return "Package: " + times("n", n) + "\nVersion: 1\n" }
	const all = "Architecture: all\n"
	return []installCase{
		members("names: 100 bytes", true, with(times("x", 100), "")),
		members("names: 101 bytes", false, with(times("x", 101), "")),
		members("names: 250 bytes", false, with(times("x", 250), "")),
		members("names: 250 bytes with a dot", true, with(times("x", 248)+".y", "")),
		members("names: 255 bytes with a dot", true, with(times("x", 253)+".y", "")),
		members("names: 256 bytes with a dot", false, with(times("x", 254)+".y", "")),
		members("names: a newline", true, with("a\nb", "")),
		members("names: list", true, with("list", "/etc/passwd\n")),
		members("names: md5sums with nonsense", true, with("md5sums", "nonsense\x00")),
		members("names: md5sums without a line", true, with("md5sums", "")),
		members("names: templates, shlibs and symbols with nonsense", true, with("templates", "(((\n"), with("shlibs", "(((\n"), with("symbols", "(((\n")),
		named("names: a package name of 243 bytes", true, pkg(243)+all),
		named("names: a package name of 244 bytes", false, pkg(244)+all),
		named("names: a package name of 244 bytes with md5sums", true, pkg(244)+all, with("md5sums", "")),
		named("names: a package name of 237 bytes for several architectures", true, pkg(237)+same),
		named("names: a package name of 238 bytes for several architectures", false, pkg(238)+same),
		named("names: 200 and 54 bytes", true, pkg(200)+all, with(times("x", 54), "")),
		named("names: 200 and 55 bytes", false, pkg(200)+all, with(times("x", 55), "")),
		named("names: 200, 6 and 48 bytes", true, pkg(200)+same, with(times("x", 48), "")),
		named("names: 200, 6 and 49 bytes", false, pkg(200)+same, with(times("x", 49), "")),
	}
}

// scriptCases are maintainer scripts.
func scriptCases() []installCase {
	plain := func(e entry) entry {
		e.edit = func(h []byte) { copy(h[100:], "0000644") }
		return e
	}
	one := func(name string, good bool, entries ...entry) installCase {
		return members("scripts: "+name, good, entries...)
	}
	const unix, dos = "#!/bin/sh\nexit 0\n", "#!/bin/sh\r\nexit 0\n"
	return []installCase{
		one("all", true, with("preinst", unix), with("postinst", unix), with("prerm", unix), with("postrm", unix)),
		one("not executable", true, plain(with("postinst", unix))),
		one("no first line", true, with("postinst", "exit 0\n")),
		one("empty", true, with("postinst", "")),
		one("no name of a program", true, with("postinst", "#!\nexit 0\n")),
		one("a byte order mark", true, with("postinst", "\xef\xbb\xbf#!/bin/sh\r\nexit 0\n")),
		one("preinst for DOS", false, with("preinst", dos)),
		one("postinst for DOS", false, with("postinst", dos)),
		one("prerm and postrm for DOS", true, with("prerm", dos), with("postrm", dos)),
		one("config for DOS", true, with("config", dos)),
		one("perl for DOS", false, with("postinst", "#!/usr/bin/perl\r\nexit 0;\n")),
		one("perl with an argument for DOS", true, with("postinst", "#!/usr/bin/perl -w\r\nexit 0;\n")),
		one("a shell with an argument for DOS", false, with("postinst", "#!/bin/sh -e\r\nexit 0\n")),
		one("a shell with a blank for DOS", false, with("postinst", "#! /bin/sh -e \r\nexit 0\n")),
		one("env for DOS", false, with("postinst", "#!/usr/bin/env bash\r\nexit 0\n")),
		one("a hard link", true, with("prerm", unix), hardlink("./postinst", "./prerm")),
		one("a hard link without a folder", true, with("prerm", unix), hardlink("postinst", "prerm")),
		one("a hard link for DOS", false, with("prerm", dos), hardlink("./postinst", "./prerm")),
		one("a hard link to nothing", false, hardlink("./postinst", "./prerm")),
		one("a hard link to what follows", false, hardlink("./postinst", "./prerm"), with("prerm", unix)),
		one("a hard link to itself", false, hardlink("./postinst", "./postinst")),
		one("conffiles as a hard link", false, with("x", "/usr/f\n"), hardlink("./conffiles", "./x")).but("what it links to was not read as conffiles"),
	}
}
