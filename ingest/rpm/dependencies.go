package rpm

import (
	"bytes"
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A dependency is one entry of provides, requires and the like. A rich dependency, such as (a or b), is a name here.
type dependency struct {
	name, version string // version is [epoch:]version[-release], or ""
	sense         uint32 // RPMSENSE flags: how versions are compared, and when it must hold
}

// maxDependency is the largest size of a name, and of a version, in bytes. Rich dependencies are long.
const maxDependency = 16 << 10

// Bits of a dependency's flags (rpm, rpmds.h).
const (
	senseCompare    = 0xF
	sensePostTrans  = 1 << 5
	sensePrereq     = 1 << 6
	sensePreTrans   = 1 << 7
	sensePre        = 1 << 9
	sensePost       = 1 << 10
	senseMissingOK  = 1 << 19
	senseStrong     = 1 << 27
	sensesOfInstall = sensePrereq | sensePre | sensePost | sensePreTrans | sensePostTrans
)

// comparison returns the flags attribute of an index, or "" if any version satisfies the dependency.
func (d dependency) comparison() string {
	switch d.sense & senseCompare {
	case 2:
		return "LT"
	case 4:
		return "GT"
	case 8:
		return "EQ"
	case 10:
		return "LE"
	case 12:
		return "GE"
	}
	return ""
}

// isPre reports whether the dependency must hold before the package is installed.
func (d dependency) isPre() bool { return d.sense&sensesOfInstall != 0 }

// dependencies sets the dependencies of h. h.files must be set. Weak dependencies have three forms: tags of their
// own, SUSE's old tags, and requires with the flag MISSINGOK.
func (t *tagReader) dependencies(h *header) {
	h.provides = t.relation(provides)
	h.conflicts = t.relation(conflicts)
	h.obsoletes = t.relation(obsoletes)
	all := t.relation(requires)
	h.features = featuresOf(all)
	h.requires, h.recommends = filterRequires(h, all)
	h.suggests = t.relation(suggests)
	h.enhances = t.relation(enhances)
	h.recommends = append(h.recommends, t.relation(recommends)...)
	h.supplements = t.relation(supplements)
	splitByStrength(t.relation(oldSuggests), &h.recommends, &h.suggests)
	splitByStrength(t.relation(oldEnhances), &h.supplements, &h.enhances)
}

// splitByStrength appends dependencies with the flag STRONG to strong, and the others to weak.
func splitByStrength(deps []dependency, strong, weak *[]dependency) {
	for _, d := range deps {
		if d.sense&senseStrong != 0 {
			*strong = append(*strong, d)
		} else {
			*weak = append(*weak, d)
		}
	}
}

// relation returns the dependencies of one kind. It leaves out those without a name, which rpm ignores, and those
// whose epoch is not a number, which no client can satisfy. createrepo_c leaves out both.
func (t *tagReader) relation(r dependencyTags) []dependency {
	names, senses, versions := t.texts(int(r.name)), t.numbers(int(r.flags)), t.texts(int(r.version))
	if t.err != nil || len(names) == 0 {
		return nil
	}
	deps := make([]dependency, 0, len(names))
	for i := range names {
		name, ok := decodeStrict(names[i])
		version, ok2 := decodeStrict(versions[i])
		switch {
		case len(names[i]) > maxDependency || len(versions[i]) > maxDependency:
			t.fail(input.Reject(catalog.TooLarge, "the dependency %s has more than %d bytes; shorten it", input.Quote(name), maxDependency))
			return nil
		case !ok || !ok2:
			t.fail(input.Reject(catalog.BadField, "the dependency %s %s has a control character in it, which no index can have; correct the spec file", input.Quote(name), input.Quote(version)))
			return nil
		case name == "" || badEpoch(version):
			continue
		}
		deps = append(deps, dependency{name, version, senses[i]})
	}
	return deps
}

// badEpoch reports whether a version has an epoch, the part before its first colon, that strtol does not read as a
// number.
func badEpoch(version string) bool {
	epoch, _, ok := strings.Cut(version, ":")
	if !ok || epoch == "" {
		return false
	}
	epoch = strings.TrimLeft(epoch, " ")
	if strings.HasPrefix(epoch, "-") || strings.HasPrefix(epoch, "+") {
		epoch = epoch[1:]
	}
	digits, rest := span(epoch, isDigit)
	return digits == "" || rest != ""
}

// splitVersion splits the version of a dependency. The epoch is "0" if there is none.
func splitVersion(s string) (epoch, version, release string) {
	epoch, rest, ok := strings.Cut(s, ":")
	if !ok {
		epoch, rest = "", s
	}
	if epoch == "" {
		epoch = "0"
	}
	version, release, _ = strings.Cut(rest, "-")
	return epoch, version, release
}

// filterRequires returns the requires that an index lists, by the rules of createrepo_c: without features of rpm,
// without what the package provides itself, without repetitions, and of all versions of libc.so.6 the highest alone,
// as the last. Requires with the flag MISSINGOK are recommendations.
func filterRequires(h *header, deps []dependency) (required, recommended []dependency) {
	provided, paths := providedNames(h, deps)
	last := make(map[string]dependency, len(deps)) // by name
	var libc highestLibc
	for _, d := range deps {
		prior, again := last[d.name]
		switch {
		case strings.HasPrefix(d.name, rpmlibPrefix), provided[d.key()], paths[d.name]:
		case again && prior.key() == d.key() && prior.isPre() == d.isPre():
		case d.sense&senseMissingOK != 0:
			recommended = append(recommended, d)
		case strings.HasPrefix(d.name, "libc.so.6"):
			libc.add(d)
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

// A depKey identifies a dependency by name, comparison and version.
type depKey struct{ name, comparison, version string }

func (d dependency) key() depKey { return depKey{d.name, d.comparison(), d.version} }

// providedNames returns what h provides, and the paths of its files in primary.xml that deps name.
func providedNames(h *header, deps []dependency) (provided map[depKey]bool, paths map[string]bool) {
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

// A highestLibc finds the highest of dependencies such as "libc.so.6()(64bit)" and "libc.so.6(GLIBC_2.4)(64bit)". The
// higher ones imply the lower ones.
type highestLibc struct {
	found bool
	best  dependency
	key   []byte
}

func (p *highestLibc) add(d dependency) {
	if key := libcKey(d.name); !p.found || bytes.Compare(key, p.key) > 0 {
		p.found, p.best, p.key = true, d, key
	}
}

// libcKey returns a key that orders names by the version between their first parentheses, from its first digit on.
// Names without a version are the lowest.
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
