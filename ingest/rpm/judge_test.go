package rpm_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

var uploaded = time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)

// read does with a package what an ingest does.
func read(r io.Reader) (catalog.Package, error) {
	p, err := rpm.Peek(r)
	if err != nil {
		return catalog.Package{}, err
	}
	c := p.Identity()
	h := sha256.New()
	n, err := io.Copy(h, p.Body())
	if err != nil {
		return catalog.Package{}, err
	}
	c.File = catalog.File{Size: n, SHA256: hex.EncodeToString(h.Sum(nil))}
	c.Uploaded = uploaded
	return c, p.Describe(&c)
}

func mustRead(t *testing.T, b []byte) catalog.Package {
	t.Helper()
	c, err := read(bytes.NewReader(b))
	if err != nil {
		t.Fatalf("read: %v", err)
	}
	return c
}

// sameAsCreaterepo fails the test where our elements of the packages differ from createrepo_c's in a byte.
func sameAsCreaterepo(t *testing.T, packages ...[]byte) {
	t.Helper()
	if _, err := exec.LookPath("createrepo_c"); err != nil {
		t.Skip("no createrepo_c to compare with")
	}
	dir := t.TempDir()
	var ours []catalog.Package
	for _, b := range packages {
		c := mustRead(t, b)
		name := filepath.Join(dir, layout.RPMName(c))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(name, uploaded, uploaded); err != nil {
			t.Fatal(err)
		}
		ours = append(ours, c)
	}
	cmd := exec.Command("createrepo_c", "--quiet", "--no-database", "--simple-md-filenames", "--general-compress-type=gz", dir)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("createrepo_c: %v\n%s", err, out)
	}
	primary, filelists, other := elements(t, dir, "primary"), elements(t, dir, "filelists"), elements(t, dir, "other")
	for _, c := range ours {
		for _, f := range []struct {
			kind      string
			got, want string
		}{
			{"primary", string(c.Primary), primary[c.File.SHA256]},
			{"filelists", string(c.Filelists), filelists[c.File.SHA256]},
			{"other", string(c.Other), other[c.File.SHA256]},
		} {
			if diff := cmp.Diff(strings.Split(f.want, "\n"), strings.Split(f.got, "\n")); diff != "" {
				t.Errorf("%s of %s (-createrepo_c +ours):\n%s", f.kind, layout.RPMName(c), diff)
			}
		}
	}
}

// transPre finds dependencies of transaction scripts: pre="1" for createrepo_c 1.2, and not for 0.17.
var transPre = regexp.MustCompile(`(name="(?:pre|post)trans-req")/>`)

// elements returns the <package> elements of an index by the digests of their packages.
func elements(t *testing.T, dir, kind string) map[string]string {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "repodata", kind+".xml.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	digest := regexp.MustCompile(`pkgid="([0-9a-f]{64})"|pkgid="YES">([0-9a-f]{64})<`)
	found := map[string]string{}
	for _, s := range strings.SplitAfter(string(b), "</package>\n") {
		i := strings.Index(s, "<package ")
		if i < 0 {
			continue
		}
		s = transPre.ReplaceAllString(s[i:], `$1 pre="1"/>`)
		m := digest.FindStringSubmatch(s)
		found[m[1]+m[2]] = s
	}
	return found
}

// rpmbuild builds a spec file and returns all packages that come out.
func rpmbuild(t *testing.T, spec string, options ...string) [][]byte {
	t.Helper()
	if _, err := exec.LookPath("rpmbuild"); err != nil {
		t.Skip("no rpmbuild to make packages with")
	}
	top := t.TempDir()
	if err := os.MkdirAll(filepath.Join(top, "SOURCES"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"mill.spec": spec, "SOURCES/mill.txt": "source\n"} {
		if err := os.WriteFile(filepath.Join(top, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	args := append(options, "--define", "_topdir "+top, "--define", "_tmppath "+top, "--define", "_buildhost build.example.org", filepath.Join(top, "mill.spec"))
	cmd := exec.Command("rpmbuild", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("rpmbuild: %v\n%s", err, out)
	}
	var names []string
	for _, pattern := range []string{"RPMS/*/*.rpm", "SRPMS/*.rpm"} {
		found, err := filepath.Glob(filepath.Join(top, pattern))
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	var packages [][]byte
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, b)
	}
	if len(packages) == 0 {
		t.Fatal(fmt.Errorf("rpmbuild made no package"))
	}
	return packages
}
