package doctor

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// judgeRelease looks at what a release offers. Its signature has been looked at.
func (e *exam) judgeRelease(s source, body []byte) (all []Finding) {
	if s.client != "apt" {
		return nil // the directory of the architecture was fetched
	}
	f := releaseFields(string(body))
	offered := strings.Fields(f["Architectures"])
	want := s.architectures
	if len(want) == 0 {
		want = e.host.Architectures
	}
	switch n := len(filterStrings(want, offered)); {
	case len(offered) == 0 || len(want) == 0:
	case n == 0 && len(s.architectures) == 0 && e.host.guessed:
		all = append(all, warning("architecture", fmt.Sprintf("the release has packages for %s; the files of the host do not say what it is (this machine is %s)", strings.Join(offered, ", "), strings.Join(want, ", ")),
			"run repomill doctor on the host, or give it the host's /var/lib/dpkg, too"))
	case n == 0:
		all = append(all, problem("architecture", fmt.Sprintf("the release has packages for %s; this source asks for %s", strings.Join(offered, ", "), strings.Join(want, ", ")),
			"ask the operator for packages of that architecture"))
	case n < len(want) && len(s.architectures) > 0:
		all = append(all, warning("architecture", fmt.Sprintf("the source asks for %s, the release has %s", strings.Join(want, ", "), strings.Join(offered, ", ")), "remove the others from the source"))
	default:
		all = append(all, fine("architecture", "the release has packages for "+filterStrings(want, offered)[0]))
	}
	components := strings.Fields(f["Components"])
	for _, c := range s.components {
		if len(components) > 0 && !slices.Contains(components, c) {
			all = append(all, problem("sources", fmt.Sprintf("the release has no component %s; it has %s", c, strings.Join(components, ", ")), "correct the component"))
		}
	}
	return append(all, e.judgeDates(f)...)
}

func filterStrings(some, in []string) (both []string) {
	for _, s := range some {
		if slices.Contains(in, s) {
			both = append(both, s)
		}
	}
	return both
}

// judgeDates compares the dates of a release with the host's clock, as apt does.
func (e *exam) judgeDates(f map[string]string) (all []Finding) {
	now := e.Now()
	if date, err := releaseTime(f["Date"]); err == nil && date.After(now.Add(10*time.Second)) {
		all = append(all, problem("clock", "by this host's clock the release is from the future ("+f["Date"]+"): apt says that it is not valid yet", "set the clock"))
	}
	if until, err := releaseTime(f["Valid-Until"]); err == nil && now.After(until) {
		all = append(all, problem("clock", "by this host's clock the release has expired on "+f["Valid-Until"], "set the clock if it is wrong; otherwise a mirror or cache is behind, or the operator has to publish"))
	}
	return all
}

func releaseTime(s string) (time.Time, error) {
	return http.ParseTime(strings.NewReplacer("UTC", "GMT", "+0000", "GMT").Replace(s))
}

// releaseFields returns the fields of an InRelease that have one line.
func releaseFields(text string) map[string]string {
	f := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, found := strings.Cut(line, ": "); found && line[0] != ' ' && line[0] != '-' {
			f[name] = strings.TrimSpace(value)
		}
	}
	return f
}

// judgeDistribution compares the host with what the entry is for.
func (e *exam) judgeDistribution(s source) []Finding {
	of := s.distribution()
	switch {
	case of == "" || s.file == "":
		return nil
	case e.host.Distribution == "":
		return []Finding{warning("distribution", fmt.Sprintf("the source is for %s, and this host is %s, which has no name in repositories", of, e.host.Name), "ask the operator which distribution is right for it")}
	case of == e.host.Distribution || slices.Contains(anySystem, before(of)):
		return []Finding{fine("distribution", "the source is for "+of+", which this host is")}
	}
	if other, ok := find(e.Table, map[string]string{"ID": before(of), "VERSION_ID": after(of)}); ok && other.Distribution.String() == e.host.Distribution {
		return []Finding{fine("distribution", "the source is for "+of+", another name of "+e.host.Distribution)}
	}
	return []Finding{warning("distribution", fmt.Sprintf("the source is for %s, and this host is %s (%s): packages may not fit", of, e.host.Distribution, e.host.Name),
		"use "+e.host.Distribution+" in the source, if the repository has it")}
}

func before(s string) string { b, _, _ := strings.Cut(s, "/"); return b }
func after(s string) string  { _, a, _ := strings.Cut(s, "/"); return a }
