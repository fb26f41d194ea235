package rpm_test

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

// described returns the row that the intake makes of a package.
func described(t *testing.T, file []byte) catalog.Package {
	t.Helper()
	p, err := rpm.Peek(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	k := p.Identity()
	k.File = catalog.File{Size: int64(len(file)), SHA256: strings.Repeat("0f", 32)}
	k.Uploaded = time.Date(2026, 8, 1, 12, 0, 0, 0, time.UTC)
	if err := p.Describe(&k); err != nil {
		t.Fatal(err)
	}
	return k
}

// What an element says is what the intake put into the row.
func TestRowIsWhatIngestMade(t *testing.T) {
	for name, s := range map[string]rpmtest.Spec{
		"the plainest":   {},
		"an epoch":       {Epoch: 1<<32 - 1, Version: "1~rc1^git", Release: "1+b"},
		"noarch":         {Name: "0_x+.-", Arch: "noarch"},
		"a source":       {Source: true},
		"text to escape": {Summary: "a\tb\r\nc &amp; \"'<>", Description: "\n  <format>\n x \x01\ufffe", License: "é", Vendor: "M\xfcller", URL: "x:y'\""},
		"files":          {Files: map[string]string{"/etc/<x>": "", "/bin/&": ""}, Requires: []string{"é = 1", "(a if b)"}},
	} {
		want := described(t, rpmtest.Build(t, s))
		got, err := rpm.Row(want.Primary)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got.Primary, got.Filelists, got.Other = want.Primary, want.Filelists, want.Other
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

func TestRowRefuses(t *testing.T) {
	good := string(described(t, rpmtest.Build(t, rpmtest.Spec{})).Primary)
	for name, element := range map[string]string{
		"nothing":             "",
		"another digest":      strings.Replace(good, ".x86_64.rpm", ".x86_64."+strings.Repeat("0", 32)+".rpm", 1),
		"no format":           strings.Replace(good, "<format>", "<layout>", 1),
		"bad XML":             strings.Replace(good, "</name>", "</nome>", 1),
		"another name":        strings.Replace(good, "<name>hello", "<name>../x", 1),
		"another version":     strings.Replace(good, `ver="1.0"`, `ver="1.1"`, 1),
		"no release":          strings.Replace(good, `rel="1"`, `rel=""`, 1),
		"an epoch of text":    strings.Replace(good, `epoch="0"`, `epoch="x"`, 1),
		"no architecture":     strings.Replace(good, "<arch>x86_64", "<arch>", 1),
		"a place elsewhere":   strings.Replace(good, `href="`, `href="../`, 1),
		"no size":             strings.Replace(good, `package="`, `package="-`, 1),
		"half of the package": good[:len(good)/4],
	} {
		if got, err := rpm.Row([]byte(element)); err == nil {
			t.Errorf("%s: got %+v", name, got)
		}
	}
}

func TestIdentityOfAVersion(t *testing.T) {
	for _, s := range []rpmtest.Spec{{}, {Epoch: 7, Version: "1~rc1^git", Release: "1+b"}, {Source: true}} {
		want := identity(t, rpmtest.Build(t, s))
		got, err := rpm.Identity(want.Name, want.Version, want.Arch)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("identity (-want +got):\n%s", diff)
		}
	}
	for _, version := range []string{"", "1", "1-", "-1", "x:1-1", ":1-1", "4294967296:1-1", "1-1-1", "1/2-1"} {
		if got, err := rpm.Identity("hello", version, "x86_64"); err == nil {
			t.Errorf("version %q: got %+v", version, got)
		}
	}
}

func FuzzRow(f *testing.F) {
	f.Add([]byte("<package type=\"rpm\">\n  <name>a</name>\n  <arch>src</arch>\n  <version epoch=\"1\" ver=\"1\" rel=\"1\"/>\n  <checksum>" + strings.Repeat("0", 64) +
		"</checksum>\n  <size package=\"1\"/>\n  <location href=\"e1/a-1-1.src.rpm\"/>\n  <format>\n"))
	f.Fuzz(func(t *testing.T, element []byte) {
		k, err := rpm.Row(element)
		if err != nil {
			return
		}
		again, err := rpm.Identity(k.Name, k.Version, k.Arch)
		if err != nil || !bytes.Equal(again.SortKey, k.SortKey) || again.Canonical != k.Canonical {
			t.Errorf("row %+v, identity %+v, %v", k, again, err)
		}
	})
}
