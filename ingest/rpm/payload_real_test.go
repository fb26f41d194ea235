package rpm_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"

	"repomill/ingest/rpm"
	"repomill/testdata/rpmtest"
)

// What rpmbuild and rpmpack make is what their headers say, with each compressor.
func TestPackagesAreWhole(t *testing.T) {
	whole := func(name, compressor string, b []byte) {
		t.Helper()
		if err := readPayload(b, true); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		p, err := rpm.Peek(bytes.NewReader(b))
		if err != nil {
			t.Fatal(err)
		}
		if got := p.PayloadCompressor(); got != compressor {
			t.Errorf("%s: the payload is packed with %q, want %q", name, got, compressor)
		}
	}
	files := map[string]string{"/usr/share/t/": "", "/usr/share/t/large": strings.Repeat("0123456789\n", 30_000), "/usr/share/t/empty": "", "/etc/é": "x"}
	for _, c := range []string{"gzip", "xz", "lzma", "zstd"} {
		whole("rpmpack, "+c, c, rpmtest.Build(t, rpmtest.Spec{Compressor: c, Files: files, Ghosts: []string{"/var/log/t"}, PayloadSize: 300_000}))
	}
	whole("rpmpack, no files", "gzip", rpmtest.Build(t, rpmtest.Spec{}))
	spec, err := os.ReadFile("testdata/mill.spec")
	if err != nil {
		t.Fatal(err)
	}
	for flags, c := range map[string]string{"w9.gzdio": "gzip", "w6.xzdio": "xz", "w6.lzdio": "lzma", "w19.zstdio": "zstd", "w9.bzdio": "bzip2", "w.ufdio": "gzip"} {
		for i, b := range rpmbuild(t, string(spec), "-ba", "--define", "_binary_payload "+flags, "--define", "_source_payload "+flags) {
			whole(fmt.Sprintf("rpmbuild, %s, package %d", flags, i), c, b)
		}
	}
	for _, c := range []string{"gzip", "xz", "zstd"} {
		b := rpmbuild(t, linkedSpec, "-bb", "--define", "_binary_payload w3."+map[string]string{"gzip": "gzdio", "xz": "xzdio", "zstd": "zstdio"}[c])[0]
		whole("rpmbuild, hard links and megabytes, "+c, c, b)
		at := len(b) / 2 // damage, behind which the digest is right again
		damaged := rpmtest.Edit(t, flip(b, at), func(m map[uint32]rpmtest.Entry) {
			for _, tag := range digests {
				delete(m, tag)
			}
		}, nil)
		if err := readPayload(damaged, false); err != nil {
			t.Errorf("%s: an MD5 of the damage is right, and it is refused: %v", c, err)
		}
		if err := readPayload(damaged, true); err == nil {
			t.Errorf("%s: the damage at byte %d of %d is taken", c, at, len(b))
		}
	}
}

// linkedSpec has files of several names beside others, of which some sort between them.
const linkedSpec = `Name: linked
Version: 1
Release: 1
Summary: s
License: l
BuildArch: noarch
%description
d
%install
mkdir -p %{buildroot}/usr/share/t/dir
cd %{buildroot}/usr/share/t
seq 1 300000 > dir/numbers
echo text > a
ln a c
ln a dir/a
echo other > b
ln b d
ln -s a link
touch empty
ln empty void
%files
/usr/share/t
`

// A body that is dropped while it unpacks leaves nothing running: Close returns.
func TestCloseEndsAVerification(t *testing.T) {
	b := rpmtest.Build(t, rpmtest.Spec{Compressor: "xz", PayloadSize: 3 << 20})
	p, err := rpm.Peek(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	p.VerifyWhole()
	if _, err := io.CopyN(io.Discard, p.Body(), 1<<20); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	}
}
