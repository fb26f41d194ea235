package rpm_test

import (
	"bytes"
	"fmt"
	"io"
	"testing"

	"repomill/ingest/rpm"
	"repomill/testdata/corpus"
	"repomill/testdata/rpmtest"
)

// BenchmarkRead is all that is done with one package: Peek, Body and Describe.
func BenchmarkRead(b *testing.B) {
	small := rpmtest.Spec{Requires: []string{"libc.so.6", "bash >= 4"}, Files: map[string]string{"/usr/bin/hello": "x"}}
	large := rpmtest.Spec{Files: map[string]string{}}
	for i := range 100_000 {
		large.Files[fmt.Sprintf("/usr/share/hello/%03d/file-with-a-name-%d", i/1000, i)] = ""
	}
	_, typical := corpus.Corpus{Seed: 4}.RPM(b, 0)
	for name, pkg := range map[string][]byte{"small": rpmtest.Build(b, small), "typical": typical, "100000-files": rpmtest.Build(b, large)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := rpm.Peek(bytes.NewReader(pkg))
				if err != nil {
					b.Fatal(err)
				}
				c := p.Identity()
				if _, err := io.Copy(io.Discard, p.Body()); err != nil {
					b.Fatal(err)
				}
				if err := p.Describe(&c); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
