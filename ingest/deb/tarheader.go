package deb

import (
	"bytes"
	"math"
)

const tarBlock = 512 // bytes

// A tarHeader is what dpkg reads of the header of a member of data.tar.
type tarHeader struct {
	name, link string
	kind       byte
	size       int64 // bytes of content, of any kind
}

// decodeHeader reads a header as dpkg does (lib/dpkg/tarfn.c, tar_header_decode). problem says, as a sentence without its
// subject, what it stops at.
func decodeHeader(b []byte) (h tarHeader, problem string) {
	h = tarHeader{name: text(b[:100]), link: text(b[157:257]), kind: b[156]}
	if prefix := text(b[345:500]); string(b[257:263]) == "ustar\x00" && prefix != "" {
		h.name = prefix + "/" + h.name
	}
	if sum, ok := octal(b[148:156]); !ok || sum != checksum(b) {
		return h, "has a header with a wrong checksum"
	}
	var ok bool
	if h.size, ok = tarNumber(b[124:136], 0, math.MaxInt64); !ok {
		return h, "has a header with an impossible size"
	}
	// It reads the mode, too, and does not look whether that is a number.
	for _, f := range []struct {
		name       string
		begin, end int
		low, high  int64
	}{{"time", 136, 148, math.MinInt64, math.MaxInt64}, {"owner", 108, 116, 0, math.MaxUint32}, {"group", 116, 124, 0, math.MaxUint32}} {
		if _, ok := tarNumber(b[f.begin:f.end], f.low, f.high); !ok {
			return h, "has a header whose " + f.name + " is not a number, or out of range"
		}
	}
	return h, ""
}

// text returns what is before the first NUL.
func text(b []byte) string {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		b = b[:i]
	}
	return string(b)
}

// checksum is the sum of the bytes of a header, with blanks in the place of the sum itself.
func checksum(header []byte) int64 {
	sum := int64(8 * ' ')
	for i, c := range header {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum
}

// tarNumber reads octal digits, or a binary number in two's complement, which begins with 0x80 or, below zero, with 0xff.
func tarNumber(b []byte, low, high int64) (int64, bool) {
	if b[0] != 0x80 && b[0] != 0xff {
		return octal(b)
	}
	sign := byte(0)
	if b[0] == 0xff {
		sign = 0xff
	}
	for b = b[1:]; len(b) > 8; b = b[1:] {
		if b[0] != sign {
			return 0, false
		}
	}
	n := uint64(int64(int8(sign)))
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	if len(b) == 8 && b[0]&0x80 != sign&0x80 {
		return 0, false
	}
	return int64(n), int64(n) >= low && int64(n) <= high
}

// octal reads a number of at most twelve digits, with blanks before it and blanks or NULs behind it.
func octal(b []byte) (int64, bool) {
	if b = bytes.TrimLeft(b, " "); len(b) == 0 {
		return 0, false
	}
	n := int64(0)
	for len(b) > 0 && b[0] != 0 && b[0] != ' ' {
		if b[0] < '0' || b[0] > '7' {
			return 0, false
		}
		n, b = n<<3|int64(b[0]-'0'), b[1:]
	}
	return n, len(bytes.Trim(b, " \x00")) == 0
}
