package deb_test

import (
	"bytes"
	"crypto/md5"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/ulikunitz/xz/lzma"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
	"repomill/testdata/proctest"
)

// fields are control lines of the kinds that real packages have.
var fields = []string{
	"Source: hello-src (1.0-1)",
	"Installed-Size: 12",
	"Depends: libc6 (>= 2.31), perl:any | perl-base,\n foo (<< 1:2~)",
	"Provides: hello-api (= 1.0)",
	"Maintainer: Zoë Ångström <zoe@example.org>",
	"Description: a greeting\n It says hello.\n .\n  * indented \t kept\n\tand a tab",
	"X-Unknown:   kept  ",
	"Homepage: https://example.org/?a=1&b=<2>",
}

// describe reads a package whole and returns its row for ubuntu/jammy, main.
func describe(t *testing.T, file []byte) catalog.Package {
	t.Helper()
	p, err := deb.Peek(bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	c := p.Identity()
	body, err := io.ReadAll(p.Body())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(body, file) {
		t.Fatalf("Body returned %d bytes, not the %d of the file", len(body), len(file))
	}
	c.Distribution = catalog.Distribution{OS: "ubuntu", Version: "jammy"}
	c.Component = "main"
	c.File = catalog.File{
		Size:   int64(len(body)),
		SHA256: fmt.Sprintf("%x", sha256.Sum256(body)),
		MD5:    fmt.Sprintf("%x", md5.Sum(body)),
	}
	if err := p.Describe(&c); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestIdentity(t *testing.T) {
	p, err := deb.Peek(bytes.NewReader(debtest.Build(t, debtest.Spec{Name: "libfoo", Version: " 0:1.00-0 ", Arch: "arm64"})))
	if err != nil {
		t.Fatal(err)
	}
	got := p.Identity()
	if len(got.SortKey) == 0 {
		t.Error("SortKey is empty")
	}
	got.SortKey = nil
	want := catalog.Package{Format: catalog.DEB, Name: "libfoo", Version: "0:1.00-0", Canonical: "1.0", Arch: "arm64"}
	if d := cmp.Diff(want, got); d != "" {
		t.Error("-want +got\n" + d)
	}
}

func TestStanzaIsTheControlFileAndWhatARepositoryKnows(t *testing.T) {
	own := []string{"Filename: evil", "SIZE: 1", "md5sum: 2", "Sha1: 3", "SHA256: 4\n 5", "sha512: 6", "MSDOS-Filename: 7", "Share: kept"}
	file := debtest.Build(t, debtest.Spec{Version: "1:2.0", Fields: append(own, fields...)})
	c := describe(t, file)
	want := "Package: hello\nVersion: 1:2.0\nArchitecture: all\nShare: kept\n" + strings.Join(fields, "\n") + "\n" +
		"Filename: pool/jammy/main/h/hello/e1/hello_2.0_all.deb\n" +
		fmt.Sprintf("Size: %d\nMD5sum: %s\nSHA256: %s\n", len(file), c.File.MD5, c.File.SHA256)
	if d := cmp.Diff(want, string(c.Stanza)); d != "" {
		t.Error("-want +got\n" + d)
	}
}

func TestDescribeNeedsTheFactsOfThisPackage(t *testing.T) {
	p, err := deb.Peek(bytes.NewReader(debtest.Build(t, debtest.Spec{})))
	if err != nil {
		t.Fatal(err)
	}
	c := p.Identity()
	if err := p.Describe(&c); err == nil {
		t.Error("no error without size and digest")
	}
	c.File = catalog.File{Size: 1, SHA256: "00"}
	c.Name = "other"
	if err := p.Describe(&c); err == nil {
		t.Error("no error for another package")
	}
}

// TestEveryCompressionPair compares the stanzas of all pairs of compressions that dpkg reads with those of
// dpkg-deb and apt-ftparchive.
func TestEveryCompressionPair(t *testing.T) {
	dir := t.TempDir()
	files := map[string][]byte{} // by package name
	for _, control := range []string{"", "gz", "xz", "zst"} {
		for _, data := range []string{"", "gz", "bz2", "xz", "lzma", "zst"} {
			name := "pair-" + control + "-" + data
			files[name] = pair(t, name, control, data)
		}
	}
	buildWithDpkg(t, files)
	for name, file := range files {
		if err := os.WriteFile(filepath.Join(dir, name+".deb"), file, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	ftp := ftparchive(t, dir)
	for name, file := range files {
		t.Run(name, func(t *testing.T) {
			got := parse(string(describe(t, file).Stanza))
			want := dpkgFields(t, filepath.Join(dir, name+".deb"))
			want["filename"] = "pool/jammy/main/p/" + name + "/" + name + "_1.0_all.deb"
			want["size"] = fmt.Sprint(len(file))
			want["md5sum"] = fmt.Sprintf("%x", md5.Sum(file))
			want["sha256"] = fmt.Sprintf("%x", sha256.Sum256(file))
			if d := cmp.Diff(want, got); d != "" {
				t.Error("dpkg-deb: -want +got\n" + d)
			}
			if ftp == nil {
				return
			}
			theirs := ftp[name]
			if theirs == nil {
				t.Fatal("apt-ftparchive does not list it")
			}
			for _, field := range []string{"sha1", "sha512"} {
				delete(theirs, field)
			}
			theirs["filename"] = want["filename"]
			if d := cmp.Diff(theirs, got); d != "" {
				t.Error("apt-ftparchive: -want +got\n" + d)
			}
		})
	}
}

// TestAptReadsAnIndexOfAllThatIsAccepted: one stanza that apt cannot parse keeps every client from every package.
func TestAptReadsAnIndexOfAllThatIsAccepted(t *testing.T) {
	proctest.Need(t, "apt-cache")
	var index bytes.Buffer
	add := func(control string) {
		c := describe(t, withControl(control))
		index.Write(c.Stanza)
		index.WriteString("\n")
	}
	for _, test := range controlTests() {
		if test.want == "" {
			add(test.control)
		}
	}
	for i, test := range relationTests {
		if test.want == "" {
			add(fmt.Sprintf("Package: relation%d\nVersion: 1\nArchitecture: all\nDepends: %s\n", i, test.value))
		}
	}
	if out := aptReads(t, index.String()); out.Code != 0 {
		t.Errorf("apt cannot read the index: %v\n%s", out, index.String())
	}
	if out := aptReads(t, "Package: bad\nVersion: 1\nArchitecture: all\nDepends: a (\n"); out.Code == 0 {
		t.Error("apt reads a bad relation: it cannot judge here")
	}
}

// aptReads makes apt parse an index, in a root of its own.
func aptReads(t *testing.T, index string) proctest.Answer {
	t.Helper()
	a := proctest.NewApt(t, "amd64")
	a.Write(t, "status", index)
	return a.Run(t, "apt-cache", "gencaches")
}

// pair returns a package with these compressions. dpkg-deb itself no longer writes bzip2 and lzma.
func pair(t *testing.T, name, control, data string) []byte {
	t.Helper()
	spec := debtest.Spec{Name: name, Control: control, Data: data, Fields: fields, Size: 100}
	if data != "bz2" && data != "lzma" {
		return debtest.Build(t, spec)
	}
	spec.Data = ""
	file := debtest.Build(t, spec)
	at := bytes.Index(file, []byte("data.tar  "))
	size := 0
	if _, err := fmt.Sscan(string(file[at+48:at+58]), &size); err != nil {
		t.Fatal(err)
	}
	packed := compress(t, data, file[at+60:at+60+size])
	return append(file[:at:at], debtest.Ar(debtest.Member{Name: "data.tar." + data, Body: packed})[8:]...)
}

func compress(t *testing.T, ext string, b []byte) []byte {
	t.Helper()
	if ext == "bz2" {
		proctest.Need(t, "bzip2")
		cmd := exec.Command("bzip2", "-c")
		cmd.Stdin = bytes.NewReader(b)
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	var out bytes.Buffer
	w, err := lzma.NewWriter(&out)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(b); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// buildWithDpkg adds packages that dpkg-deb itself built.
func buildWithDpkg(t *testing.T, files map[string][]byte) {
	t.Helper()
	proctest.Need(t, "dpkg-deb")
	for _, form := range []string{"none", "gzip", "xz", "zstd"} {
		for _, uniform := range []string{"--uniform-compression", "--no-uniform-compression"} {
			name := "pair-" + form + uniform
			root := filepath.Join(t.TempDir(), "root")
			control := "Package: " + name + "\nVersion: 1.0\nArchitecture: all\n" + strings.Join(fields, "\n") + "\n"
			for file, content := range map[string]string{"DEBIAN/control": control, "DEBIAN/postinst": "#!/bin/sh\n", "usr/share/doc/" + name + "/x": "x"} {
				if err := os.MkdirAll(filepath.Join(root, filepath.Dir(file)), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(filepath.Join(root, file), []byte(content), 0o755); err != nil {
					t.Fatal(err)
				}
			}
			out := root + ".deb"
			if msg, err := exec.Command("dpkg-deb", uniform, "-Z"+form, "--root-owner-group", "--build", root, out).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, msg)
			}
			b, err := os.ReadFile(out)
			if err != nil {
				t.Fatal(err)
			}
			files[name] = b
		}
	}
}

// dpkgFields returns the fields that dpkg-deb reads, by lower-case name.
func dpkgFields(t *testing.T, file string) map[string]string {
	t.Helper()
	out, err := exec.Command("dpkg-deb", "-f", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	return parse(string(out))
}

// ftparchive returns the fields that apt-ftparchive writes, by package, or nil where it is not installed.
func ftparchive(t *testing.T, dir string) map[string]map[string]string {
	t.Helper()
	if _, err := exec.LookPath("apt-ftparchive"); err != nil {
		t.Log("apt-ftparchive is not installed: its judgement is missing")
		return nil
	}
	out, err := exec.Command("apt-ftparchive", "packages", dir).Output()
	if err != nil {
		t.Fatal(err)
	}
	packages := map[string]map[string]string{}
	for stanza := range strings.SplitSeq(strings.TrimSpace(string(out)), "\n\n") {
		f := parse(stanza)
		packages[f["package"]] = f
	}
	return packages
}

// parse reads a stanza simply: values without the white space around them, by lower-case name.
func parse(stanza string) map[string]string {
	f := map[string]string{}
	last := ""
	for line := range strings.SplitSeq(strings.Trim(stanza, "\n"), "\n") {
		if line[0] == ' ' || line[0] == '\t' {
			f[last] += "\n" + line
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		last = strings.ToLower(name)
		f[last] = strings.TrimSpace(value)
	}
	return f
}
