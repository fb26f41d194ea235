package debtest

import (
	"bytes"
	"strconv"
	"strings"
	"testing"
)

// Members takes an archive apart.
func Members(t testing.TB, b []byte) (all []Member) {
	t.Helper()
	const headerSize = 60
	b, ok := bytes.CutPrefix(b, []byte("!<arch>\n"))
	for ok && len(b) >= headerSize {
		size, err := strconv.Atoi(strings.TrimSpace(string(b[48:58])))
		if err != nil || headerSize+size > len(b) {
			t.Fatal("this is not an archive")
		}
		all = append(all, Member{strings.TrimRight(string(b[:16]), " "), b[headerSize : headerSize+size]})
		b = b[min(len(b), headerSize+size+size&1):]
	}
	return all
}

// Sign returns package b with the signature of debsigs behind its members: one of what is in them.
func Sign(t testing.TB, b []byte, sign func(content []byte) []byte) []byte {
	t.Helper()
	members := Members(t, b)
	var content []byte
	for _, m := range members {
		content = append(content, m.Body...)
	}
	return Ar(append(members, Member{"_gpgorigin", sign(content)})...)
}
