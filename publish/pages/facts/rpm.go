package facts

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// rpmRelations are the relations of an RPM by their elements, in the order in which they are returned. The first has those members of
// rpm:requires that are needed before the package is unpacked.
var rpmRelations = []struct{ element, kind string }{
	{"", "Requires(pre)"}, {"rpm:requires", "Requires"}, {"rpm:recommends", "Recommends"}, {"rpm:suggests", "Suggests"},
	{"rpm:supplements", "Supplements"}, {"rpm:enhances", "Enhances"}, {"rpm:conflicts", "Conflicts"}, {"rpm:obsoletes", "Obsoletes"},
	{"rpm:provides", "Provides"},
}

// RPM reads the <package> elements of primary.xml and other.xml. What it does not know is left out, and so are features of rpm itself
// that the package requires: rpmlib(…). The error is that of an element that is not XML as indexes have it; what was read before it
// is returned, too.
func RPM(primary, other []byte) (*Facts, error) {
	r := rpmReader{relations: make([]Relation, len(rpmRelations))}
	for i, kind := range rpmRelations {
		r.relations[i].Kind = kind.kind
	}
	err := scan(primary, r.element)
	for _, rel := range r.relations {
		if len(rel.Items) > 0 {
			r.f.Relations = append(r.f.Relations, rel)
		}
	}
	r.f.Maintainer = cmp.Or(r.packager, r.vendor)
	var otherErr error
	r.f.Changelog, otherErr = rpmChangelog(other)
	return &r.f, cmp.Or(err, otherErr)
}

type rpmReader struct {
	f                Facts
	packager, vendor string
	relations        []Relation
	in               int // index of the relation whose entries follow
}

// element reads one element of primary.xml.
func (r *rpmReader) element(e element) {
	switch e.name {
	case "summary":
		r.f.Summary = line(e.chars)
	case "description":
		r.f.Description = rpmDescription(e.chars)
	case "url":
		r.f.Homepage = line(e.chars)
	case "packager":
		r.packager = line(e.chars)
	case "rpm:vendor":
		r.vendor = line(e.chars)
	case "rpm:license":
		r.f.License = line(e.chars)
	case "rpm:group":
		r.f.Section = line(e.chars)
	case "rpm:sourcerpm":
		r.f.Source = line(e.chars)
	case "time":
		r.f.Built = unix(e.attribute("build"))
	case "size":
		if n, err := strconv.ParseInt(e.attribute("installed"), 10, 64); err == nil && n > 0 {
			r.f.Installed = n
		}
	case "rpm:entry":
		r.entry(e)
	default:
		r.in = -1
		for i, kind := range rpmRelations {
			if kind.element == e.name {
				r.in = i
			}
		}
	}
}

// entry reads a member of the present relation, as a spec file has it: "name >= 1:2.0-3".
func (r *rpmReader) entry(e element) {
	name := e.attribute("name")
	if r.in < 0 || name == "" || strings.HasPrefix(name, "rpmlib(") {
		return
	}
	to := &r.relations[r.in]
	if rpmRelations[r.in].element == "rpm:requires" && e.attribute("pre") == "1" {
		to = &r.relations[0]
	}
	if op := comparison(e.attribute("flags")); op != "" {
		name += " " + op + " "
		if epoch := e.attribute("epoch"); epoch != "" && epoch != "0" {
			name += epoch + ":"
		}
		name += e.attribute("ver")
		if release := e.attribute("rel"); release != "" {
			name += "-" + release
		}
	}
	to.add(line(name))
}

func comparison(flags string) string {
	switch flags {
	case "EQ":
		return "="
	case "LT":
		return "<"
	case "LE":
		return "<="
	case "GT":
		return ">"
	case "GE":
		return ">="
	}
	return ""
}

// rpmDescription returns a text whose lines were wrapped by hand as paragraphs. Lines that are indented, or short, stay as they are.
func rpmDescription(text string) string {
	var p paragrapher
	for text != "" && !p.full() {
		var s string
		s, text, _ = strings.Cut(text, "\n")
		switch s = strings.TrimRight(s, " \t\r"); {
		case s == "":
			p.blank()
		case s[0] == ' ' || s[0] == '\t':
			p.verbatim(s)
		default:
			p.flow(s, true)
		}
	}
	return p.text()
}

// rpmChangelog returns the newest entries of other.xml, which has the oldest first.
func rpmChangelog(other []byte) (entries []Entry, err error) {
	err = scan(other, func(e element) {
		if e.name == "changelog" {
			entries = append(entries, Entry{At: unix(e.attribute("date")), Author: line(e.attribute("author")), Text: cut(strings.TrimSpace(e.chars), MaxText)})
		}
	})
	slices.Reverse(entries)
	slices.SortStableFunc(entries, func(a, b Entry) int { return -compareTimes(a.At, b.At) })
	if len(entries) > MaxEntries {
		entries = slices.Clip(entries[:MaxEntries])
	}
	return entries, err
}

// compareTimes orders a time that is not known before all others.
func compareTimes(a, b *time.Time) int {
	switch {
	case a != nil && b != nil:
		return a.Compare(*b)
	case a != nil:
		return 1
	case b != nil:
		return -1
	}
	return 0
}

// unix returns the time of a number of seconds. A package that does not say it has 0; a year after 9999 is not believed.
func unix(seconds string) *time.Time {
	const year10000 = 253402300800
	n, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || n <= 0 || n >= year10000 {
		return nil
	}
	t := time.Unix(n, 0).UTC()
	return &t
}
