package deb

import "strings"

// operators compare versions in relations, a longer one before its beginning. Without one, dpkg and apt compare for equality.
var operators = []string{"<<", "<=", "<", "=", ">=", ">>", ">", ""}

// parseRelation reads one package of a relation: name, architecture, operator and version, with any white space between them. It returns
// the version, or "" if there is none. ok is false for what has another form.
func parseRelation(s string) (version string, ok bool) {
	if s, ok = skipWord(s, "+._-"); !ok {
		return "", false
	}
	if strings.HasPrefix(s, ":") {
		if s, ok = skipWord(s[1:], "-"); !ok {
			return "", false
		}
	}
	if s = strings.TrimLeft(s, relationSpace); s == "" {
		return "", true
	}
	if s[0] != '(' {
		return "", false
	}
	s = strings.TrimLeft(s[1:], relationSpace)
	for _, operator := range operators { // "(<<)" has the version "<"
		if rest, ok := strings.CutPrefix(s, operator); ok {
			if version, ok := cutVersion(strings.TrimLeft(rest, relationSpace)); ok {
				return version, true
			}
		}
	}
	return "", false
}

const relationSpace = " \t\n"

// skipWord returns what follows a letter or digit, and then letters, digits and the others.
func skipWord(s, others string) (rest string, ok bool) {
	n := 0
	for n < len(s) && (isDigit(s[n]) || isLetter(s[n]) || n > 0 && strings.IndexByte(others, s[n]) >= 0) {
		n++
	}
	return s[n:], n > 0
}

// cutVersion returns the version before white space and the parenthesis that ends a relation.
func cutVersion(s string) (version string, ok bool) {
	end := strings.IndexAny(s, relationSpace+"()")
	return s[:max(end, 0)], end > 0 && strings.TrimLeft(s[end:], relationSpace) == ")"
}
