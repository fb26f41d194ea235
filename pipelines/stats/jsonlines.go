package stats

import (
	"bytes"
	"encoding/json"
)

// A jsonLines reads CloudFront's JSON format: one flat object a line, whose values are texts or numbers.
type jsonLines struct {
	days
	scratch []byte // values that had escapes
}

func (j *jsonLines) parse(line []byte, e *entry) bool {
	var f fields
	j.scratch = j.scratch[:0]
	s := bytes.TrimSpace(line)
	if len(s) < 2 || s[0] != '{' || s[len(s)-1] != '}' {
		return false
	}
	for s = s[1:]; ; {
		name, rest, ok := j.text(skipBlanks(s))
		if !ok {
			return false
		}
		s = skipBlanks(rest)
		if len(s) == 0 || s[0] != ':' {
			return false
		}
		value, rest, ok := j.value(skipBlanks(s[1:]))
		if !ok {
			return false
		}
		if n, known := fieldNames[string(name)]; known {
			if f[n] != nil {
				return false // which of the two is meant?
			}
			f[n] = value
		}
		s = skipBlanks(rest)
		if len(s) == 1 && s[0] == '}' {
			break
		}
		if len(s) == 0 || s[0] != ',' {
			return false
		}
		s = s[1:]
	}
	for n := range needed {
		if f[n] == nil {
			return false
		}
	}
	return j.read(&f, e)
}

// value reads a text, a number, true, false or null, and returns it without quotes.
func (j *jsonLines) value(s []byte) (value, rest []byte, ok bool) {
	if len(s) > 0 && s[0] == '"' {
		return j.text(s)
	}
	end := bytes.IndexAny(s, ",} \t")
	if end <= 0 || s[0] == '{' || s[0] == '[' {
		return nil, nil, false
	}
	return s[:end], s[end:], true
}

// text reads a text. It is a part of s, or of the scratch if it has escapes.
func (j *jsonLines) text(s []byte) (value, rest []byte, ok bool) {
	if len(s) < 2 || s[0] != '"' {
		return nil, nil, false
	}
	end := plainQuote(s[1:])
	if end < 0 {
		return nil, nil, false
	}
	value, rest = s[1:1+end], s[end+2:]
	if bytes.IndexByte(value, '\\') < 0 {
		return value, rest, true
	}
	var plain string
	if err := json.Unmarshal(s[:end+2], &plain); err != nil {
		return nil, nil, false
	}
	begin := len(j.scratch)
	j.scratch = append(j.scratch, plain...)
	return j.scratch[begin:len(j.scratch):len(j.scratch)], rest, true
}

func skipBlanks(s []byte) []byte {
	for len(s) > 0 && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}
