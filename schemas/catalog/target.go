package catalog

import (
	"fmt"
	"strings"
)

// A PackageTarget is where a command looks for packages, or puts them: a repository with all its distributions, one
// distribution of it, or one component of that. ([Target] is what a token is for.)
type PackageTarget struct {
	Repository   Repository
	Distribution Distribution // zero for all
	Component    string       // DEB only; empty for all
}

// ParsePackageTarget reads "owner/name" or "owner/name/os/version[/component]", also with slashes around it. It checks the
// number of segments, and that none is empty. The error is a sentence for the user.
func ParsePackageTarget(s string) (t PackageTarget, err error) {
	part := strings.Split(strings.Trim(s, "/"), "/")
	if n := len(part); n != 2 && n != 4 && n != 5 || strings.Contains(strings.Trim(s, "/"), "//") {
		return t, fmt.Errorf("target %q: use owner/name/os/version[/component], or owner/name", s)
	}
	t.Repository = Repository{Owner: part[0], Name: part[1]}
	if len(part) > 2 {
		t.Distribution = Distribution{OS: part[2], Version: part[3]}
	}
	if len(part) > 4 {
		t.Component = part[4]
	}
	return t, nil
}

// Whole reports whether the target is a repository with all its distributions.
func (t PackageTarget) Whole() bool { return t.Distribution == Distribution{} }

// Kind returns what the target is: "repository", "distribution" or "component".
func (t PackageTarget) Kind() string {
	switch {
	case t.Whole():
		return "repository"
	case t.Component == "":
		return "distribution"
	}
	return "component"
}

// WithoutComponent returns the target with all components.
func (t PackageTarget) WithoutComponent() PackageTarget {
	t.Component = ""
	return t
}

// String returns "owner/name" or "owner/name/os/version[/component]".
func (t PackageTarget) String() string {
	if t.Whole() {
		return t.Repository.String()
	}
	return Place(t).String()
}

// Has reports whether a place is in the target.
func (t PackageTarget) Has(p Place) bool {
	return t.Repository == p.Repository && (t.Whole() || t.Distribution == p.Distribution) && (t.Component == "" || t.Component == p.Component)
}

// MarshalText implements [encoding.TextMarshaler].
func (t PackageTarget) MarshalText() ([]byte, error) { return []byte(t.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (t *PackageTarget) UnmarshalText(text []byte) (err error) {
	*t, err = ParsePackageTarget(string(text))
	return err
}
