package main_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
	"repomill/testdata/rpmtest"
)

// debOf makes a DEB package of a control.tar and nothing else of interest.
func debOf(control []byte) []byte {
	return debtest.Ar(debtest.Member{Name: "debian-binary", Body: []byte("2.0\n")},
		debtest.Member{Name: "control.tar.gz", Body: debtest.Compress("gz", control)},
		debtest.Member{Name: "data.tar.gz", Body: debtest.Compress("gz", debtest.Tar())})
}

// debWith makes a DEB package with this control file.
func debWith(control string) []byte {
	return debOf(debtest.Tar(debtest.TarFile{Name: "./control", Body: control}))
}

// A badUpload is an upload that must be rejected.
type badUpload struct {
	fact   string
	object string // staging key
	body   []byte
	reason catalog.Reason
	detail string // part of it: what to fix
}

func badUploads(t *testing.T) []badUpload {
	const jammy, el9 = "bad/input/ubuntu/jammy/", "bad/input/el/9/"
	deb, rpm := debtest.Build(t, debtest.Spec{Size: 5000}), rpmtest.Build(t, rpmtest.Spec{PayloadSize: 5000})
	zeros := debtest.TarFile{Name: "./zeros", Body: strings.Repeat("\x00", 24<<20)}
	bomb := debOf(debtest.Tar(debtest.TarFile{Name: "./control", Body: "Package: bomb\nVersion: 1\nArchitecture: all\n"}, zeros))
	return []badUpload{
		{"an empty DEB", jammy + "empty.deb", nil, catalog.Empty, ""},
		{"an empty RPM", el9 + "empty.rpm", nil, catalog.Empty, ""},
		{"a DEB cut in its header", jammy + "cut-header.deb", deb[:30], catalog.Truncated, ""},
		{"a DEB cut in its control member", jammy + "cut-control.deb", deb[:200], catalog.Truncated, ""},
		{"a DEB cut in its data", jammy + "cut-data.deb", deb[:len(deb)-2000], catalog.Truncated, ""},
		{"an RPM cut in its lead", el9 + "cut-lead.rpm", rpm[:50], catalog.Truncated, ""},
		{"an RPM cut in its header", el9 + "cut-header.rpm", rpm[:300], catalog.Truncated, ""},
		{"an RPM cut in its payload", el9 + "cut-payload.rpm", rpm[:len(rpm)-2000], catalog.Truncated, ""},
		{"text in place of a DEB", jammy + "text.deb", []byte("<html>404 not found</html>\n"), catalog.NotAPackage, ""},
		{"text in place of an RPM", el9 + "text.rpm", bytes.Repeat([]byte("<html>404 not found</html>\n"), 10), catalog.NotAPackage, ""},
		{"no control file", jammy + "no-control.deb", debOf(debtest.Tar(debtest.TarFile{Name: "./md5sums", Body: "x"})), catalog.Malformed, "control"},
		{"no Package", jammy + "no-package.deb", debWith("Version: 1\nArchitecture: all\n"), catalog.MissingField, "Package"},
		{"no Version", jammy + "no-version.deb", debWith("Package: a\nArchitecture: all\n"), catalog.MissingField, "Version"},
		{"no Architecture", jammy + "no-arch.deb", debWith("Package: a\nVersion: 1\n"), catalog.MissingField, "Architecture"},
		{"a name with a slash", jammy + "slash.deb", debWith("Package: a/../b\nVersion: 1\nArchitecture: all\n"), catalog.BadField, "Package"},
		{"a name with a bell", jammy + "bell.deb", debWith("Package: a\ab\nVersion: 1\nArchitecture: all\n"), catalog.BadField, "lower-case letters"},
		{"a name of two lines", jammy + "lines.deb", debWith("Package: aa\n bb\nVersion: 1\nArchitecture: all\n"), catalog.BadField, "Package"},
		{"a version with a slash", jammy + "version.deb", debWith("Package: aa\nVersion: 1/2\nArchitecture: all\n"), catalog.BadField, "Version"},
		{"a version with a blank", jammy + "blank.deb", debWith("Package: aa\nVersion: 1 2\nArchitecture: all\n"), catalog.BadField, "Version"},
		{"an architecture with dots", jammy + "arch.deb", debWith("Package: aa\nVersion: 1\nArchitecture: ../x\n"), catalog.BadField, "Architecture"},
		{"an RPM name with a slash", el9 + "slash.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "a/b"}), catalog.BadField, ""},
		{"an RPM name of two lines", el9 + "lines.rpm", rpmtest.Build(t, rpmtest.Spec{Name: "a\nb"}), catalog.BadField, ""},
		{"an RPM version with a slash", el9 + "version.rpm", rpmtest.Build(t, rpmtest.Spec{Version: "1/2"}), catalog.BadField, ""},
		{"an RPM architecture with a control character", el9 + "arch.rpm", rpmtest.Build(t, rpmtest.Spec{Arch: "x\x1b6"}), catalog.BadField, ""},
		{"a decompression bomb", jammy + "bomb.deb", bomb, catalog.DecompressionBomb, ""},
		{"an RPM for Ubuntu", jammy + "wrong.rpm", rpm, catalog.WrongFormat, "deb"},
		{"a DEB for EL", el9 + "wrong.deb", deb, catalog.WrongFormat, "rpm"},
		{"an alias of a DEB distribution", "bad/input/ubuntu/22.04/hello.deb", deb, catalog.UnknownDistribution, "ubuntu/jammy"},
		{"an alias of an RPM distribution", "bad/input/rocky/9/hello.rpm", rpm, catalog.UnknownDistribution, "el/9"},
		{"a distribution with a typing error", "bad/input/ubuntu/jamny/hello.deb", deb, catalog.UnknownDistribution, "ubuntu/jammy"},
		{"a reserved owner", "install/tools/ubuntu/jammy/hello.deb", deb, catalog.ReservedName, "install"},
		{"a reserved os", "bad/input/packages/jammy/hello.deb", deb, catalog.ReservedName, "packages"},
		{"a path that is too short", "bad/input/hello.deb", deb, catalog.BadPath, "owner/name/os/version"},
		{"a file at the root", "hello.deb", deb, catalog.BadPath, "owner/name/os/version"},
		{"a path that is too long", jammy + "main/pool/hello.deb", deb, catalog.BadPath, "owner/name/os/version"},
		{"capital letters in an owner", "Bad/input/ubuntu/jammy/hello.deb", deb, catalog.BadPath, "lower-case"},
		{"a component of an RPM distribution", el9 + "main/hello.rpm", rpm, catalog.BadPath, "component"},
	}
}

// Each bad upload gets its reason and a sentence, is kept, and is shown. Other uploads are published.
func TestBadInput(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	bad := badUploads(t)
	for _, b := range bad {
		s.drop(t, b.object, b.body)
	}
	s.publish(t, "good/input/ubuntu/jammy", newDEB(t, debtest.Spec{}))
	s.publish(t, "good/input/el/9", newRPM(t, rpmtest.Spec{}))
	for _, b := range bad {
		s.await(t, b.object)
	}
	shown := map[string]catalog.Verdict{}
	for _, v := range s.status(t, "").Uploads {
		shown[v.Object] = v
	}
	text := repomill(t, "status", "--data", s.data, "--limit", "1000").Stdout
	for _, b := range bad {
		t.Run(b.fact, func(t *testing.T) {
			v := s.await(t, b.object)
			if v.State != catalog.Rejected || v.Reason != b.reason || !strings.Contains(v.Detail, b.detail) {
				t.Errorf("want a rejection as %s that mentions %q, got %s: %s: %s", b.reason, b.detail, v.State, v.Reason, v.Detail)
			}
			if got := shown[b.object]; got.Reason != v.Reason || got.Detail != v.Detail {
				t.Errorf("status --json shows %+v", got)
			}
			if !strings.Contains(text, fmt.Sprintf("%s: %s", v.Reason, v.Detail)) {
				t.Errorf("status does not show %q", v.Detail)
			}
			if kept, err := os.ReadFile(filepath.Join(s.data, "staging", b.object)); err != nil || !bytes.Equal(kept, b.body) {
				t.Errorf("not kept in staging: %d bytes, %v", len(kept), err)
			}
		})
	}
	if strings.ContainsFunc(strings.ReplaceAll(text, "\n", ""), func(r rune) bool { return r < ' ' }) {
		t.Errorf("control characters in\n%q", text)
	}
	for _, r := range s.status(t, "bad").Releases {
		if r.Packages > 0 {
			t.Errorf("something bad became a package: %+v", r)
		}
	}
	if err := s.checkBucket(); err != nil {
		t.Error(err)
	}
}

// The uploader's file name is shown, and trusted for nothing.
func TestStrangeFileNames(t *testing.T) {
	t.Parallel()
	s := shared(t)
	for i, name := range []string{"two\nlines.deb", "esc\x1b[31m.deb", "blank and ünïcode.deb", "%2e%2e.deb", "no-extension", "..deb.."} {
		object := s.drop(t, "acme/strange/ubuntu/jammy/"+name, debtest.Build(t, debtest.Spec{Version: fmt.Sprint(i + 1)}))
		if strings.HasPrefix(name, ".") {
			continue // hidden
		}
		if v := s.await(t, object); v.State != catalog.Published || v.Object != object {
			t.Errorf("%q: %+v", name, v)
		}
	}
	text := repomill(t, "status", "--data", s.data, "acme/strange").Stdout
	if strings.Contains(text, "\x1b") || strings.Contains(text, "two\n") {
		t.Errorf("status prints control characters:\n%q", text)
	}
}

// Only repositories that are declared take packages, unless creation is automatic.
func TestDeclared(t *testing.T) {
	t.Parallel()
	data := proctest.OpenDir(t)
	s := restart(t, data)
	const jammy = "acme/tools/ubuntu/jammy"
	s.publish(t, jammy, newDEB(t, debtest.Spec{Arch: "amd64"}))
	s.logs(t, "msg=created repository=acme/tools")
	if err := s.Stop(); err != nil {
		t.Fatal(err)
	}
	s = restart(t, data, "--create", "declared")
	s.publish(t, jammy, newDEB(t, debtest.Spec{Version: "2.0"}))
	for target, want := range map[string]catalog.Reason{
		"acme/tool/ubuntu/jammy":  catalog.UnknownRepository,
		jammy + "/extra":          catalog.UnknownComponent,
		"acme/tools/ubuntu/noble": catalog.UnknownDistribution,
		jammy:                     catalog.UnknownArchitecture,
	} {
		a, vs := s.push(t, target, newDEB(t, debtest.Spec{Arch: "riscv64"}))
		if a.Code != 1 || len(vs) != 1 || vs[0].Reason != want {
			t.Errorf("%s: want %s, got %v", target, want, a)
		}
	}
}
