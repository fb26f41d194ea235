package command

import "strings"

// Printable returns a text with a question mark for each control character: what somebody called a file must not move
// the cursor of a terminal, nor look like another line.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return '?'
		}
		return r
	}, s)
}
