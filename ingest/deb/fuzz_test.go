package deb_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/intaketest"
)

func FuzzDeb(f *testing.F) {
	f.Add(small())
	for _, ext := range []string{"", "gz", "xz", "zst"} {
		f.Add(debtest.Build(f, debtest.Spec{Control: ext, Fields: fields}))
	}
	f.Add(archive("control.tar.zst", zstdRLE(0x58, 100)))
	for _, file := range twoReadings() {
		f.Add(file)
	}
	f.Add(debtest.Ar(debianBinary, debtest.Member{Name: "_x"}, controlTar, dataTar, debtest.Member{Name: "_y"}))
	f.Fuzz(checkFile)
}

// FuzzControl reaches what a wrong checksum of tar hides from FuzzDeb.
func FuzzControl(f *testing.F) {
	f.Add(control)
	f.Add(control + strings.Join(fields, "\n") + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) <= 1<<16 {
			checkFile(t, withControl(text))
		}
	})
}

// FuzzListings reaches the files that dpkg reads beside the control file.
func FuzzListings(f *testing.F) {
	f.Add("/etc/a\nremove-on-upgrade /etc/b\n", "interest a\nactivate-noawait /b\n# c\n", "#!/bin/sh\r\n")
	f.Fuzz(func(t *testing.T, conffiles, triggers, script string) {
		if len(conffiles)+len(triggers)+len(script) <= 1<<16 {
			checkFile(t, archive("control.tar", rawTar(with("control", control), with("conffiles", conffiles), with("triggers", triggers), with("postinst", script))))
		}
	})
}

// FuzzDataTar reads members of data.tar that have right sums: a name, what it links to, a kind, and numbers.
func FuzzDataTar(f *testing.F) {
	f.Add("./a", "./b", byte('1'), "0001750", "./a/b", byte('0'))
	f.Add("./"+times("a/", 60), times("b", 120), byte('2'), "\x80", "", byte('L'))
	f.Fuzz(func(t *testing.T, name, link string, kind byte, number, second string, other byte) {
		if len(name)+len(link)+len(second) > 1<<14 {
			return
		}
		edit := func(h []byte) { copy(h[108:148], number) }
		tarball := rawTar(folder("./"), file("./b"), entry{name: name, link: link, kind: kind, edit: edit}, entry{name: second, kind: other}, file(name))
		checkFile(t, debtest.Ar(debianBinary, controlTar, dataMember("gz", tarball)))
	})
}

// FuzzXZ holds our reading of the xz container against that of ulikunitz/xz: what we accept, it reads alike.
func FuzzXZ(f *testing.F) {
	for _, size := range []int{0, 1, 1000} {
		f.Add(debtest.Compress("xz", debtest.Tar(debtest.TarFile{Name: "control", Body: control}, debtest.TarFile{Name: "x", Body: strings.Repeat("x", size)})))
	}
	f.Fuzz(func(t *testing.T, packed []byte) {
		file := archive("control.tar.xz", packed)
		checkFile(t, file)
		p, err := deb.Peek(bytes.NewReader(file))
		if err != nil {
			return
		}
		r, err := xz.ReaderConfig{SingleStream: true}.NewReader(bytes.NewReader(packed))
		if err != nil {
			t.Fatal(err)
		}
		plain, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		want, err := deb.Peek(bytes.NewReader(archive("control.tar", plain)))
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(want.Identity(), p.Identity()); d != "" {
			t.Error(d)
		}
	})
}

// checkFile reads any file whole: no panic, bounded memory, a verdict, and a stanza that is exactly one.
func checkFile(t *testing.T, file []byte) {
	var p *deb.Package
	var err error
	used := intaketest.Allocated(func() { p, err = deb.Peek(bytes.NewReader(file)) })
	if used > intaketest.Allowance+int64(len(file)) {
		t.Errorf("%d bytes were allocated for a file of %d", used, len(file))
	}
	if err != nil {
		checkRejection(t, err)
		return
	}
	if body, err := io.ReadAll(p.Body()); err != nil {
		checkRejection(t, err)
	} else if !bytes.Equal(body, file) {
		t.Error("Body is not the file")
	}
	c := p.Identity()
	c.Component, c.Distribution = "main", catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	c.File = catalog.File{Size: int64(len(file)), SHA256: "00"}
	if err := p.Describe(&c); err != nil {
		t.Error(err)
	}
	if !bytes.HasSuffix(c.Stanza, []byte("\n")) || bytes.Contains(c.Stanza, []byte("\n\n")) || bytes.HasPrefix(c.Stanza, []byte("\n")) {
		t.Errorf("stanza is more or less than one: %q", c.Stanza)
	}
	if got := parse(string(c.Stanza)); got["package"] != c.Name || got["version"] != c.Version || got["architecture"] != c.Arch {
		t.Errorf("stanza is not that of %s %s %s: %q", c.Name, c.Version, c.Arch, c.Stanza)
	}
}

// checkRejection fails the test unless err is a verdict, and not on our own parser.
func checkRejection(t *testing.T, err error) {
	t.Helper()
	var rej *catalog.Rejection
	if !errors.As(err, &rej) || rej.Reason == catalog.ParserPanic {
		t.Errorf("got %v", err)
	}
}
