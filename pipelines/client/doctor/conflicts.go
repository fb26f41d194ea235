package doctor

import (
	"fmt"
	"slices"
	"strings"
)

// conflicts notes entries of the same release: apt refuses all its sources if two name different keys, and warns otherwise.
func (e *exam) conflicts(all []source) {
	seen := map[string]source{}
	ids := map[string]source{}
	for _, s := range all {
		if s.disabled || s.file == "" {
			continue
		}
		if first, twice := ids[s.client+s.id]; twice && s.client != "apt" && s.place() != first.place() {
			e.note(problem("duplicate", fmt.Sprintf("%s and %s have the same name [%s]: one of them is ignored", first.place(), s.place(), s.id), "remove one of them"))
		}
		ids[s.client+s.id] = s
		first, twice := seen[s.key()]
		if !twice {
			seen[s.key()] = s
			continue
		}
		if s.client != "apt" {
			if first.id != s.id {
				e.note(warning("duplicate", fmt.Sprintf("[%s] in %s and [%s] in %s are of the same release", first.id, first.file, s.id, s.file), "remove one of them"))
			}
			continue
		}
		e.note(aptConflict(first, s))
	}
}

func aptConflict(a, b source) Finding {
	old := a
	if strings.HasSuffix(a.file, ".sources") && !strings.HasSuffix(b.file, ".sources") {
		old = b
	}
	advice := "keep one of them: sudo rm " + old.file
	if a.file == b.file {
		advice = "remove one of them"
	}
	what := fmt.Sprintf("%s and %s are of the same release", a.place(), b.place())
	l, _ := locate(a.url)
	m, _ := locate(b.url)
	if !slices.Equal(l.path, m.path) {
		what += ", in two layouts"
	} else if l.scheme != m.scheme {
		what += ", by two schemes"
	} else if a.inline != b.inline || !slices.Equal(a.signedBy, b.signedBy) {
		return problem("duplicate", what+", and their Signed-By differs: apt reads no source at all (Conflicting values set for option Signed-By)", advice)
	}
	return warning("duplicate", what+": apt fetches it twice, or warns (configured multiple times)", advice)
}
