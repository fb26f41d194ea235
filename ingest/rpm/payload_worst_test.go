package rpm_test

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/intaketest"
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
	zeros := append(archiveOf(member{name: "./usr/share/t/a", size: 1<<32 - 1}), make([]byte, 64<<20)...)
	return map[string][]byte{
		"64 MiB of zeros in a file of 10 bytes":  withPayload(t, list(sound...), "gzip", packed("gzip", zeros)),
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

// What a payload unpacks to is not kept: 256 MiB take no more memory than 256 KiB.
func TestPayloadsAreUnpackedAsStreams(t *testing.T) {
	const most = 40 << 20
	body := string(bytes.Repeat([]byte("0123456789abcdef"), 16<<20))
	f := listed{path: "/usr/share/f", body: body}
	for _, c := range []string{"gzip", "zstd", "xz"} {
		b := withPayload(t, list(f), c, packed(c, archived(f)))
		var err error
		if got := intaketest.Allocated(func() { err = drain(b) }); err != nil || got > most {
			t.Errorf("%s: %d bytes were allocated, %v; want at most %d", c, got, err, most)
		}
	}
}
