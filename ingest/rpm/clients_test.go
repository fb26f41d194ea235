package rpm_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

// A wild package is one that some tool made: a sound one with a change in its main header or its digests.
type wild struct {
	name string
	main func(map[uint32]rpmtest.Entry)
	sigs []uint32 // tags of the signature header that stay; nil: all
	want catalog.Reason
}

func without(tags ...uint32) func(map[uint32]rpmtest.Entry) {
	return func(m map[uint32]rpmtest.Entry) {
		for _, t := range tags {
			delete(m, t)
		}
	}
}

func with(tag, typ, count uint32, data string) func(map[uint32]rpmtest.Entry) {
	return func(m map[uint32]rpmtest.Entry) { m[tag] = rpmtest.Entry{Type: typ, Count: count, Data: []byte(data)} }
}

// longer gives a tag of integers one value more than there are files.
func longer(tag uint32) func(map[uint32]rpmtest.Entry) {
	return func(m map[uint32]rpmtest.Entry) {
		n := m[1117].Count + 1
		m[tag] = rpmtest.Entry{Type: 4, Count: n, Data: make([]byte, 4*n)}
	}
}

var digests = []uint32{5092, 5093, 5097}

// inTheWild are kinds of packages that people have pushed, or that rpm treats in a way of its own.
var inTheWild = []wild{
	{name: "as rpm makes it", main: without()},
	{name: "FILEDEPENDSX of rpm 6.0.0 is longer than the files", main: longer(1143)},
	{name: "FILEDEPENDSN is longer than the files", main: longer(1144)},
	{name: "verify flags are longer than the files", main: longer(1045)},
	{name: "classes are longer than the files", main: longer(1141)},
	{name: "no flags of files", main: without(1037)},
	{name: "no times of files", main: without(1034)},
	{name: "no inodes, and all files differ", main: without(1096)},
	{name: "no owners", main: without(1039), want: catalog.Malformed},
	{name: "no groups", main: without(1040), want: catalog.Malformed},
	{name: "no sizes of files", main: without(1028, 5008), want: catalog.Malformed},
	{name: "no digests of files", main: without(1035), want: catalog.Malformed},
	{name: "colors are longer than the files", main: longer(1140), want: catalog.Malformed},
	{name: "no operating system", main: without(1021), want: catalog.MissingField},
	{name: "Linux in capitals", main: with(1021, 6, 1, "LINUX\x00")},
	{name: "another operating system", main: with(1021, 6, 1, "windows\x00"), want: catalog.Unsupported},
	{name: "Latin-1 in the description", main: with(1005, 9, 1, "M\xfcller \x96 dash\x00")},
	{name: "control characters in the description", main: with(1005, 9, 1, "bell\x07 esc\x1b[1m\x00")},
	{name: "lines end with CR LF", main: with(1005, 9, 1, "line\r\nline2\r\n\x00")},
	{name: "an odd URL", main: with(1020, 6, 1, "https://example.org/a b?x=<y>&z=\"q\"\x00")},
	{name: "an epoch of 2^31", main: with(1003, 4, 1, "\x80\x00\x00\x00")},
	{name: "no license, group, build host or time", main: without(1014, 1016, 1007, 1006)},
	{name: "nothing is provided", main: without(1047, 1112, 1113)},
	{name: "MD5 of all is the only digest", main: without(digests...), sigs: []uint32{1000, 1004}},
	{name: "SHA-1 of the header, and no other than MD5 of the payload", main: without(digests...), sigs: []uint32{269, 1000, 1004}},
	{name: "SHA-256 of both, and no MD5", main: without(), sigs: []uint32{273, 1000}},
	{name: "no digest at all", main: without(digests...), sigs: []uint32{1000}, want: catalog.BadDigest},
	{name: "no digest of the payload", main: without(digests...), sigs: []uint32{269, 273, 1000}, want: catalog.BadDigest},
	{name: "no digest of the header", main: without(), sigs: []uint32{1000}, want: catalog.BadDigest},
	{name: "of the payload only the digest of what is unpacked", main: func(m map[uint32]rpmtest.Entry) {
		m[5097] = m[5092]
		m[5097].Data[0] ^= 1
		delete(m, 5092)
	}, want: catalog.BadDigest},
}

func (w wild) build(t *testing.T) []byte {
	b := rpmtest.Build(t, rpmtest.Spec{Arch: "noarch", Files: map[string]string{"/usr/share/one": "one", "/usr/share/two": "two"}})
	return rpmtest.Edit(t, b, w.main, func(s map[uint32]rpmtest.Entry) {
		for tag := range s {
			if w.sigs != nil && !slices.Contains(w.sigs, tag) {
				delete(s, tag)
			}
		}
	})
}

