package command

import (
	"strings"
	"unicode"
)

// Printable returns a text with a question mark for each character that is not to be seen: what somebody called a
// file must not move the cursor of a terminal, change the order of what stands there, nor look like another line.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
