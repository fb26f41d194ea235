package deb

import (
	"fmt"
	"regexp"
	"strings"

	"repomill/ingest/input"
)

// relations are the fields that name other packages, and whether alternatives ("a | b") may stand in them.
// One package with a relation that apt cannot parse keeps apt from reading the whole index, and so every
// client of the repository from installing anything.
var relations = map[string]bool{
	"depends": true, "pre-depends": true, "recommends": true, "suggests": true, "enhances": true,
	"breaks": false, "conflicts": false, "replaces": false, "provides": false, "obsoletes": false,
}

// relation is one package: name, architecture, operator, version. Between the parts may be any white space. Without an
// operator, dpkg and apt take the version as the one that is meant.
var relation = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9+._-]*(?::[A-Za-z0-9][A-Za-z0-9-]*)?[ \t\n]*(?:\([ \t\n]*(?:<<|<=|<|=|>=|>>|>)?[ \t\n]*([^ \t\n()]+)[ \t\n]*\))?$`)

// checkRelation says what dpkg or apt could not read in the value of such a field, or nothing.
func checkRelation(value string, alternatives bool) error {
	if value == "" {
		return nil
	}
	if i := strings.LastIndexByte(value, '('); i >= 0 {
		// apt-pkg/deb/deblistparser.cc, ParseDepends: less is an error, and then the whole index is.
		if end := strings.TrimLeft(value[i+1:], " \t\n"); len(end) <= 3 {
			return fmt.Errorf("%s at the end is too short for apt; write an operator and a space, as in (= 1)", input.Quote(value[i:]))
		}
	}
	for group := range strings.SplitSeq(value, ",") {
		if !alternatives && strings.Contains(group, "|") {
			return fmt.Errorf("%s has alternatives, which dpkg refuses here", input.Quote(group))
		}
		for one := range strings.SplitSeq(group, "|") {
			one = strings.Trim(one, " \t\n")
			m := relation.FindStringSubmatch(one)
			if m == nil || len(one) > maxString {
				return fmt.Errorf("%s is not a package, such as libc6 or libc6:any (>= 2.31); dpkg or apt cannot read it", input.Quote(one))
			}
			if m[1] == "" {
				continue
			}
			if _, err := ParseVersion(m[1]); err != nil {
				return fmt.Errorf("%s: %w", input.Quote(one), err)
			}
		}
	}
	return nil
}
