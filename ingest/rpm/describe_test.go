package rpm_test

import (
	_ "embed"
	"strings"
	"testing"
	"time"

	"github.com/google/rpmpack"

	"repomill/testdata/rpmtest"
)

//go:embed testdata/mill.spec
var millSpec string

func TestDescribeIsCreaterepoOfRPMBuild(t *testing.T) {
	packages := rpmbuild(t, millSpec, "-ba")
	if len(packages) != 4 {
		t.Fatalf("rpmbuild made %d packages, want 4", len(packages))
	}
	for _, payload := range []string{"w1.xzdio", "w1.zstdio", "w1.bzdio", "w1.gzdio"} {
		spec := "%define _binary_payload " + payload + "\nName: packed\nVersion: 1\nRelease: " + payload +
			"\nSummary: s\nLicense: l\n%description\nd\n%files\n"
		packages = append(packages, rpmbuild(t, spec, "-bb")...)
	}
	nosrc := "Name: secret\nVersion: 1\nRelease: 1\nSummary: s\nLicense: l\nSource0: mill.txt\nNoSource: 0\n%description\nd\n"
	packages = append(packages, rpmbuild(t, nosrc, "-bs")...)
	sameAsCreaterepo(t, packages...)
}

func TestDescribeIsCreaterepoOfRPMPack(t *testing.T) {
	day := time.Date(2024, 1, 1, 12, 0, 0, 0, time.UTC)
	var changes []rpmtest.Change
	for i := range 14 {
		changes = append(changes, rpmtest.Change{Time: day.Add(-24 * time.Hour * time.Duration(i/3)), Author: "Jo <jo@example.org>   ", Text: "- change\n- \"more\" & <less>"})
	}
	sameAsCreaterepo(t,
		rpmtest.Build(t, rpmtest.Spec{}),
		rpmtest.Build(t, rpmtest.Spec{Name: "epoch", Epoch: 2, Version: "1.0^git~1", Release: "1.el9"}),
		rpmtest.Build(t, rpmtest.Spec{Name: "changes", Changes: changes}),
		rpmtest.Build(t, rpmtest.Spec{Name: "author", Changes: []rpmtest.Change{{Time: day, Author: " ", Text: ""}, {Time: day, Author: "   ", Text: " "}, {Time: time.Unix(0, 0), Author: "\tx \t ", Text: "y\r\nz"}}}),
		rpmtest.Build(t, rpmtest.Spec{Name: "text", Summary: "a\tb\r\nc &amp; \"'<>", Description: "\n\n  x  \n", License: "é", Vendor: "日本", URL: "x:y'\""}),
		rpmtest.Build(t, rpmtest.Spec{Name: "latin1", Summary: "caf\xe9 \x93smart\x94", Vendor: "M\xfcller", Files: map[string]string{"/etc/caf\xe9": "", "/srv/\xa0x": ""},
			Provides: []string{"caf\xe9"}, Changes: []rpmtest.Change{{Time: day, Author: "M\xfcller", Text: "\xfcber"}}}),
		rpmtest.Build(t, rpmtest.Spec{Name: "files", PayloadSize: 1000, Ghosts: []string{"/var/log/x", "/etc/ghost"},
			Files: map[string]string{"/etc/": "", "/etc/x": "", "/etcx": "", "/bin/": "", "/sbin/x": "", "/opt/bin": "", "/usr/lib/sendmail": "", "/usr/lib/sendmail2": "", "/a b/é&<>\"'": ""}}),
		rpmtest.Build(t, rpmtest.Spec{Name: "deps",
			Provides:   []string{"p", "p = 1", "p = 1:2-3", "é = 1", "q(x) >= 2-", "colon = :3", "dash = 1-2-3", "bad = x:1", "signed = +1:2", "worse = 1x:2", "sign = -:2"},
			Requires:   []string{"p", "p = 1", "p = 2", "p = 1:2-3", "a", "b", "a", "c = 1", "c = 2", "c = 1", "rpmlib(X) <= 1", "rpmlibx", "/etc/x", "(a if b)"},
			Conflicts:  []string{"x < 1", "x < 1"},
			Obsoletes:  []string{"y"},
			Suggests:   []string{"s = 1"},
			Recommends: []string{"r"},
			Files:      map[string]string{"/etc/x": ""}}),
		rpmtest.Build(t, rpmtest.Spec{Name: "source", Arch: "noarch", Source: true}),
		rpmtest.Build(t, rpmtest.Spec{Name: "sizes", SigTags: map[int]rpmpack.IndexEntry{1007: rpmpack.EntryUint32([]uint32{4_000_000_000})}}),
	)
}

