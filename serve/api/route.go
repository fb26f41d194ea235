package api

import (
	"net/http"
	"slices"
	"strings"
)

// A Route is a call that the API answers: a method, and a path in which a part in capital letters is for a name, and "..." for the rest.
type Route struct{ Method, Path string }

// Changes reports whether a call of the route may change something: its method is not GET.
func (r Route) Changes() bool { return r.Method != http.MethodGet }

// String returns "METHOD /path".
func (r Route) String() string { return r.Method + " " + r.Path }

// restOfPath is for the rest of a path in a pattern, of at least one part.
const restOfPath = "..."

// Match returns the parts of a path that are for the names of a pattern, or for its rest, if the path has the form of the pattern.
func Match(pattern string, parts []string) (names []string, ok bool) {
	for p := range strings.SplitSeq(pattern, "/") {
		switch {
		case len(parts) == 0:
			return nil, false
		case p == restOfPath:
			return append(names, parts...), true
		case p == strings.ToUpper(p):
			names = append(names, parts[0])
		case p != parts[0]:
			return nil, false
		}
		parts = parts[1:]
	}
	return names, len(parts) == 0
}

// Allowed returns the methods of routes that a path has, as the header Allow has them: sorted, with HEAD beside GET.
func Allowed(methods []string) string {
	methods = slices.Clone(methods)
	if slices.Contains(methods, http.MethodGet) {
		methods = append(methods, http.MethodHead)
	}
	slices.Sort(methods)
	return strings.Join(slices.Compact(methods), ", ")
}
