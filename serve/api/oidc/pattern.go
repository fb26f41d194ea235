package oidc

import (
	"regexp"
	"strings"
)

// segment is what a * of a pattern matches: one or more characters, up to the next '/', ':' or '@', without control
// characters. In claims of CI systems those three separate owner, project, kind and ref.
const segment = `[^/:@\x00-\x1f\x7f]+`

// matches reports whether a value fits a pattern. Upper and lower case differ. A pattern without * fits the equal value
// alone; an empty pattern fits nothing.
func matches(pattern, value string) bool {
	if pattern == "" {
		return false
	}
	if !strings.Contains(pattern, "*") {
		return pattern == value
	}
	parts := strings.Split(pattern, "*")
	for i, p := range parts {
		parts[i] = regexp.QuoteMeta(p)
	}
	compiled, err := regexp.Compile(`\A` + strings.Join(parts, segment) + `\z`)
	return err == nil && compiled.MatchString(value) // an error: the pattern is too large
}
