package rpm_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
	"repomill/testdata/rpmtest"
)

// worstPayloads unpack to much, or ask for much.
func worstPayloads(t testing.TB) map[string][]byte {
	const n = 100_000
	many := make([]listed, n)
	members := make([]member, 0, n+1)
	for i := range many {
		many[i].path = "/usr/share/" + string([]byte{'a' + byte(i%26), 'a' + byte(i/26%26), 'a' + byte(i/676%26), 'a' + byte(i/17576)})
		many[i].inode = uint32(1 + i/3)
	}
	for i := range many { // backwards, so that each has to be looked up
		members = append(members, member{name: "." + many[n-1-i].path})
	}
	archive := archiveOf(append(members, trailer)...)
	return map[string][]byte{
		"100,000 files, backwards, of 3 names":   withPayload(t, list(many...), "gzip", packed("gzip", archive)),
		"100,000 files in order, and none found": withPayload(t, list(many...), "zstd", packed("zstd", soundCPIO)),
	}
}

// No payload makes its reader take more memory than a header may, beyond the window of a decompressor.
func TestWorstPayloads(t *testing.T) {
	for name, b := range worstPayloads(t) {
		t.Run(name, func(t *testing.T) {
			err := meter.Measure(t, len(b), func() error { return drain(b) })
			if rej, ok := errors.AsType[*catalog.Rejection](err); err != nil && (!ok || rej.Reason == catalog.ParserPanic) {
				t.Error(err)
			}
		})
	}
}

// What a payload unpacks to is not kept: 48 MiB take no more memory than the window of a decompressor.
func TestPayloadsAreUnpackedAsStreams(t *testing.T) {
	const most = 32 << 20
	body := string(bytes.Repeat([]byte("0123456789abcdef"), 3<<20))
	f := listed{path: "/usr/share/f", body: body}
	for _, c := range []string{"gzip", "zstd", "xz"} {
		b := withPayload(t, list(f), c, packed(c, archived(f)))
		var err error
		if got := intaketest.Allocated(func() { err = drain(b) }); err != nil || got > most {
			t.Errorf("%s: %d bytes were allocated, %v; want at most %d", c, got, err, most)
		}
	}
}

// What unpacks to more than a gigabyte, and more than it may for its size, is not unpacked further.
func TestABombIsNotUnpacked(t *testing.T) {
	const size = 1<<30 + 64<<20
	var b bytes.Buffer
	z, err := zstd.NewWriter(&b, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest))
	if err != nil {
		t.Fatal(err)
	}
	z.Write(archiveOf(dirMember, member{name: aMember.name, size: size})) //nolint:errcheck // into memory
	for range size >> 20 {
		z.Write(make([]byte, 1<<20)) //nolint:errcheck // likewise
	}
	z.Close() //nolint:errcheck // likewise
	files := list(sound...)
	bomb := withPayload(t, func(m map[uint32]rpmtest.Entry) {
		files(m)
		m[1028] = rpmtest.Entry{Type: 4, Count: 3, Data: []byte{0, 0, 0, 0, 0x44, 0, 0, 0, 0, 0, 0, 1}}
	}, "zstd", b.Bytes())
	checkVerdict(t, drain(bomb), catalog.TooLarge, "unpacks to more than")
}

// What it costs to read a package, and to unpack its payload, in bytes as they lie in the file.
func BenchmarkPayload(b *testing.B) {
	r := rand.New(rand.NewPCG(2, 2026))
	words := make([]string, 5000)
	for i := range words {
		words[i] = fmt.Sprintf("%x ", r.Uint32N(1<<(8+r.Uint32N(24))))
	}
	var text strings.Builder
	for text.Len() < 64<<20 { // of which a third is left
		text.WriteString(words[r.IntN(1+r.IntN(len(words)))])
	}
	f := listed{path: "/usr/share/text", body: text.String()}
	for _, c := range []string{"gzip", "xz", "zstd"} {
		file := withPayload(b, list(f), c, packed(c, archived(f)))
		for name, read := range map[string]func([]byte) error{"structure": func(file []byte) error { return readPayload(file, false) }, "whole": drain} {
			b.Run(c+"/"+name, func(b *testing.B) {
				b.SetBytes(int64(len(file)))
				for b.Loop() {
					if err := read(file); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
