package versus_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"repomill/schemas/catalog"
	"repomill/testdata/debtest"
)

// BenchmarkLarge takes one large package from staging to published, and in turn copies and hashes the same
// file.
func BenchmarkLarge(b *testing.B) {
	b.Run(fmt.Sprintf("MB=%d", sizes.bytes>>20), func(b *testing.B) {
		for b.Loop() {
			s := newSite(b, "large")
			defer remove(b, s.data)
			s.start(b)
			if err := os.MkdirAll(s.staging(jammy), 0o755); err != nil {
				b.Fatal(err)
			}
			var es, bare []expense
			for i := range sizes.large {
				file := largeDeb(b, i)
				copied := file + ".copy"
				bare = append(bare, measure(b, command(work, "cp", file, copied), command(work, "sha256sum", file)))
				remove(b, copied)
				es = append(es, s.during(b, func() { s.stage(b, jammy, file) }))
			}
			s.stop(b)
			record(b, figure{who: ours, e: median(es), note: "the running process"})
			record(b, figure{who: "cp + sha256sum", e: median(bare), bar: 1.4})
		}
	})
}

// largeDeb writes a package whose bytes do not compress.
func largeDeb(b *testing.B, i int) string {
	b.Helper()
	spec := debtest.Spec{Name: "large", Version: fmt.Sprintf("1.%d-1", i), Arch: "amd64", Size: sizes.bytes, Seed: uint64(i)}
	file := filepath.Join(work, fmt.Sprintf("large_%s_amd64.deb", spec.Version))
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	body, _ := debtest.Stream(spec)
	if _, err := io.Copy(f, body); err != nil {
		b.Fatal(err)
	}
	if err := f.Close(); err != nil {
		b.Fatal(err)
	}
	return file
}

// stage moves a file into staging, waits until its verdict says published, and removes it.
func (s *site) stage(b *testing.B, r catalog.Release, file string) {
	b.Helper()
	staged := filepath.Join(s.staging(r), filepath.Base(file))
	if err := os.Rename(file, staged); err != nil {
		b.Fatal(err)
	}
	verdict := filepath.Join(s.data, "staging", ".results", target(r), filepath.Base(file)+".json")
	for end := time.Now().Add(10 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		body, err := os.ReadFile(verdict)
		if err == nil && strings.Contains(string(body), `"published"`) {
			remove(b, staged)
			return
		}
	}
	b.Fatalf("%s was not published; the log ends with\n%s", file, s.logEnd())
}
