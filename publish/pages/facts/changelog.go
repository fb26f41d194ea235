package facts

import (
	"net/mail"
	"strings"
)

// DEBChangelog reads a changelog, newest entry first, in the format of deb-changelog(5). The text of an entry begins with its heading,
// such as "hello (1.0-1) unstable; urgency=medium". The last entry may lack its end. Text in another format is one entry, without
// author and time.
func DEBChangelog(text string) (entries []Entry) {
	var e debEntry
	for rest := strings.ToValidUTF8(text, "\uFFFD"); rest != "" && len(entries) < MaxEntries; {
		var s string
		s, rest, _ = strings.Cut(rest, "\n")
		s = strings.TrimRight(s, " \t\r")
		switch {
		case isHeading(s):
			entries = e.end(entries) // one without a trailer
			e.heading = s
		case e.heading == "": // before the first heading, or between entries
		case strings.HasPrefix(s, " -- "):
			e.trailer(s[len(" -- "):])
			entries = e.end(entries)
		default:
			e.line(s)
		}
	}
	if len(entries) < MaxEntries {
		entries = e.end(entries)
	}
	if s := strings.TrimSpace(text); len(entries) == 0 && s != "" {
		return []Entry{{Text: cut(strings.ToValidUTF8(s, "\uFFFD"), MaxText)}}
	}
	return entries
}

// A debEntry is an entry that is being read.
type debEntry struct {
	Entry
	heading string
	body    strings.Builder
}

// line adds a line of the changes. They are indented by two blanks.
func (e *debEntry) line(s string) {
	if s == "" && e.body.Len() == 0 || e.body.Len() > MaxText {
		return
	}
	e.body.WriteString(strings.TrimPrefix(s, "  "))
	e.body.WriteByte('\n')
}

// trailer reads who made the changes, and when: two blanks separate them.
func (e *debEntry) trailer(s string) {
	author, date, _ := strings.Cut(s, "  ")
	e.Author = line(author)
	if t, err := mail.ParseDate(strings.TrimSpace(date)); err == nil {
		t = t.UTC()
		e.At = &t
	}
}

// end appends the entry, if one has begun, and begins the next.
func (e *debEntry) end(entries []Entry) []Entry {
	if e.heading == "" {
		return entries
	}
	e.Text = strings.TrimRight(e.heading+"\n\n"+e.body.String(), "\n")
	e.Text = cut(e.Text, MaxText)
	entries = append(entries, e.Entry)
	*e = debEntry{}
	return entries
}

// isHeading reports whether a line begins an entry: "name (version) distributions; keys".
func isHeading(s string) bool {
	name, rest, ok := strings.Cut(s, " (")
	version, rest, closed := strings.Cut(rest, ")")
	return ok && closed && name != "" && version != "" && !strings.ContainsAny(name, " \t") && !strings.ContainsAny(version, " \t(") && strings.Contains(rest, ";")
}
