package main_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"repomill/testdata/proctest"
)

// An aptRoot is an apt with a root of its own.
type aptRoot struct{ proctest.Apt }

// newApt returns an apt for one architecture and, perhaps, foreign ones.
func newApt(t *testing.T, arch string, foreign ...string) aptRoot {
	t.Helper()
	return aptRoot{proctest.NewApt(t, arch, foreign...)}
}

// download downloads packages, given as NAME or NAME=VERSION, and returns the digests of all that was ever downloaded.
func (a aptRoot) download(t *testing.T, packages ...string) (sha256 []string) {
	t.Helper()
	a.Download(t, packages...)
	return digests(t, a.Dir+"/cache/archives/*.deb")
}

// digests returns the sorted SHA-256 of the files that match a pattern.
func digests(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	set := map[string]bool{}
	for _, p := range paths {
		b, err := os.ReadFile(p)
		if err != nil {
			t.Fatal(err)
		}
		set[digest(b)] = true
	}
	return slices.Sorted(maps.Keys(set))
}

// versions returns the versions of a package that apt knows, in its order: the newest first.
func (a aptRoot) versions(t *testing.T, name string) (versions []string) {
	t.Helper()
	out := a.Run(t, "apt-cache", "madison", name)
	for line := range strings.Lines(out.Stdout) {
		if f := strings.Split(line, "|"); len(f) == 3 && strings.HasSuffix(strings.TrimSpace(f[2]), "Packages") {
			versions = append(versions, strings.TrimSpace(f[1]))
		}
	}
	return versions
}
