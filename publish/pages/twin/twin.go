// Package twin renders what pages say for programs: JSON, and Atom feeds. serve/CONTRACT.md has the fields. Equal models give equal
// bytes.
package twin

import (
	"bytes"
	"encoding/json"
	"strings"
	"time"

	"repomill/publish/pages/model"
	"repomill/schemas/catalog"
)

// A Renderer renders twins and feeds. Its methods may be called concurrently.
type Renderer struct {
	publicURL string
}

// New returns a renderer. publicURL is the one under which clients reach the keys of the bucket.
func New(publicURL string) *Renderer { return &Renderer{strings.TrimRight(publicURL, "/")} }

// url returns the public URL of a key.
func (r *Renderer) url(key string) string { return r.publicURL + "/" + escape(folder(key)) }

// relative returns the path of a key from the folder of its repository, as a reference in a URL.
func relative(r catalog.Repository, key string) string {
	return escape(strings.TrimPrefix(folder(key), r.String()+"/"))
}

// folder returns the path of a page: that of its folder, if it is the page of a folder.
func folder(key string) string {
	if dir, ok := strings.CutSuffix(key, "/index.html"); ok {
		return dir + "/"
	}
	return key
}

// escape percent-encodes a path as serve/CONTRACT.md has it: all but unreserved characters and slashes.
func escape(path string) string {
	const hex = "0123456789ABCDEF"
	var b strings.Builder
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("-._~/", c) >= 0:
			b.WriteByte(c)
		default:
			b.WriteByte('%')
			b.WriteByte(hex[c>>4])
			b.WriteByte(hex[c&15])
		}
	}
	return b.String()
}

// stamp returns a time as RFC 3339 has it, in whole seconds of UTC.
func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// stampIf is nil for the zero time.
func stampIf(t time.Time) *string {
	if t.IsZero() {
		return nil
	}
	s := stamp(t)
	return &s
}

func stampPointer(t *time.Time) *string {
	if t == nil {
		return nil
	}
	return stampIf(*t)
}

// document returns the page of a twin. Objects and arrays up to a depth have a line for each member; what lies deeper is on one line.
func document(key string, v any, depth int) model.Page {
	compact, err := json.Marshal(v)
	if err != nil {
		panic(err) // structs of strings and numbers
	}
	return model.Page{Key: key, Body: spread(compact, depth)}
}

// spread adds line ends and indentation to compact JSON, in objects and arrays up to a depth.
func spread(compact []byte, depth int) []byte {
	var b bytes.Buffer
	b.Grow(len(compact) + len(compact)/8)
	level, quoted := 0, false
	newline := func() {
		b.WriteByte('\n')
		for range level {
			b.WriteByte(' ')
		}
	}
	for i := 0; i < len(compact); i++ {
		c := compact[i]
		switch {
		case quoted && c == '\\':
			b.WriteByte(c)
			i++
			c = compact[i]
		case c == '"':
			quoted = !quoted
		case quoted:
		case (c == '{' || c == '[') && compact[i+1] == c+2: // "{}" and "[]"
			b.WriteByte(c)
			i++
			c = compact[i]
		case c == '{' || c == '[':
			b.WriteByte(c)
			if level++; level <= depth {
				newline()
			}
			continue
		case c == '}' || c == ']':
			if level--; level < depth {
				newline()
			}
		case c == ',' && level <= depth:
			b.WriteByte(c)
			newline()
			continue
		}
		b.WriteByte(c)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// list returns the results of f; never nil, which JSON would have as null.
func list[T, U any](items []T, f func(T) U) []U {
	out := make([]U, 0, len(items))
	for _, item := range items {
		out = append(out, f(item))
	}
	return out
}
