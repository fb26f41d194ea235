package rpm

import (
	"strings"

	"repomill/ingest/input"
	"repomill/schemas/catalog"
)

// featurePrefix starts the names of what a package requires of rpm itself.
const featurePrefix = "rpmlib("

// CheckFeatures rejects a package that the rpm of some system cannot install, since that rpm lacks a feature, by its
// name of rpmlib(NAME), that the package asks for or its payload needs.
func (p *Package) CheckFeatures(system string, lacks func(feature string) bool) error {
	if p.PayloadCompressor() == "zstd" && lacks("PayloadIsZstd") {
		return input.Reject(catalog.Unsupported, "the rpm of %s cannot unpack zstd, with which the payload of this package is compressed; build it with _binary_payload w9.gzdio or w2.xzdio", system)
	}
	if p.header.arch == "src" {
		return nil // is unpacked, not installed: rpm asks no more of it
	}
	for _, name := range p.header.features {
		if lacks(name) {
			return input.Reject(catalog.Unsupported, "the package requires rpmlib(%s), which the rpm of %s does not have%s", name, system, featureAdvice[name])
		}
	}
	return nil
}

// featuresOf returns the features of rpm itself among what a package requires.
func featuresOf(requires []dependency) (names []string) {
	for _, d := range requires {
		if name, ok := strings.CutPrefix(d.name, featurePrefix); ok {
			names = append(names, strings.TrimSuffix(name, ")"))
		}
	}
	return names
}

// featureAdvice says what brings a feature in, and how to do without.
var featureAdvice = map[string]string{
	"LargeFiles":       ": one of its files has 4 GiB or more; split it",
	"RichDependencies": ": a dependency of it is in parentheses, such as (a or b); build it for that system without",
	"CaretInVersions":  ": its version has a ^; build it for that system without",
}
