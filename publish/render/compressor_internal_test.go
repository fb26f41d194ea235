package render

import (
	"bytes"
	"fmt"
	"io"
	"testing"
)

// Equal texts lie once in the scratch, whichever segment has them; others lie beside them.
func TestCompressorSharesEqualTexts(t *testing.T) {
	to, err := newScratch(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer to.close()
	var segments []*segment
	sizes := map[string]int64{}
	for _, of := range []string{"none", "share"} {
		before := to.size.Load()
		c := newCompressor(to)
		if of == "share" {
			c = c.share()
		}
		for i := range 12 {
			s := &segment{}
			c.put(s, bytes.NewBufferString(fmt.Sprintf("Package: p%d\nArchitecture: all\n", i%3)), nil)
			segments = append(segments, s)
		}
		if err := c.wait(); err != nil {
			t.Fatal(err)
		}
		sizes[of] = to.size.Load() - before
	}
	if sizes["none"] != 4*sizes["share"] {
		t.Errorf("%d bytes shared, %d else", sizes["share"], sizes["none"])
	}
	for i, s := range segments {
		text, err := io.ReadAll(to.read([]extent{s.text}))
		if want := fmt.Sprintf("Package: p%d\nArchitecture: all\n", i%12%3); err != nil || string(text) != want || s.member.size == 0 {
			t.Errorf("segment %d has %q, %v", i, text, err)
		}
	}
}
