package rpm

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A fragment is XML that is being written, as libxml2 formats it for createrepo_c: one element a line, indented by
// two blanks for each level. After remaining bytes it sets overflow and takes no more.
type fragment struct {
	b         []byte
	remaining int
	indent    int
	overflow  bool
}

// grow allocates room for n bytes of files and for the elements around them, or uses room if that is enough. It sets overflow if n exceeds
// what remains.
func (f *fragment) grow(n int, room []byte) {
	const around = 2 << 10
	switch f.overflow = n > f.remaining; {
	case f.overflow:
	case n+around <= cap(room):
		f.b = room[:0]
	default:
		f.b = make([]byte, 0, n+around)
	}
}

// start opens an element with attributes, given as names and values in turn.
func (f *fragment) start(name string, attributes ...string) {
	f.tag(name, attributes, ">\n")
	f.indent++
}

// end closes an element that start opened.
func (f *fragment) end(name string) {
	f.indent--
	f.write(blanks(f.indent), "</", name, ">\n")
}

// empty writes an element that has attributes alone.
func (f *fragment) empty(name string, attributes ...string) { f.tag(name, attributes, "/>\n") }

// element writes an element that has text. It has an end tag even if the text is empty.
func (f *fragment) element(name, text string, attributes ...string) {
	f.tag(name, attributes, ">")
	f.text(text)
	f.write("</", name, ">\n")
}

func (f *fragment) tag(name string, attributes []string, close string) {
	f.write(blanks(f.indent), "<", name)
	for i := 0; i+1 < len(attributes); i += 2 {
		f.write(" ", attributes[i], `="`, escapeAttribute(attributes[i+1]), `"`)
	}
	f.write(close)
}

func (f *fragment) write(parts ...string) {
	for _, s := range parts {
		if !f.reserve(len(s)) {
			return
		}
		f.b = append(f.b, s...)
	}
}

// reserve makes room for n bytes, if no more than that remain. The buffer doubles when it grows, but not beyond what
// remains.
func (f *fragment) reserve(n int) bool {
	if f.overflow = f.overflow || n > f.remaining; f.overflow {
		return false
	}
	if n > cap(f.b)-len(f.b) {
		f.b = append(make([]byte, 0, len(f.b)+max(n, min(len(f.b)+512, f.remaining))), f.b...)
	}
	f.remaining -= n
	return true
}

// file writes a path of the package, with its kind if it has one.
func (f *fragment) file(file file) {
	f.write(blanks(f.indent), "<file")
	if file.kind != "" {
		f.write(` type="`, file.kind, `"`)
	}
	f.write(">")
	f.text(file.dir)
	if utf8.Valid(file.base) {
		escape(f, file.base)
	} else {
		f.text(decode(string(file.base)))
	}
	f.write("</file>\n")
}

// blanks returns the blanks before an element of a level.
func blanks(level int) string { return "        "[:2*level] }

// text writes the text of an element.
func (f *fragment) text(s string) { escape(f, s) }

// escape writes s as the text of an element.
func escape[T string | []byte](f *fragment, s T) {
	for len(s) > 0 {
		n := 0
		for n < len(s) && entities[s[n]] == "" {
			n++
		}
		if n > 0 && f.reserve(n) {
			f.b = append(f.b, s[:n]...)
		}
		if n < len(s) {
			f.write(entities[s[n]])
			n++
		}
		if s = s[n:]; f.overflow {
			return
		}
	}
}

// entities are the escapes of the bytes that text cannot have.
var entities = [256]string{'&': "&amp;", '<': "&lt;", '>': "&gt;", '\r': "&#13;"}

// escapedInAttributes are the bytes that the value of an attribute cannot have as they are.
var escapedInAttributes = func() (is [256]bool) {
	for c := range is {
		is[c] = c >= utf8.RuneSelf || strings.IndexByte("&<>\"\t\n\r", byte(c)) >= 0
	}
	return is
}()

// escapeAttribute escapes the value of an attribute. It writes characters beyond ASCII as numbers, as createrepo_c
// does, whose attributes have no document with an encoding.
func escapeAttribute(s string) string {
	plain := true
	for i := range len(s) {
		plain = plain && !escapedInAttributes[s[i]]
	}
	if plain {
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
