package deb

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// clean returns a control file as an index can carry it: dpkg installs packages with text of any encoding, and one
// stanza must not change how a client reads the next, nor a terminal. The package itself stays as it is.
//
// A line that is not UTF-8 (Debian Policy 5.1) is taken as Latin-1. Carriage returns at line ends are dropped.
// Control characters other than newline and tab, and the separators at which some programs start a new line,
// become U+FFFD. Names, versions and relations do not allow that character. NUL is refused: programs written in C
// end the line there.
func clean(b []byte) (string, error) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return "", input.Reject(catalog.BadField, "control file, line %d: there is a NUL byte, at which some programs stop reading; remove it", bytes.Count(b[:i], []byte("\n"))+1)
	}
	if tidy(b) {
		return string(b), nil
	}
	var out strings.Builder
	for line := range bytes.Lines(b) {
		end := ""
		if n := len(line) - 1; line[n] == '\n' {
			line, end = bytes.TrimRight(line[:n], "\r"), "\n"
		}
		out.WriteString(strings.Map(visible, decode(line)) + end)
	}
	return out.String(), nil
}

// tidy reports whether all of b is printable ASCII, tabs and newlines, as of nearly every package.
func tidy(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && r != '\t' })
}

// decode returns a line in UTF-8.
func decode(line []byte) string {
	if utf8.Valid(line) {
		return string(line)
	}
	runes := make([]rune, len(line))
	for i, c := range line {
		runes[i] = rune(c)
	}
	return string(runes)
}

// visible replaces control characters and separators of lines.
func visible(r rune) rune {
	if unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029' {
		return utf8.RuneError
	}
	return r
}
