package catalog

import (
	"fmt"
	"path"
	"strings"
)

// A Pattern selects packages by what people call them: NAME, NAME=VERSION or NAME=VERSION:ARCH. NAME and VERSION may have the
// globs of [path.Match]: * ? [a-z] [^a-z], and a backslash before a character that is meant itself.
type Pattern struct {
	Name    string // a glob
	Version string // a glob, or VERSION:ARCH; empty for all versions
}

// ParsePattern reads a pattern. The error is a sentence for the user.
func ParsePattern(s string) (Pattern, error) {
	name, version, versioned := strings.Cut(s, "=")
	_, badName := path.Match(name, "")
	_, badVersion := path.Match(version, "")
	if name == "" || versioned && version == "" || badName != nil || badVersion != nil {
		return Pattern{}, fmt.Errorf("package %q: use NAME, NAME=VERSION or NAME=VERSION:ARCH; NAME and VERSION may have *, ? and [a-z]", s)
	}
	return Pattern{name, version}, nil
}

// String is the inverse of [ParsePattern].
func (p Pattern) String() string {
	if p.Version == "" {
		return p.Name
	}
	return p.Name + "=" + p.Version
}

// Matches reports whether the pattern selects a package. What follows the last colon of VERSION is an architecture, or the
// end of a version with an epoch: either is tried.
func (p Pattern) Matches(k Package) bool {
	if !globbed(p.Name, k.Name) {
		return false
	}
	if p.Version == "" || globbed(p.Version, k.Version) {
		return true
	}
	i := strings.LastIndexByte(p.Version, ':')
	return i >= 0 && p.Version[i+1:] == k.Arch && globbed(p.Version[:i], k.Version)
}

func globbed(pattern, s string) bool {
	ok, _ := path.Match(pattern, s) // checked when it was read
	return ok
}

const globs = `*?[\`

// LiteralName returns the one name that the pattern selects, or "" if it may select several.
func (p Pattern) LiteralName() string {
	if strings.ContainsAny(p.Name, globs) {
		return ""
	}
	return p.Name
}

// NamePrefix returns what all names begin with that the pattern selects.
func (p Pattern) NamePrefix() string {
	if i := strings.IndexAny(p.Name, globs); i >= 0 {
		return p.Name[:i]
	}
	return p.Name
}

// Exact reports whether the pattern has one name and one version, without a glob.
func (p Pattern) Exact() bool {
	return p.Version != "" && !strings.ContainsAny(p.Name+p.Version, globs)
}

// LiteralVersion returns the version of the pattern without the architecture behind it, or "" if it may select several.
// An architecture has a letter first, and what follows the colon of an epoch begins with a digit.
func (p Pattern) LiteralVersion() string {
	version := p.Version
	if strings.ContainsAny(version, globs) {
		return ""
	}
	if i := strings.LastIndexByte(version, ':'); i >= 0 && i+1 < len(version) && (version[i+1] < '0' || version[i+1] > '9') {
		version = version[:i]
	}
	return version
}
