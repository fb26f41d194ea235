package doctor

import (
	"fmt"
	"strings"
	"time"

	"repomill/schemas/layout"
)

// Text returns a report for people: one paste for support.
func (r Report) Text() string {
	var b strings.Builder
	about := ""
	if r.URL != "" {
		about = " of " + r.URL
	}
	fmt.Fprintf(&b, "repomill doctor %s%s, %s\nhost: %s", r.Version, about, r.Time.Format(time.RFC3339), r.Host.Name)
	if r.Host.Distribution != "" {
		fmt.Fprintf(&b, " (%s)", r.Host.Distribution)
	}
	fmt.Fprintf(&b, ", %s", strings.Join(r.Host.Architectures, ", "))
	if r.Host.guessed {
		b.WriteString(" as this machine")
	}
	b.WriteByte('\n')
	writeFindings(&b, r.Findings)
	for _, s := range r.Sources {
		place := s.Place
		if place == "" {
			place = "not in the configuration"
		}
		fmt.Fprintf(&b, "\n%s\n  %s\n", place, s.Source)
		for _, h := range s.Hops {
			fmt.Fprintf(&b, "  %-8s %s\n", "GET", h)
		}
		writeFindings(&b, s.Findings)
	}
	fmt.Fprintf(&b, "\n%s\n", r.verdict())
	return b.String()
}

func (h Hop) String() string {
	answer := h.Error
	if h.Status != 0 {
		answer = fmt.Sprint(h.Status)
	}
	s := h.URL + ": " + answer
	if h.Credentials {
		s += ", with the token"
	}
	if h.Proxy != "" {
		s += ", through " + h.Proxy
	}
	return s
}

func writeFindings(b *strings.Builder, all []Finding) {
	for _, f := range all {
		fmt.Fprintf(b, "  %-8s %s: %s\n", f.Level, f.Check, f.Detail)
		if f.Advice != "" {
			fmt.Fprintf(b, "  %-8s %s\n", "  do:", f.Advice)
		}
	}
}

// verdict is the last line.
func (r Report) verdict() string {
	count := map[Level]int{}
	for _, f := range r.all() {
		count[f.Level]++
	}
	sources := layout.Counted(len(r.Sources), "source") + " examined: "
	switch {
	case count[Problem] == 0 && count[Warning] == 0:
		return sources + "all is well"
	case count[Problem] == 0:
		return sources + "no problem, " + layout.Counted(count[Warning], "warning")
	}
	return sources + layout.Counted(count[Problem], "problem") + ", " + layout.Counted(count[Warning], "warning")
}
