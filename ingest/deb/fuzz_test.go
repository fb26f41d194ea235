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
