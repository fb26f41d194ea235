package check

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxStanza bounds one stanza in bytes; the largest of the Debian archive has 76,338.
const maxStanza = 4 << 20

// A stanza is one paragraph of a control file, as in deb-control(5).
type stanza struct {
	fields map[string]string // by name in lower case; lines of a folded value are kept, with their leading blank
	digest [sha256.Size]byte // of its bytes, newlines included
}

// A stanzaReader reads the stanzas of an index more strictly than apt does: a form that parsers read differently
// is an error.
type stanzaReader struct {
	in   *bufio.Reader
	line int    // number of the last line that was read
	buf  []byte // the stanza that is being read
}

func newStanzaReader(r io.Reader) *stanzaReader {
	return &stanzaReader{in: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next stanza, or [io.EOF]. Other errors name the line.
func (r *stanzaReader) next() (stanza, error) {
	r.buf = r.buf[:0]
	first := r.line + 1
	for {
		start := len(r.buf)
		err := r.readLine()
		switch {
		case err == io.EOF && start > 0, err == nil && start > 0 && len(r.buf) == start+1:
			s, err := parseStanza(r.buf[:start])
			if err != nil {
				return stanza{}, fmt.Errorf("stanza at line %d: %w", first, err)
			}
			return s, nil
		case err == io.EOF:
			return stanza{}, io.EOF
		case err != nil:
			return stanza{}, fmt.Errorf("line %d: %w", r.line, err)
		case len(r.buf) == 1:
			return stanza{}, fmt.Errorf("line %d: a blank line where a stanza should begin", r.line)
		}
	}
}

// readLine appends one line with its newline to r.buf.
func (r *stanzaReader) readLine() error {
	r.line++
	for start := len(r.buf); ; {
		part, err := r.in.ReadSlice('\n')
		if len(r.buf)+len(part) > maxStanza {
			return fmt.Errorf("a stanza of more than %d bytes", maxStanza)
		}
		r.buf = append(r.buf, part...)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, bufio.ErrBufferFull):
		case err == io.EOF && len(r.buf) > start:
			return errors.New("the last line has no newline")
		default:
			return err
		}
	}
}

// parseStanza takes lines that each end in a newline.
func parseStanza(b []byte) (stanza, error) {
	s := stanza{fields: map[string]string{}, digest: sha256.Sum256(b)}
	name := ""
	for line := range strings.Lines(string(b)) {
		line = line[:len(line)-1]
		if i := strings.IndexFunc(line, isControl); i >= 0 {
			return s, fmt.Errorf("control character %q", line[i])
		}
		if line[0] == ' ' || line[0] == '\t' {
			if name == "" {
				return s, errors.New("a continuation line without a field")
			}
			if strings.Trim(line, " \t") == "" {
				return s, fmt.Errorf("field %.100q has a line of blanks only", name)
			}
			s.fields[name] += "\n" + line
			continue
		}
		field, value, ok := strings.Cut(line, ":")
		if !ok || !fieldName(field) {
			return s, fmt.Errorf("%.100q is not a field", line)
		}
		if name = strings.ToLower(field); hasKey(s.fields, name) {
			return s, fmt.Errorf("field %.100q appears twice", field)
		}
		s.fields[name] = strings.Trim(value, " \t")
	}
	return s, nil
}

func hasKey(m map[string]string, k string) bool { _, ok := m[k]; return ok }

func isControl(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }

// fieldName reports whether s can name a field: printable ASCII, no blank or colon, not starting with '#' or '-'.
func fieldName(s string) bool {
	if s == "" || s[0] == '#' || s[0] == '-' {
		return false
	}
	return !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c > '~' || c == ':' })
}

// readStanza reads a control file of exactly one stanza.
func readStanza(b []byte) (stanza, error) {
	r := newStanzaReader(bytes.NewReader(b))
	s, err := r.next()
	if err == io.EOF {
		return s, errors.New("empty")
	}
	if err != nil {
		return s, err
	}
	if _, err := r.next(); err != io.EOF {
		return s, errors.New("more than one stanza")
	}
	return s, nil
}