func TestDescribeIsCreaterepoOfForgery(t *testing.T) {
	libc := []string{"libc.so.6", "libc.so.6(", "libc.so.6()", "libc.so.6()(64bit)", "libc.so.6(X)(64bit)", "libc.so.6(GLIBC_2.10)", "libc.so.6(GLIBC_2.9)", "libc.so.6(GLIBC_2.10)(64bit)", "libc.so.6x"}
	named := func(name string) *forgery { return forge().set(str(1000, name)) }
	requires := func(f *forgery, names ...string) []byte {
		return f.set(strs(1049, names...), int32s(1048, make([]uint32, len(names))...), strs(1050, make([]string, len(names))...)).bytes()
	}
	packages := [][]byte{
		named("plain").bytes(),
		named("unsigned-size").set(int32s(1046, 77)).bytes(),
		named("long-size").set(int64s(5009, 1<<33)).bytes(),
		named("suse").set(
			strs(1156, "strong", "weak"), strs(1157, "1", "2"), int32s(1158, 1<<27|8, 8),
			strs(1159, "strong", "weak"), strs(1160, "", ""), int32s(1161, 1<<27, 0)).bytes(),
		named("missingok").set(
			strs(1049, "must", "may", "may", "libc.so.6(A_1)"), int32s(1048, 0, 1<<19, 1<<19, 1<<19), strs(1050, "", "", "", ""),
			strs(5046, "rec"), int32s(5048, 1<<9), strs(5047, "1")).bytes(),
		named("pre").set(
			strs(1049, "a", "a", "b", "b", "c", "libc.so.6"), int32s(1048, 1<<6, 0, 1<<9|12, 1<<10|12, 1<<11, 1<<9), strs(1050, "", "", "1", "1", "", "")).bytes(),
		named("odd-flags").set(strs(1054, "a", "b", "c"), int32s(1053, 14, 6, 1), strs(1055, "1", "2", "3")).bytes(),
		named("flagged-no-version").set(strs(1054, "a"), int32s(1053, 8), strs(1055, "")).bytes(),
		named("other-string-types").set(value{1047, 6, 1, []byte("single\x00")}, strs(1004, "in an array"), value{1005, 9, 2, []byte("first\x00second\x00")}).bytes(),
		requires(named("libc"), libc...),
	}
	for i := range libc {
		for j := range libc {
			packages = append(packages, requires(named("libc-"+string(rune('a'+i))+string(rune('a'+j))), libc[i], "between", libc[j]))
		}
	}
	sameAsCreaterepo(t, packages...)
}

// The deliberate differences from createrepo_c.
func TestDescribeDiffersFromCreaterepo(t *testing.T) {
	tests := []struct {
		name    string
		pkg     []byte
		primary string // a line of it
	}{
		{"a control character becomes U+FFFD", forge().set(str(1004, "a\x01b\x1fc")).bytes(), "<summary>a\uFFFDb\uFFFDc</summary>"},
		{"U+FFFE and U+FFFF become U+FFFD", forge().set(str(1004, "a\uFFFEb\uFFFF")).bytes(), "<summary>a\uFFFDb\uFFFD</summary>"},
		{"DEL and C1 control characters become U+FFFD", forge().set(str(1004, "a\x7fb\u009bc")).bytes(), "<summary>a\uFFFDb\uFFFDc</summary>"},
		{"a control character in Latin-1 becomes U+FFFD", forge().set(str(1004, "\xe9\x01")).bytes(), "<summary>é\uFFFD</summary>"},
		{"overlong UTF-8 is Latin-1", forge().set(str(1004, "\xc0\xaf")).bytes(), "<summary>À</summary>"},
		{"a package without SOURCERPM has none", forge().drop(1044).bytes(), "<rpm:sourcerpm></rpm:sourcerpm>"},
		{"pretrans and posttrans are pre", forge().set(strs(1049, "x", "y"), int32s(1048, 1<<7, 0), strs(1050, "", "")).bytes(), `<rpm:entry name="x" pre="1"/>`},
		{"v6 has its archive size in the main header", v6().bytes(), `<size package="` + "%" + `" installed="5" archive="99"/>`},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			got := string(mustRead(t, test.pkg).Primary)
			before, after, _ := strings.Cut(test.primary, "%")
			if !strings.Contains(got, before) || !strings.Contains(got, after) {
				t.Errorf("got\n%s\nwant a line %s", got, test.primary)
			}
		})
	}
}
