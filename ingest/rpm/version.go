package rpm

import (
	"encoding/binary"
	"fmt"
	"strings"
)

// An evr is the version of a package: epoch, version and release.
type evr struct {
	epoch            uint32 // 0 if there is none
	version, release string
}

// String returns "[epoch:]version-release", without an epoch of 0.
func (v evr) String() string {
	if v.epoch == 0 {
		return v.version + "-" + v.release
	}
	return v.canonical()
}

// canonical returns "epoch:version-release".
func (v evr) canonical() string { return fmt.Sprintf("%d:%s-%s", v.epoch, v.version, v.release) }

// sortKey returns a key that orders packages by name, then as rpm orders versions, then by the exact version, then by
// architecture. Its size is less than 16 bytes and four times the size of its arguments.
func sortKey(name string, v evr, arch string) []byte {
	k := append([]byte(name), 0)
	k = binary.BigEndian.AppendUint32(k, v.epoch)
	k = appendVersion(k, v.version)
	k = appendVersion(k, v.release)
	k = append(k, v.String()...)
	k = append(k, 0)
	return append(k, arch...)
}

// Tokens of an encoded version, in rpm's order: "1.0~rc" < "1.0" < "1.0^git" < "1.0a" < "1.0.1".
const (
	tokenTilde   = 0x01
	tokenEnd     = 0x02
	tokenCaret   = 0x03
	tokenLetters = 0x04 // letters, 0x00
	tokenDigits  = 0x05 // number of digits in two bytes, digits without leading zeros
)

// appendVersion appends an encoding of s, a version or a release of at most 65,535 bytes. The encodings order as
// rpmvercmp orders versions: token by token; a character that is not a letter, a digit, '~' or '^' separates tokens.
// An encoding is never the prefix of another.
func appendVersion(k []byte, s string) []byte {
	for s != "" {
		switch c := s[0]; {
		case c == '~':
			k, s = append(k, tokenTilde), s[1:]
		case c == '^':
			k, s = append(k, tokenCaret), s[1:]
		case isDigit(c):
			digits, rest := span(s, isDigit)
			digits = strings.TrimLeft(digits, "0")
			k = binary.BigEndian.AppendUint16(append(k, tokenDigits), uint16(len(digits)))
			k, s = append(k, digits...), rest
		case isLetter(c):
			letters, rest := span(s, isLetter)
			k = append(append(k, tokenLetters), letters...)
			k, s = append(k, 0), rest
		default:
			s = s[1:]
		}
	}
	return append(k, tokenEnd)
}

// span splits s after its first bytes that are in class.
func span(s string, class func(byte) bool) (head, tail string) {
	i := 0
	for i < len(s) && class(s[i]) {
		i++
	}
	return s[:i], s[i:]
}

// The character classes of rpm are those of ASCII in every locale.
func isDigit(c byte) bool  { return '0' <= c && c <= '9' }
func isLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }
