package rpm_test

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"repomill/schemas/catalog"
	"repomill/testdata/rpmtest"
)

// FuzzRpmHeader reads anything as a package: the answer is a rejection, or three well-formed fragments.
func FuzzRpmHeader(f *testing.F) {
	open := unsealed()
	source := forge().drop(1044).set(int32s(1106, 1))
	source.unchecked()
	gap := unsealed() // that rpm refuses
	gap.headed = func(h *forgedHeader) { h.entry(1124).offset += 2 }
	for _, b := range [][]byte{
		gap.bytes(), open.bytes(), source.bytes(), v6().bytes(), forge().bytes(),
		forge().set(str(1004, "\xff\x01\uFFFE")).bytes(),
		rpmtest.Build(f, rpmtest.Spec{Files: map[string]string{"/etc/x": "x"}}),
		{}, []byte("drpm"), open.bytes()[:200],
	} {
		f.Add(b)
	}
	f.Fuzz(checkAnswer)
}

// unsealed returns a package with all kinds of values and no digest of its main header that is checked, so that a
// change of it is seen by more than the check of digests.
func unsealed() *forgery {
	f := forge()
	f.unchecked()
	return f.set(
		value{1005, 9, 2, []byte("first\x00second\x00")}, int32s(1003, 2),
		strs(1081, "a  ", "b"), int32s(1080, 5, 5), strs(1082, "x", "y"),
		strs(5046, "r"), int32s(5048, 8), strs(5047, "1:2-3"),
	)
}

func checkAnswer(t *testing.T, b []byte) {
	c, err := read(bytes.NewReader(b))
	var rej *catalog.Rejection
	if err != nil {
		if !errors.As(err, &rej) || rej.Reason == catalog.ParserPanic {
			t.Fatalf("got error %v, want a rejection that is not a panic; package %x", err, b)
		}
		return
	}
	for _, fragment := range [][]byte{c.Primary, c.Filelists, c.Other} {
		if err := wellFormed(fragment); err != nil {
			t.Errorf("%v in\n%s", err, fragment)
		}
	}
}

// A fuzzer seldom hits the few bytes that matter: the index and its numbers.
func TestDamagedHeaders(t *testing.T) {
	whole := unsealed().bytes()
	r := rand.New(rand.NewPCG(3, 4))
	for range 15_000 {
		b := bytes.Clone(whole)
		for range 1 + r.IntN(3) {
			at := 96 + r.IntN(len(b)-96)
			b[at] = [...]byte{0, 1, 0x7F, 0x80, 0xFF, b[at] + 1, b[at] - 1, byte(r.Uint32())}[r.IntN(8)]
		}
		checkAnswer(t, b)
	}
}

func wellFormed(b []byte) error {
	d := xml.NewDecoder(bytes.NewReader(b))
	for {
		if _, err := d.Token(); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
	}
}
