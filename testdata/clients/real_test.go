package clients_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"repomill/ingest/deb"
	"repomill/ingest/rpm"
	"repomill/schemas/catalog"
	"repomill/schemas/gzipmember"
	"repomill/testdata/debtest"
	"repomill/testdata/rpmtest"
)

// A realPackage is a package that clients can download.
type realPackage struct{ name, path, sha256 string }

func newReal(t *testing.T, name string, body []byte) realPackage {
	t.Helper()
	return realPackage{name, write(t, t.TempDir(), name+".package", string(body)), sha256Of(string(body))}
}

// The names of real packages. Those of borders get a number with which a member begins with them.
const (
	first  = "0-first" // the first package of all, alone in its member: the next one begins one too
	second = "0-second"
	inside = "m-border"   // the last of its member,
	border = "m-border-x" // which begins the next one
	last   = "zz-last"    // the last package of all, alone in its member
	more   = "m-more"     // comes later
)

// A maker makes a small real package of a name.
type maker func(t *testing.T, name string) (body []byte, p catalog.Package)

// makeDEB makes a package for all architectures.
func makeDEB(t *testing.T, name string) ([]byte, catalog.Package) {
	t.Helper()
	body := debtest.Build(t, debtest.Spec{Name: name, Control: "gz", Data: "gz", Size: 1000})
	p, err := deb.Peek(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return body, p.Identity()
}

func makeRPM(t *testing.T, name string) ([]byte, catalog.Package) {
	t.Helper()
	body := rpmtest.Build(t, rpmtest.Spec{Name: name, Files: map[string]string{"/usr/share/" + name + "/file": "x"}})
	p, err := rpm.Peek(bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	return body, p.Identity()
}

// realPackages makes packages that come first, last, and where members begin and end.
func realPackages(t *testing.T, make maker) (all []realPackage) {
	t.Helper()
	for _, want := range []struct {
		name   string
		border bool
	}{{first, false}, {second, true}, {inside, false}, {border, true}, {last, true}} {
		all = append(all, find(t, make, want.name, want.border))
	}
	return slices.Clip(all) // tests append to it at the same time
}

// find makes a package whose name begins with this one, and which begins a member or does not.
func find(t *testing.T, make maker, name string, border bool) realPackage {
	t.Helper()
	for i := range 10_000 {
		name := name
		if i > 0 || border {
			name = fmt.Sprintf("%s%d", name, i)
		}
		if body, p := make(t, name); gzipmember.Boundary([]byte(p.Name), []byte(p.Canonical), []byte(p.Arch)) == border {
			return newReal(t, name, body)
		}
	}
	t.Fatalf("no %s is a border: %t", name, border)
	return realPackage{}
}

// sha256Of returns the digest of some bytes, in hexadecimal digits.
func sha256Of(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// digests returns the SHA-256 of the files that match a pattern, in the order of their names.
func digests(t *testing.T, pattern string) (all []string) {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, sha256Of(string(b)))
	}
	return all
}
