package deb_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"testing"

	"repomill/ingest/deb"
	"repomill/schemas/catalog"
	"repomill/testdata/corpus"
)

// BenchmarkRead is all that is done with one small package: Peek, Body and Describe.
func BenchmarkRead(b *testing.B) {
	var all [][]byte
	var sums []string
	for i := range 50 {
		_, file := corpus.Corpus{Seed: 4}.Deb(i)
		sum := sha256.Sum256(file)
		all, sums = append(all, file), append(sums, hex.EncodeToString(sum[:]))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		file := all[i%len(all)]
		p, err := deb.Peek(bytes.NewReader(file))
		if err != nil {
			b.Fatal(err)
		}
		c := p.Identity()
		if _, err := io.Copy(io.Discard, p.Body()); err != nil {
			b.Fatal(err)
		}
		c.File = catalog.File{Size: int64(len(file)), SHA256: sums[i%len(all)]}
		if err := p.Describe(&c); err != nil {
			b.Fatal(err)
		}
		p.Close()
		i++
	}
}
