package deb

import (
	"bytes"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A field is one field of a control file (deb-control(5)).
type field struct {
	name string // as written; names are compared without case
	text string // the whole field as written: name, colon and all its lines, each with its newline
}

// value returns the value without the white space around it. Inner lines are unchanged.
func (f field) value() string { return strings.Trim(f.text[len(f.name)+1:], " \t\n") }

// beginsBelow reports whether the line of the field's name has no value.
func (f field) beginsBelow() bool {
	return strings.HasPrefix(strings.TrimLeft(f.text[len(f.name)+1:], " \t"), "\n")
}

// fields are the fields of one control file, in order. Their names are different.
type fields []field

// get returns the value of the field of this name, or "" where there is none.
func (fs fields) get(name string) string {
	if i := fs.index(name); i >= 0 {
		return fs[i].value()
	}
	return ""
}

// oneLine reports whether the field of this name is there and has one line.
func (fs fields) oneLine(name string) bool {
	i := fs.index(name)
	return i >= 0 && strings.Count(fs[i].text, "\n") == 1
}

func (fs fields) index(name string) int {
	return slices.IndexFunc(fs, func(f field) bool { return strings.EqualFold(f.name, name) })
}

// parseControl reads a control file of exactly one stanza (deb-control(5)). Like dpkg it accepts empty lines around
// it, and requires a newline at its end. The error is a rejection.
func parseControl(b []byte) (fields, error) {
	text, err := cleanText(b)
	if err != nil {
		return nil, err
	}
	if !strings.HasSuffix(text, "\n") {
		return nil, input.Reject(catalog.Malformed, "the last line of the control file has no newline, and dpkg refuses that; add one")
	}
	var fs fields
	names := map[string]bool{}
	rest := strings.Trim(text, "\n") + "\n"
	for n := 1; rest != ""; n++ {
		line := rest[:strings.IndexByte(rest, '\n')+1]
		if strings.Trim(line, " \t\n") == "" {
			return nil, input.Reject(catalog.Malformed, "control file, line %d of the stanza: the line is blank; write \" .\" for an empty line of a description, and one stanza only", n)
		}
		size := len(line) + continuation(rest[len(line):])
		f, err := parseField(line, rest[:size])
		if err != nil {
			return nil, err
		}
		n += strings.Count(f.text, "\n") - 1
		rest = rest[size:]
		key := strings.ToLower(f.name)
		if names[key] {
			return nil, input.Reject(catalog.Malformed, "the control file has the field %s twice; keep one", input.Quote(f.name))
		}
		names[key] = true
		fs = append(fs, f)
	}
	if last := fs[len(fs)-1]; last.value() == "" && !strings.HasSuffix(text, "\n\n") { // a line was read, and it was not blank: there is a field
		return nil, input.Reject(catalog.Malformed, "the control file ends with an empty field %s, and dpkg refuses that without a blank line behind it; remove the field", input.Quote(last.name))
	}
	return fs, nil
}

// continuation returns the number of bytes at the start of s that continue a field: lines that start with white space
// and are not blank.
func continuation(s string) int {
	n := 0
	for n < len(s) && (s[n] == ' ' || s[n] == '\t') {
		end := n + strings.IndexByte(s[n:], '\n') + 1
		if strings.Trim(s[n:end], " \t\n") == "" {
			break
		}
		n = end
	}
	return n
}

// parseField reads a field, given its first line and its whole text.
func parseField(line, text string) (field, error) {
	name, _, ok := strings.Cut(line, ":")
	switch {
	case line[0] == ' ' || line[0] == '\t':
		return field{}, input.Reject(catalog.Malformed, "the control file starts with a continuation line %s; start with a field", input.Quote(line))
	case line[0] == '#':
		return field{}, input.Reject(catalog.Malformed, "the control file has a comment %s, which a binary package cannot have; remove it", input.Quote(line))
	case !ok:
		return field{}, input.Reject(catalog.Malformed, "the control file has a line without a colon: %s", input.Quote(line))
	case len(name) > maxFieldName:
		return field{}, input.Reject(catalog.TooLarge, "the control file has a field name of %d bytes, %s; the limit is %d", len(name), input.Quote(name), maxFieldName)
	case !validFieldName(name):
		return field{}, input.Reject(catalog.Malformed, "the control file has a field named %s; use at least two printable ASCII characters without spaces, not starting with a hyphen", input.Quote(name))
	}
	return field{name: name, text: text}, nil
}

func validFieldName(name string) bool {
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	return len(name) >= 2 && name[0] != '-' && !strings.ContainsFunc(name, odd)
}

// repositoryField reports whether a field has what only a repository can know. Such a field is not copied into an
// index.
func repositoryField(name string) bool {
	switch name = strings.ToLower(name); name {
	case "filename", "msdos-filename", "size", "md5sum":
		return true
	}
	digits, ok := strings.CutPrefix(name, "sha")
	return ok && digits != "" && strings.Trim(digits, "0123456789") == ""
}

// cleanText returns a control file as an index can have it. dpkg installs packages with text of any encoding, but a
// stanza must not change how a client reads the next one, or how a terminal works. The package itself is not changed.
//
// A line that is not UTF-8 (Debian Policy 5.1) is read as Latin-1. Carriage returns at line ends are dropped. Control
// characters other than newline and tab, and the separators at which some programs begin a new line, become U+FFFD,
// which names, versions and relations do not allow. NUL is rejected: programs written in C end the line there.
func cleanText(b []byte) (string, error) {
	if i := bytes.IndexByte(b, 0); i >= 0 {
		return "", input.Reject(catalog.BadField, "control file, line %d: there is a NUL byte, at which some programs stop reading; remove it", bytes.Count(b[:i], []byte("\n"))+1)
	}
	if isPlainText(b) {
		return string(b), nil
	}
	var out strings.Builder
	for line := range bytes.Lines(b) {
		end := ""
		if n := len(line) - 1; line[n] == '\n' {
			line, end = bytes.TrimRight(line[:n], "\r"), "\n"
		}
		out.WriteString(strings.Map(printable, decode(line)) + end)
	}
	return out.String(), nil
}

// isPlainText reports whether b is printable ASCII, tabs and newlines alone, as nearly every control file is.
func isPlainText(b []byte) bool {
	return !bytes.ContainsFunc(b, func(r rune) bool { return (r < ' ' || r > '~') && r != '\n' && r != '\t' })
}

// decode returns a line in UTF-8. A line that is not UTF-8 is read as Latin-1.
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

// printable replaces control characters and separators of lines by U+FFFD.
func printable(r rune) rune {
	if unicode.IsControl(r) && r != '\t' || r == '\u2028' || r == '\u2029' {
		return utf8.RuneError
	}
	return r
}
