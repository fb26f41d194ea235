package facts

import (
	"math"
	"strconv"
	"strings"
)

// debRelations are the relations of a DEB (deb-control(5)), in the order in which they are returned.
var debRelations = []string{"Pre-Depends", "Depends", "Recommends", "Suggests", "Enhances", "Conflicts", "Breaks", "Replaces", "Provides"}

// DEB reads a stanza of Packages. It accepts any bytes: what it does not understand is left out. A stanza has neither the license nor
// the time of the build, and no changelog.
func DEB(stanza []byte) *Facts {
	f := &Facts{}
	relations := make([]Relation, len(debRelations))
	for name, value := range debFields(valid(stanza)) {
		switch strings.ToLower(name) {
		case "description":
			f.Summary, f.Description = debDescription(value)
		case "homepage":
			f.Homepage = line(value)
		case "maintainer":
			f.Maintainer = line(value)
		case "section":
			f.Section = line(value)
		case "source":
			f.Source = line(value)
		case "installed-size": // in units of 1024 bytes
			if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil && 0 < n && n <= math.MaxInt64>>10 {
				f.Installed = n << 10
			}
		default:
			for i, kind := range debRelations {
				if strings.EqualFold(kind, name) {
					relations[i] = debRelation(kind, value)
				}
			}
		}
	}
	for _, r := range relations {
		if len(r.Items) > 0 {
			f.Relations = append(f.Relations, r)
		}
	}
	return f
}

// debFields yields the fields of a stanza. A value has all lines of the field, as they are.
func debFields(s string) func(yield func(name, value string) bool) {
	return func(yield func(name, value string) bool) {
		for s != "" {
			size := 0
			for next := true; next; next = size < len(s) && (s[size] == ' ' || s[size] == '\t') {
				if n := strings.IndexByte(s[size:], '\n'); n >= 0 {
					size += n + 1
				} else {
					size = len(s)
				}
			}
			name, value, ok := strings.Cut(s[:size], ":")
			if s = s[size:]; ok && !yield(name, value) {
				return
			}
		}
	}
}

// debDescription returns the first line of a description, and its paragraphs: lines that are indented by more than one blank stay as
// they are, others are running text, and "." is an empty line (Debian Policy 5.6.13).
func debDescription(value string) (summary, text string) {
	summary, rest, _ := strings.Cut(value, "\n")
	var p paragrapher
	for rest != "" && !p.full() {
		var s string
		s, rest, _ = strings.Cut(rest, "\n")
		s = strings.TrimRight(s, " \t\r")
		switch body := strings.TrimLeft(s, " \t"); {
		case body == "" || body == ".":
			p.blank()
		case len(s)-len(body) > 1:
			p.verbatim(s[1:])
		default:
			p.flow(body, false)
		}
	}
	return line(summary), p.text()
}

// debRelation returns the members of a relation, which commas separate.
func debRelation(kind, value string) Relation {
	r := Relation{Kind: kind, Items: make([]string, 0, min(strings.Count(value, ",")+1, MaxItems))}
	for value != "" {
		var item string
		item, value, _ = strings.Cut(value, ",")
		if item = line(item); item != "" {
			r.add(item)
		}
	}
	return r
}

func (r *Relation) add(item string) {
	if len(r.Items) == MaxItems {
		r.More++
		return
	}
	r.Items = append(r.Items, item)
}
