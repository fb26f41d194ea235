package html

import (
	"regexp"
	"strings"

	"repomill/publish/pages/model"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// exact returns the word by which a client installs one version of a package: apt and zypper take NAME=VERSION with the epoch, dnf takes
// NAME-EPOCH:VERSION-RELEASE. yum of EL7 takes an epoch only with an architecture, so that it gets none. arch is a foreign architecture
// that apt needs behind the name, or empty.
func exact(k model.Package, c layout.Client, arch string) string {
	name, version, separator := k.Name, k.Version, "="
	switch c {
	case layout.Dnf:
		separator = "-"
	case layout.Yum:
		separator = "-"
		if epoch, rest, ok := strings.Cut(version, ":"); ok && strings.Trim(epoch, "0123456789") == "" {
			version = rest
		}
	}
	if arch != "" {
		name += ":" + arch
	}
	return word(name + separator + version)
}

// plain are words that a shell takes as they are, if they begin with a name.
var plain = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.+:~=^%-]*$`)

func word(s string) string {
	if plain.MatchString(s) {
		return s
	}
	return setup.ShellWord(s)
}
