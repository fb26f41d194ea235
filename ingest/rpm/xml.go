package rpm

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxFragment is the most bytes of one index fragment. A header within its limits can ask for far
// more: one long directory name, half a million files in it.
const maxFragment = 64 << 20

// A fragment is XML in the making, spelled as libxml2 spells it for createrepo_c: two blanks for each
// level, and one element a line. Beyond maxFragment it takes nothing more.
type fragment struct {
	b      []byte
	indent int
	over   bool
}

// start opens an element with attributes, given as names and values in turn.
func (f *fragment) start(name string, attributes ...string) {
	f.tag(name, attributes, ">\n")
	f.indent++
}

// end closes an element that start opened.
func (f *fragment) end(name string) {
	f.indent--
	f.add(strings.Repeat("  ", f.indent), "</", name, ">\n")
}

// empty writes an element that has attributes alone.
func (f *fragment) empty(name string, attributes ...string) { f.tag(name, attributes, "/>\n") }

// element writes an element that has text. It has an end tag even if the text is empty.
func (f *fragment) element(name, text string, attributes ...string) {
	f.tag(name, attributes, ">")
	f.add(textEscaper.Replace(text), "</", name, ">\n")
}

func (f *fragment) tag(name string, attributes []string, close string) {
	f.add(strings.Repeat("  ", f.indent), "<", name)
	for i := 0; i+1 < len(attributes); i += 2 {
		f.add(" ", attributes[i], `="`, escapeAttribute(attributes[i+1]), `"`)
	}
	f.add(close)
}

func (f *fragment) add(parts ...string) {
	for _, s := range parts {
		if f.over = f.over || len(f.b)+len(s) > maxFragment; f.over {
			return
		}
		f.b = append(f.b, s...)
	}
}

var textEscaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\r", "&#13;")

// escapeAttribute writes all that is not ASCII as a number: createrepo_c's attributes belong to no
// document that could have an encoding.
func escapeAttribute(s string) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r >= utf8.RuneSelf || strings.ContainsRune("&<>\"\t\n\r", r) }) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '&':
			b.WriteString("&amp;")
		case r == '<':
			b.WriteString("&lt;")
		case r == '>':
			b.WriteString("&gt;")
		case r == '"':
			b.WriteString("&quot;")
		case r == '\t' || r == '\n' || r == '\r':
			fmt.Fprintf(&b, "&#%d;", r)
		case r >= utf8.RuneSelf:
			fmt.Fprintf(&b, "&#x%X;", r)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}
