package deb

import (
	"regexp"
	"slices"
	"strings"

	"repomill/schemas/catalog"
)

// maxNeeds bounds what is kept of the dependencies of one package: those behind are not looked at.
const maxNeeds = 1000

// exactRelation matches a relation to one version, "name[:arch] (= version)" (deb-control(5), Depends).
var exactRelation = regexp.MustCompile(`^([a-z0-9][a-z0-9+.-]*)(?::[a-z0-9-]+)?\s*\(\s*=\s*([^()\s]+)\s*\)`)

// needs returns the packages that Pre-Depends and Depends name with an exact version, each alternative of them. What a package
// provides is not looked at.
func (fs fields) needs() (needs []catalog.Need) {
	self := fs.get("Package")
	for _, field := range []string{"Pre-Depends", "Depends"} {
		text := fs.get(field)
		if !strings.Contains(text, "=") {
			continue
		}
		for _, relation := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == '|' }) {
			if _, behind, _ := strings.Cut(relation, "("); !strings.HasPrefix(strings.TrimLeft(behind, " \t\n\f\r"), "=") {
				continue // most name another relation or none
			}
			m := exactRelation.FindStringSubmatch(strings.TrimSpace(relation))
			if m == nil || m[1] == self || len(m[1]) > maxName {
				continue
			}
			v, err := ParseVersion(m[2])
			if err != nil {
				continue // no package has it
			}
			n := catalog.Need{Name: m[1], From: v.Canonical(), Until: v.Canonical()}
			if !slices.Contains(needs, n) {
				needs = append(needs, n)
			}
			if len(needs) == maxNeeds {
				return needs
			}
		}
	}
	return needs
}
