package rpm

import (
	"bytes"
	"strings"
)

// filterRequires returns what the package requires of others: not features of rpm, not what it
// brings itself, nothing twice in the same way, and of all versions of libc.so.6 the highest alone,
// at the end. Requires that may be missing are recommendations.
func filterRequires(h *header, deps []dependency) (required, recommended []dependency) {
	provided, paths := ownNames(h, deps)
	last := make(map[string]dependency, len(deps)) // by name
	var libc libcPick
	for _, d := range deps {
		prior, again := last[d.name]
		switch {
		case strings.HasPrefix(d.name, featurePrefix), provided[d.key()], paths[d.name]:
		case again && prior.key() == d.key() && prior.pre() == d.pre():
		case d.sense&senseMissingOK != 0:
			recommended = append(recommended, d)
		case strings.HasPrefix(d.name, "libc.so.6"):
			libc.offer(d)
		default:
			required = append(required, d)
			last[d.name] = d
		}
	}
	if libc.found {
		required = append(required, libc.best)
	}
	return required, recommended
}

// A depKey is equal for dependencies with the same name, comparison and version.
type depKey struct{ name, comparison, version string }

func (d dependency) key() depKey { return depKey{d.name, d.comparison(), d.version} }

// ownNames returns what h provides, and those paths of its files in primary.xml that deps name.
func ownNames(h *header, deps []dependency) (provided map[depKey]bool, paths map[string]bool) {
	provided = make(map[depKey]bool, len(h.provides))
	for _, d := range h.provides {
		provided[d.key()] = true
	}
	paths = map[string]bool{}
	for _, d := range deps {
		if strings.HasPrefix(d.name, "/") {
			paths[d.name] = false
		}
	}
	if len(paths) == 0 {
		return provided, paths
	}
	var path []byte
	for f := range h.files.all() {
		if !f.primary {
			continue
		}
		path = append(append(path[:0], f.dir...), decodeBytes(f.base)...)
		if _, named := paths[string(path)]; named {
			paths[string(path)] = true
		}
	}
	return provided, paths
}

// A libcPick finds the highest of "libc.so.6()(64bit)", "libc.so.6(GLIBC_2.4)(64bit)" and the like.
// Each requires the ones below it.
type libcPick struct {
	found bool
	best  dependency
	key   []byte
}

func (p *libcPick) offer(d dependency) {
	if key := libcKey(d.name); !p.found || bytes.Compare(key, p.key) > 0 {
		p.found, p.best, p.key = true, d, key
	}
}

// libcKey orders by the version between the first parentheses, from its first digit on. Names
// without one come before those with one.
func libcKey(name string) []byte {
	_, inner, ok := strings.Cut(name, "(")
	if !ok {
		return []byte{0}
	}
	inner, _, ok = strings.Cut(inner, ")")
	if !ok {
		return []byte{1}
	}
	if inner == "" {
		return []byte{2}
	}
	i := strings.IndexFunc(inner, func(r rune) bool { return '0' <= r && r <= '9' })
	if i < 0 {
		return []byte{3}
	}
	return appendVersion([]byte{4}, inner[i:])
}
