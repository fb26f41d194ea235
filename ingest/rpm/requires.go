package rpm

import (
	"bytes"
	"strings"
)

// filterRequires returns what the package requires of others: not features of rpm, not what it
// brings itself, nothing twice in the same way, and of all versions of libc.so.6 the highest alone,
// at the end. Requires that may be missing are recommendations.
func filterRequires(h *header, deps []dependency) (required, recommended []dependency) {
	own := ownNames(h)
	last := map[string]dependency{} // by name
	var libc libcPick
	for _, d := range deps {
		prior, again := last[d.name]
		switch {
		case strings.HasPrefix(d.name, "rpmlib("), own[d.key()]:
		case again && prior.key() == d.key() && prior.pre() == d.pre():
		case strings.HasPrefix(d.name, "/") && own[d.name] && primary(d.name):
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

// key is equal for dependencies with the same name, comparison and version. It has a byte that no name has.
func (d dependency) key() string {
	return "\x00" + d.name + "\x00" + d.comparison() + "\x00" + d.version
}

// ownNames returns the keys of what h provides and the paths of its files.
func ownNames(h *header) map[string]bool {
	own := make(map[string]bool, len(h.provides))
	for _, d := range h.provides {
		own[d.key()] = true
	}
	for _, f := range h.files {
		if path := f.path(); primary(path) {
			own[path] = true
		}
	}
	return own
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
