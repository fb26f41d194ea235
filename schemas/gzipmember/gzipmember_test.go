package gzipmember_test

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"strings"
	"testing"

	"repomill/schemas/gzipmember"
)

// The bytes of a member are published: a change of them changes every index.
func TestAppendBytesAreStable(t *testing.T) {
	var text strings.Builder
	for i := range 300 {
		fmt.Fprintf(&text, "Package: p%d\nVersion: 1.%d\n\n", i%17, i)
	}
	sum := sha256.Sum256(gzipmember.Append(nil, []byte(text.String())))
	if got, want := hex.EncodeToString(sum[:]), "acc384a7e218d9fe102512354e6313692ff5a04feffd25fcccf0de093c37d7b0"; got != want {
		t.Errorf("SHA-256 %s, want %s: if the compressor is meant to have changed, say in the commit that every index is published again", got, want)
	}
}

func TestAnyReaderTakesARow(t *testing.T) {
	row := gzipmember.Append(gzipmember.Append(gzipmember.Append(nil, []byte("one ")), nil), []byte("two"))
	z, err := gzip.NewReader(bytes.NewReader(row))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(z); err != nil || string(got) != "one two" {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestTextIsBounded(t *testing.T) {
	m := gzipmember.Append(nil, make([]byte, 1000))
	if got, err := gzipmember.Text([]byte("x"), m, 1000); err != nil || len(got) != 1001 {
		t.Errorf("got %d bytes, %v; want 1001", len(got), err)
	}
	if _, err := gzipmember.Text(nil, m, 999); err == nil {
		t.Error("1000 bytes were within a limit of 999")
	}
	if _, err := gzipmember.Text(nil, m[:len(m)-1], 1000); err == nil {
		t.Error("a member that is cut off was read")
	}
}

func TestOneIdentityIn128IsABorder(t *testing.T) {
	borders := 0
	const n = 128 * 100
	for i := range n {
		if gzipmember.Boundary(fmt.Appendf(nil, "p%d", i), []byte("1"), []byte("amd64")) {
			borders++
		}
	}
	if borders < 70 || borders > 130 {
		t.Errorf("%d of %d identities are borders, want about %d", borders, n, n/128)
	}
	if gzipmember.Boundary([]byte("a"), []byte("b\x00c"), nil) != gzipmember.Boundary([]byte("a"), []byte("b\x00c"), []byte{}) {
		t.Error("the same identity is and is not a border")
	}
}
