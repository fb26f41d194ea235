package catalog

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// MaxDescription is how many characters the description of a repository has at most.
const MaxDescription = 300

// CheckDescription returns an error for a text that no description of a repository may be: one with more than one line, with
// characters that cannot be seen, or with more of them than [MaxDescription]. An empty text is none.
func CheckDescription(text string) error {
	switch {
	case !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }):
		return fmt.Errorf("description %.80q: use one line of printable UTF-8", text)
	case text != strings.TrimSpace(text):
		return fmt.Errorf("description %.80q: remove the space at its begin and end", text)
	case utf8.RuneCountInString(text) > MaxDescription:
		return fmt.Errorf("description %.80q…: it has %d characters; use at most %d", text, utf8.RuneCountInString(text), MaxDescription)
	}
	return nil
}
