package catalogdb

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"repomill/schemas/gzipmember"
)

func TestFragmentIsUnpackedAsItWas(t *testing.T) {
	noise := func(n int) []byte {
		b := make([]byte, n)
		rand.NewChaCha8([32]byte{}).Read(b) //nolint:errcheck // never fails
		return b
	}
	line := "Package: hello\nDescription: \u00e9\n"
	var f Fragment // is reused, as by a reader of rows
	for _, text := range [][]byte{
		[]byte("x"), []byte(line), []byte(strings.Repeat(line, 300)), noise(smallText - 1), noise(smallText), noise(smallText + 1), []byte(strings.Repeat(line, 600)),
		bytes.Repeat([]byte(line), gzipmember.Oversized/len(line)+1), []byte("S"), []byte("\x1f\x8b\x08"), []byte("\x28\xb5\x2f\xfd"), nil, []byte("last"),
	} {
		column, err := pack(text)
		if err != nil {
			t.Fatalf("%d bytes: %v", len(text), err)
		}
		b, _ := column.([]byte)
		if err := f.unpack(b); err != nil || !bytes.Equal(f.Text, text) {
			t.Errorf("%d bytes, %.20q: got %d bytes, %v", len(text), text, len(f.Text), err)
		}
		if own := len(text) > gzipmember.Oversized; (f.Member != nil) != own {
			t.Errorf("%d bytes: a member of its own: %t, want %t", len(text), f.Member != nil, own)
		}
	}
}

// Rows of earlier versions have zstd frames of texts of all sizes.
func TestFragmentOfAnEarlierVersionIsUnpacked(t *testing.T) {
	text := []byte("Package: hello\nDescription: short\n")
	var f Fragment
	if err := f.unpack(encoder.EncodeAll(text, nil)); err != nil || !bytes.Equal(f.Text, text) {
		t.Errorf("got %q, %v", f.Text, err)
	}
}

// No bit of a column can change without an error.
func TestDamagedFragmentIsAnError(t *testing.T) {
	for _, text := range []string{"x", strings.Repeat("Package: hello\n", 40)} {
		column, err := pack([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		for i := range column.([]byte) {
			for bit := range 8 {
				b := slices.Clone(column.([]byte))
				b[i] ^= 1 << bit
				var f Fragment
				if err := f.unpack(b); err == nil {
					t.Errorf("byte %d, bit %d: no error", i, bit)
				}
			}
		}
		for n := 1; n < len(column.([]byte)); n++ {
			var f Fragment
			if err := f.unpack(column.([]byte)[:n]); err == nil {
				t.Errorf("cut to %d bytes: no error", n)
			}
		}
	}
}

func BenchmarkFragment(b *testing.B) {
	text := []byte(strings.Repeat("    <rpm:entry name=\"libc.so.6\" flags=\"GE\" epoch=\"0\" ver=\"2.34\"/>\n", 20))
	column, err := pack(text)
	if err != nil {
		b.Fatal(err)
	}
	b.Run("pack", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			pack(text) //nolint:errcheck // see above
		}
	})
	b.Run("unpack", func(b *testing.B) {
		b.ReportAllocs()
		var f Fragment
		for b.Loop() {
			f.unpack(column.([]byte)) //nolint:errcheck // see above
		}
	})
}
