package versus_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
)

// seededSites are made once for all benchmarks: a row costs up to half a millisecond.
var seededSites = map[string]*site{}

// seeded returns a site with so many rows in one release, and nothing published.
func seeded(b *testing.B, r catalog.Release, count int, rows func() corpus.Rows) *site {
	b.Helper()
	name := fmt.Sprintf("seeded-%s-%d", r.Distribution.OS, count)
	s := seededSites[name]
	if s == nil {
		s = newSite(b, name)
		start := time.Now()
		corpus.Seed(b, s.data, r, rows())
		b.Logf("%d rows of %s made in %s", count, r, time.Since(start).Round(time.Second))
		s.ofRows(count)
		copyFile(b, filepath.Join(s.data, "catalog.db"), s.data+".db")
		seededSites[name] = s
	}
	s.reset(b)
	return s
}

// rowsOf returns rows for a release.
func rowsOf(b *testing.B, r catalog.Release, count int) func() corpus.Rows {
	return func() corpus.Rows {
		if r.Arch == "" {
			return packages.DebRows(count)
		}
		return packages.RPMRows(b, count)
	}
}

// reset takes a site back to its rows: nothing pushed, nothing published, nothing cached.
func (s *site) reset(b *testing.B) {
	b.Helper()
	s.kill()
	entries, err := os.ReadDir(s.data)
	if err != nil {
		b.Fatal(err)
	}
	for _, e := range entries {
		if e.Name() != "bucket" && e.Name() != "signing-key.asc" {
			remove(b, filepath.Join(s.data, e.Name()))
		}
	}
	for _, pattern := range []string{".*", "*/*/*/dists", "*/*/*/*/*/repodata"} {
		matches, err := filepath.Glob(filepath.Join(s.data, "bucket", pattern))
		if err != nil {
			b.Fatal(err)
		}
		for _, m := range matches {
			remove(b, m)
		}
	}
	copyFile(b, s.data+".db", filepath.Join(s.data, "catalog.db"))
}

func copyFile(b *testing.B, from, to string) {
	b.Helper()
	in, err := os.Open(from)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		b.Fatal(err)
	}
	if _, err := io.Copy(out, in); err != nil {
		b.Fatal(err)
	}
	if err := out.Close(); err != nil {
		b.Fatal(err)
	}
}
