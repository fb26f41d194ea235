package rpm

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// cleanText returns free text as an index, a database and a page can all carry it. Text that is not UTF-8
// is taken as Latin-1, whose control characters are dropped, as createrepo_c does. What XML cannot
// have or a terminal acts upon (control characters other than tab and line ends, U+FFFE, U+FFFF) becomes
// U+FFFD, where createrepo_c keeps it, drops the package or writes XML that no parser accepts.
func cleanText(s string) string {
	return strings.Map(func(r rune) rune {
		if isControl(r) && r != '\t' && r != '\n' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, decode(s))
}

// isControl reports whether r is a control character or no character.
func isControl(r rune) bool { return unicode.IsControl(r) || r == 0xFFFE || r == 0xFFFF }

// decode returns s in UTF-8.
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

// decodeStrict returns s in UTF-8, and whether it can stand for itself: names of files and dependencies are
// compared, so that no character of theirs may be replaced.
func decodeStrict(s string) (string, bool) {
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

// decodeBytes is decode without an allocation where there is nothing to do.
func decodeBytes(b []byte) []byte {
	if utf8.Valid(b) {
		return b
	}
	return []byte(decode(string(b)))
}
