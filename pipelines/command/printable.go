package command

import (
	"strings"
	"unicode"
)

// Printable replaces each character that is not printable with a question mark. A file name, for example, must not move
// the cursor of a terminal, change the direction of text, or begin another line.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