// What rpm installs is accepted; what it does not install is refused. rpm is asked, where there is one.
func TestVerdictIsThatOfRPMWhenItInstalls(t *testing.T) {
	_, err := exec.LookPath("rpm")
	judged := err == nil
	for _, w := range inTheWild {
		t.Run(w.name, func(t *testing.T) {
			b := w.build(t)
			if w.want == "" {
				mustRead(t, b)
			} else {
				rejects(t, b, w.want)
			}
			if !judged {
				t.Skip("rpm is not installed")
			}
			if installed, said := rpmInstalls(t, b); installed != (w.want == "") {
				t.Errorf("rpm installs it: %t, and our reason is %q; rpm says %s", installed, w.want, said)
			}
		})
	}
}

// rpmInstalls reports whether rpm installs a package into an empty root.
func rpmInstalls(t *testing.T, b []byte) (ok bool, said string) {
	t.Helper()
	dir := t.TempDir()
	name := filepath.Join(dir, "p.rpm")
	if err := os.WriteFile(name, b, 0o644); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "rpm", "--root", filepath.Join(dir, "root"), "--install", "--nodeps", "--noscripts", name).CombinedOutput()
	return err == nil, string(out)
}

// Where hard links are, rpm cannot unpack them without inodes and devices.
func TestHardLinksNeedInodesAndDevices(t *testing.T) {
	const spec = `Name: links
Version: 1
Release: 1
Summary: s
License: l
BuildArch: noarch
%description
d
%install
mkdir -p %{buildroot}/usr/share/links
echo text > %{buildroot}/usr/share/links/a
ln %{buildroot}/usr/share/links/a %{buildroot}/usr/share/links/b
%files
/usr/share/links
`
	b := rpmbuild(t, spec, "-bb")[0]
	mustRead(t, b)
	for _, tag := range []uint32{1095, 1096} {
		b := rpmtest.Edit(t, b, without(tag), nil)
		rejects(t, b, catalog.Malformed)
		if installed, _ := rpmInstalls(t, b); installed {
			t.Errorf("rpm installs hard links without tag %d", tag)
		}
	}
}

// What is listed is listed as createrepo_c does it, but for control characters, for which it drops the package, and
// files without flags, of which it lists none.
func TestWildPackagesAreListedAsCreaterepoDoes(t *testing.T) {
	var packages [][]byte
	for i, w := range inTheWild {
		if w.want == "" && !strings.HasPrefix(w.name, "control characters") && !strings.HasPrefix(w.name, "no flags") {
			b := w.build(t)
			packages = append(packages, rpmtest.Edit(t, b, with(1000, 6, 1, fmt.Sprintf("wild%d\x00", i)), nil))
		}
	}
	empty := func(m map[uint32]rpmtest.Entry) {
		with(1049, 8, 2, "\x00bash\x00")(m)
		with(1048, 4, 2, strings.Repeat("\x00", 8))(m)
		with(1050, 8, 2, "\x00\x00")(m)
	}
	packages = append(packages, rpmtest.Edit(t, rpmtest.Build(t, rpmtest.Spec{Name: "requires-nothing", Arch: "noarch"}), empty, nil))
	sameAsCreaterepo(t, packages...)
}

func TestWeakDigests(t *testing.T) {
	for _, w := range []struct {
		name string
		wild wild
		want bool
	}{
		{"SHA-256 of both", wild{main: without(), sigs: []uint32{273, 1000}}, false},
		{"MD5 of all", wild{main: without(digests...), sigs: []uint32{1000, 1004}}, true},
		{"SHA-1 of the header, SHA-256 of the payload", wild{main: without(), sigs: []uint32{269, 1000}}, true},
		{"SHA-256 of the header, MD5 of the payload", wild{main: without(digests...), sigs: []uint32{273, 1000, 1004}}, true},
	} {
		p, err := rpm.Peek(bytes.NewReader(w.wild.build(t)))
		if err != nil {
			t.Fatalf("%s: %v", w.name, err)
		}
		if got := p.WeakDigests(); got != w.want {
			t.Errorf("%s: weak is %t, want %t", w.name, got, w.want)
		}
	}
}

// IMA has a signature for each file, in the signature header.
func TestLargeSignatureHeader(t *testing.T) {
	for _, mib := range []int{1, 2, 63} {
		ima := bytes.Repeat(append(bytes.Repeat([]byte("a"), 1023), 0), mib<<10)
		b := rpmtest.Edit(t, rpmtest.Build(t, rpmtest.Spec{Arch: "noarch", Files: map[string]string{"/usr/share/one": "one"}}), nil, func(s map[uint32]rpmtest.Entry) {
			s[274] = rpmtest.Entry{Type: 8, Count: uint32(mib << 10), Data: ima}
		})
		c, err := measured(t, b)
		if err != nil || c.File.Size != int64(len(b)) {
			t.Errorf("%d MiB: got %d bytes, %v; want %d", mib, c.File.Size, err, len(b))
		}
		if mib == 2 {
			sameAsCreaterepo(t, b)
		}
	}
}
