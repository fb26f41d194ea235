package layout

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"repomill/schemas/catalog"
)

// pockets end the names of suites that DEB distributions have beside a release, for their own packages.
var pockets = []string{"-security", "-updates", "-backports-sloppy", "-backports", "-proposed-updates", "-proposed", "-lts"}

// hint returns the sentence for a distribution that is not in the table: what to use instead.
func (t *Table) hint(d catalog.Distribution) string {
	if use, ok := t.alias(d); ok {
		return fmt.Sprintf("distribution %s goes by another name here: use %s", d, use)
	}
	if use, ok := t.suite(d); ok {
		return fmt.Sprintf("distribution %s is a part of the archive of %s, whose systems take packages of yours from the release itself: use %s", d, use, use)
	}
	if minor := t.versions(d.OS, d.Version+"."); len(minor) > 0 {
		return fmt.Sprintf("distribution %s is more than one here: use %s", d, strings.Join(minor, ", or "))
	}
	versions := t.versions(d.OS, "")
	if strings.ContainsAny(d.Version, "0123456789") && len(versions) > 0 { // another number is not a typing error
		return fmt.Sprintf("distribution %s is not in the table, which has %s; add it with --distributions FILE", d, strings.Join(versions, ", "))
	}
	if near := t.nearest(d); near != "" {
		return fmt.Sprintf("distribution %s is not in the table; did you mean %s?", d, near)
	}
	return fmt.Sprintf("distribution %s is not in the table; add it with --distributions FILE", d)
}

// Other returns the distribution in this table of which d is an alias, or a suite such as ubuntu/jammy-security.
func (t *Table) Other(d catalog.Distribution) (use string, ok bool) {
	if _, known := t.byName[d]; known {
		return "", false
	}
	if use, ok = t.alias(d); ok {
		return use, true
	}
	return t.suite(d)
}

// suite returns the distribution of a suite: ubuntu/jammy for ubuntu/jammy-security.
func (t *Table) suite(d catalog.Distribution) (string, bool) {
	for _, pocket := range pockets {
		release, ok := strings.CutSuffix(d.Version, pocket)
		if !ok {
			continue
		}
		base := catalog.Distribution{OS: d.OS, Version: release}
		if i, ok := t.byName[base]; ok && t.distros[i].Format == catalog.DEB {
			return base.String(), true
		}
		return t.alias(base)
	}
	return "", false
}

// versions returns the distributions of an os whose versions begin with prefix.
func (t *Table) versions(os, prefix string) (names []string) {
	for _, distro := range t.distros {
		if d := distro.Distribution; d.OS == os && strings.HasPrefix(d.Version, prefix) {
			names = append(names, d.String())
		}
	}
	return names
}

// nearest returns the distribution with the fewest edits from d, or "" if none is similar. Of equals it returns the last,
// which is the newest.
func (t *Table) nearest(d catalog.Distribution) string {
	names := make([]string, len(t.distros))
	for i, distro := range t.distros {
		names[i] = distro.Distribution.String()
	}
	slices.Reverse(names)
	return Nearest(d.String(), names)
}

var defaultTable = sync.OnceValue(DefaultTable)

// lowerCase returns a hint at the built-in distribution of a name that has capitals; "" if there is none.
func lowerCase(d catalog.Distribution) string {
	low := catalog.Distribution{OS: strings.ToLower(d.OS), Version: strings.ToLower(d.Version)}
	if low == d || checkDistributionName(low) != nil {
		return ""
	}
	if slices.Contains(defaultTable().versions(low.OS, low.Version), low.String()) {
		return ": use " + low.String()
	}
	if use, ok := defaultTable().alias(low); ok {
		return ": use " + use
	}
	return ""
}
