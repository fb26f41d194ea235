package rpm_test

import (
	"os/exec"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

// How long a name may be is what rpm makes of it: it unpacks files, but no folders, under a longer name.
func TestNamesAreAsLongAsRPMUnpacks(t *testing.T) {
	_, err := exec.LookPath("rpm")
	judged := err == nil
	long := func(n int) string { return "/usr/share/" + strings.Repeat("n", n) }
	file := func(name string) rpmtest.Spec {
		return rpmtest.Spec{Arch: "noarch", Files: map[string]string{name: "x"}}
	}
	for _, test := range []struct {
		name string
		spec rpmtest.Spec
		want catalog.Reason
	}{
		{"a file of 246 bytes", file(long(246)), ""},
		{"a file of 247 bytes", file(long(247)), catalog.BadField},
		{"a file of 255 bytes", file(long(255)), catalog.BadField},
		{"a file of 256 bytes", file(long(256)), catalog.BadField},
		{"a folder of 255 bytes", file(long(255) + "/"), ""},
		{"a folder of 256 bytes", file(long(256) + "/"), catalog.BadField},
		{"in a folder of 255 bytes", file(long(255) + "/x"), ""},
		{"in a folder of 256 bytes", file(long(256) + "/x"), catalog.BadField},
		{"in a folder of 256 bytes in another", file(long(200) + long(256) + "/x"), catalog.BadField},
		{"a file that another program makes, of 255 bytes", rpmtest.Spec{Arch: "noarch", Ghosts: []string{long(255)}}, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := rpmtest.Build(t, test.spec)
			if test.want == "" {
				mustRead(t, b)
			} else {
				rejects(t, b, test.want)
			}
			if !judged {
				t.Skip("rpm is not installed")
			}
			if installed, said := rpmInstalls(t, b); installed != (test.want == "") {
				t.Errorf("rpm installs it: %t, and our reason is %q; rpm says %s", installed, test.want, said)
			}
		})
	}
}

// A file is of a type that rpm makes.
func TestFilesAreOfTypesThatRPMMakes(t *testing.T) {
	_, err := exec.LookPath("rpm")
	judged := err == nil
	f := func(mode uint16, flags uint32, target string) listed {
		return listed{path: "/usr/share/f", mode: mode, flags: flags, body: target, target: target}
	}
	links := func(change func(map[uint32]rpmtest.Entry)) func(map[uint32]rpmtest.Entry) {
		all := list(f(0o120777, 0, "x"))
		return func(m map[uint32]rpmtest.Entry) { all(m); change(m) }
	}
	for _, test := range []struct {
		name string
		main func(map[uint32]rpmtest.Entry)
		want catalog.Reason
	}{
		{"a folder", list(f(0o040755, 0, "")), ""},
		{"a symbolic link", list(f(0o120777, 0, "x")), ""},
		{"a symbolic link to nothing", list(f(0o120777, 0, "")), catalog.Malformed},
		{"a symbolic link, and no targets", links(without(1036)), catalog.Malformed},
		{"a symbolic link, and targets of another number", links(with(1036, 8, 2, "x\x00y\x00")), catalog.Malformed},
		{"no type", list(f(0o000644, 0, "")), catalog.Malformed},
		{"an unknown type", list(f(0o150644, 0, "")), catalog.Malformed},
		{"an unknown type that another program makes", list(f(0o150644, 64, "")), ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := withPayload(t, test.main, "gzip", packed("gzip", archiveOf(member{name: "./usr/share/f", body: "x"}, trailer)))
			if strings.HasPrefix(test.name, "a folder") {
				b = withPayload(t, test.main, "gzip", packed("gzip", archived(f(0o040755, 0, ""))))
			}
			if test.want == "" {
				mustRead(t, b)
			} else {
				rejects(t, b, test.want)
			}
			if !judged {
				t.Skip("rpm is not installed")
			}
			if installed, said := rpmInstalls(t, b); installed != (test.want == "") {
				t.Errorf("rpm installs it: %t, and our reason is %q; rpm says %s", installed, test.want, said)
			}
		})
	}
}
