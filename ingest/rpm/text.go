package rpm

import (
	"strings"
	"unicode/utf8"
)

// clean returns free text as an index, a database and a page can all carry it. Text that is not UTF-8
// is taken as Latin-1, whose control characters are dropped, as createrepo_c does. What XML cannot
// have (control characters other than tab and line ends, U+FFFE, U+FFFF) becomes U+FFFD, where
// createrepo_c drops the package or writes XML that no parser accepts.
func clean(s string) string {
	return strings.Map(func(r rune) rune {
		if forbidden(r) && r != '\t' && r != '\n' && r != '\r' {
			return utf8.RuneError
		}
		return r
	}, decode(s))
}

// forbidden reports whether r is a control character of ASCII, or no character.
func forbidden(r rune) bool { return r < 0x20 || r == 0xFFFE || r == 0xFFFF }

// decode returns s in UTF-8.
func decode(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	b := make([]byte, 0, len(s)+len(s)/2)
	for i := range len(s) {
		if c := s[i]; c < 0x80 || c >= 0xC0 {
			b = utf8.AppendRune(b, rune(c))
		}
	}
	return string(b)
}

// strict returns s in UTF-8, and whether it can stand for itself: names of files and dependencies are
// compared, so that no character of theirs may be replaced.
func strict(s string) (string, bool) {
	s = decode(s)
	return s, !strings.ContainsFunc(s, func(r rune) bool { return forbidden(r) || r == 0x7F })
}
