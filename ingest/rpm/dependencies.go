package rpm

import (
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// A dependency is one entry of provides, requires and so on. Rich dependencies are plain names.
type dependency struct {
	name, version string // version is [epoch:]version[-release], or ""
	sense         uint32 // flags: comparison, and when it must hold
}

// maxDependency is the longest name of a dependency, and its longest version, in bytes. Rich ones are sentences.
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

// comparison returns the flags attribute, or "" if any version will do.
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

// pre reports whether the dependency must hold before the package is installed.
func (d dependency) pre() bool { return d.sense&sensesOfInstall != 0 }

// dependencies sets the dependencies of h, whose files are set. Weak ones come in three forms: tags of
// their own, SUSE's old tags, and requires that may be missing.
func (t *tags) dependencies(h *header) {
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
	split(t.relation(oldSuggests), &h.recommends, &h.suggests)
	split(t.relation(oldEnhances), &h.supplements, &h.enhances)
}

// split appends dependencies to strong or weak.
func split(deps []dependency, strong, weak *[]dependency) {
	for _, d := range deps {
		if d.sense&senseStrong != 0 {
			*strong = append(*strong, d)
		} else {
			*weak = append(*weak, d)
		}
	}
}

// relation returns one kind of dependencies, without those that have no name or whose epoch is no number:
// createrepo_c leaves them out, rpm takes the first for nothing, and no client could satisfy the second.
func (t *tags) relation(r relation) []dependency {
	names, senses, versions := t.texts(int(r.name)), t.numbers(int(r.flags)), t.texts(int(r.version))
	if t.err != nil || len(names) == 0 {
		return nil
	}
	deps := make([]dependency, 0, len(names))
	for i := range names {
		name, ok := strict(names[i])
		version, ok2 := strict(versions[i])
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

// badEpoch reports whether what stands before the first ':' of a version is no number, by the rules of strtol.
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

// splitVersion returns the parts of a dependency's version. The epoch is "0" if none is given.
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
