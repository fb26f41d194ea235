package client

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
	"repomill/schemas/setup"
)

// InstallText returns the lines of [setup.Lines] under a heading. With token [setup.Placeholder], the heading says where to get one.
func InstallText(publicURL string, s catalog.Settings, distro layout.Distro, pkg, token string) string {
	heading := fmt.Sprintf("install from %s on %s", s.Repository, distro.Distribution)
	if s.Visibility == catalog.Private && token == setup.Placeholder {
		heading += ", with a token from repomill token create"
	}
	return heading + ":\n  " + strings.Join(setup.Lines(publicURL, s, distro, pkg, token), "\n  ") + "\n"
}

// maxCandidates is the number of packages of a release that Installable reads.
const maxCandidates = 1000

// Installable returns packages of published releases at or below a target, which is a distribution or a component of a repository. It reads
// at most [maxCandidates] packages of each release. Errors are those of the catalog.
func Installable(ctx context.Context, db *catalogdb.DB, r catalog.Repository, target string) (some []catalog.Package, err error) {
	states, err := db.ReleasesOf(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, s := range states {
		release := s.Release.String()
		component, inComponent := strings.CutPrefix(target, release+"/")
		if s.Release.Arch == layout.SRPMS || s.Published == 0 || !inComponent && !below(release, target) {
			continue
		}
		seen := 0
		for k, err := range db.List(ctx, s.Release, "") {
			if err != nil {
				return nil, err
			}
			if !inComponent || k.Component == component {
				some = append(some, k)
			}
			if seen++; seen == maxCandidates {
				break
			}
		}
	}
	return some, nil
}

// Without returns packages without the keyring packages of a repository.
func Without(packages []catalog.Package, r catalog.Repository) []catalog.Package {
	return slices.DeleteFunc(slices.Clone(packages), func(k catalog.Package) bool { return k.Name == layout.KeyringName(r, k.Format) })
}

// WithKeyring returns the packages to install, separated by a blank: the keyring package, if the distribution has an active
// one, and pkg, if it is not empty. Errors are those of the catalog.
func WithKeyring(ctx context.Context, db *catalogdb.DB, s catalog.Settings, distro layout.Distro, pkg string) (string, error) {
	name := layout.KeyringName(s.Repository, distro.Format)
	if s.Keyring == nil || !s.Keyring.On || pkg == name {
		return pkg, nil
	}
	rows, err := db.PackagesNamed(ctx, s.Repository, distro.Format, name)
	if err != nil {
		return "", err
	}
	there := slices.ContainsFunc(rows, func(k catalog.Package) bool {
		return k.Distribution == distro.Distribution && k.State == catalog.Active
	})
	if !there {
		return pkg, nil
	}
	return strings.TrimSpace(name + " " + pkg), nil
}

// Newest returns the name of the newest package for the most common architectures, in the form that clients take; empty if
// there are no packages.
func Newest(packages []catalog.Package) string {
	if len(packages) == 0 {
		return ""
	}
	rank := func(k catalog.Package) int {
		return slices.Index([]string{"amd64", "x86_64", "all", layout.Noarch}, k.Arch) // -1 for others
	}
	k := slices.MaxFunc(packages, func(a, b catalog.Package) int {
		return cmp.Or(cmp.Compare(min(rank(a), 0), min(rank(b), 0)), a.Uploaded.Compare(b.Uploaded))
	})
	var architectures []string
	for _, other := range packages {
		if other.Name == k.Name {
			architectures = append(architectures, other.Arch)
		}
	}
	return setup.Qualified(k.Name, k.Format, architectures...)
}
