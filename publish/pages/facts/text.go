package facts

import (
	"strings"
	"unicode/utf8"
)

// cut returns s if it has up to max bytes. Else it returns its beginning, with "…" at the end: max bytes together, or a few less.
func cut(s string, max int) string {
	const ellipsis = "…"
	if len(s) <= max {
		return s
	}
	n := max - len(ellipsis)
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + ellipsis
}

// line returns s as a text of one line within its bound: white space of any length becomes one blank.
func line(s string) string {
	s = strings.TrimSpace(s)
	if strings.ContainsAny(s, "\n\r\t\v\f") || strings.Contains(s, "  ") {
		s = strings.Join(strings.Fields(cut(s, 4*MaxLine)), " ")
	}
	return cut(s, MaxLine)
}

// valid returns b as a string in UTF-8.
func valid(b []byte) string { return strings.ToValidUTF8(string(b), "\uFFFD") }

// A paragrapher joins the lines of a description that belong together.
type paragrapher struct {
	b     strings.Builder
	empty bool // an empty line is due
	open  bool // the last line may be continued
	last  int  // bytes of the last line, as it was written
}

// blank ends a paragraph.
func (p *paragrapher) blank() { p.empty, p.open = p.b.Len() > 0, false }

// verbatim adds a line that stays as it is.
func (p *paragrapher) verbatim(s string) {
	p.begin()
	p.b.WriteString(s)
	p.open = false
}

// flow adds a line of running text. It continues the last one, unless it begins an item of a list. With hard, it continues the
// last line only if that was too long to have its first word, too.
func (p *paragrapher) flow(s string, hard bool) {
	first, _, _ := strings.Cut(s, " ")
	switch {
	case p.open && !bullet(first) && (!hard || p.last+1+len(first) > wrapped):
		p.b.WriteByte(' ')
	default:
		p.begin()
	}
	p.b.WriteString(s)
	p.open, p.last = true, len(s)
}

// wrapped is the least width in bytes at which people wrap text.
const wrapped = 64

// begin starts a line, behind an empty one if that is due.
func (p *paragrapher) begin() {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	if p.empty {
		p.b.WriteByte('\n')
	}
	p.empty = false
}

func (p *paragrapher) full() bool { return p.b.Len() > MaxText }

func (p *paragrapher) text() string { return cut(p.b.String(), MaxText) }

func bullet(word string) bool {
	switch word {
	case "-", "*", "+", "o", "•", "–":
		return true
	}
	return false
}
