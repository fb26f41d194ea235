package rpm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanText returns text for people as an index, a database and a page can have it. Text that is not UTF-8 is read as
// Latin-1 without control characters, as createrepo_c does. Control characters other than tab and line ends, U+FFFE
// and U+FFFF become U+FFFD; createrepo_c keeps them, drops the package or writes XML that parsers reject.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, decode(s))
}

// isControl reports whether r is a control character, U+FFFE or U+FFFF.
func isControl(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }

// decode returns s in UTF-8. Bytes that are not UTF-8 are read as Latin-1.
func decode(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	size := 0
	for i := range len(s) {
		size += 1 + int(s[i]>>7)
	}
	b := make([]byte, 0, size)
	for i := range len(s) {
		if c := s[i]; c < 0x80 || c >= 0xC0 {
			b = utf8.AppendRune(b, rune(c))
		}
	}
	return string(b)
}

// decodeStrict returns s in UTF-8. ok is false if s has control characters: names of files and dependencies are
// compared, so none of their characters may be replaced.
func decodeStrict(s string) (_ string, ok bool) {
	s = decode(s)
	return s, !strings.ContainsFunc(s, isControl)
}

// isPrintableASCII reports whether b is printable ASCII, which needs no decoding.
func isPrintableASCII(b []byte) bool {
	for _, c := range b {
		if c < 0x20 || c >= 0x7F {
			return false
		}
	}
	return true
}

// decodeBytes is decode, without an allocation if b is UTF-8.
func decodeBytes(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(decode(string(b)))
}
