package pipelines

import (
	"fmt"
	"slices"
	"strings"

	"repomill/publish/keypack"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// forDEB names the one file of a keyring package that all DEB distributions have.
const forDEB = "deb"

// A keyringPart is one file of a keyring package, and where it belongs.
type keyringPart struct {
	of     string // as [catalog.KeyringFile] has it
	format catalog.Format
	spec   keypack.Spec      // without version and time
	sign   bool              // by a signature that clients of the distribution can read
	places []catalog.Package // with repository, distribution and component
}

// A keyringSource is what keyring packages are made of besides settings.
type keyringSource struct {
	table     *layout.Table
	url       string // public
	public    []byte // armoured
	given     []string
	revision  int64  // of the list of keys
	algorithm string // of the key that signs packages
	repo      func(catalog.Settings, catalog.Distribution) []byte
}

// parts returns the files that a repository's keyring package consists of, and why distributions have none, if so.
func (k keyringSource) parts(s catalog.Settings) (all []keyringPart, without []string) {
	base := keypack.Spec{Repository: s.Repository, URL: k.url + "/" + s.Repository.String(), Keys: k.public, Fingerprints: k.given}
	deb := keyringPart{of: forDEB, format: catalog.DEB, spec: base}
	for _, ds := range s.Offered().Distributions {
		distro, rej := k.table.Lookup(ds.Distribution)
		if rej != nil {
			continue // published by another program, with another table
		}
		place := catalog.Package{Repository: s.Repository, Distribution: ds.Distribution}
		if distro.Format == catalog.DEB {
			for _, place.Component = range ds.Components {
				deb.places = append(deb.places, place)
			}
			continue
		}
		part := keyringPart{of: ds.Distribution.String(), format: catalog.RPM, spec: base, places: []catalog.Package{place}, sign: k.signs(distro)}
		part.spec.Repo = k.repoFile(s, distro)
		switch {
		case !slices.ContainsFunc(ds.Architectures, func(a string) bool { return a != layout.SRPMS }):
			without = append(without, part.of+" has no architecture")
		case !part.sign && len(s.PackageKeys) > 0:
			without = append(without, fmt.Sprintf("clients of %s check signatures of packages, and their rpm reads none of %s", part.of, k.algorithm))
		default:
			all = append(all, part)
		}
	}
	if len(deb.places) > 0 {
		all = append(all, deb)
	}
	return all, without
}

// signs reports whether rpm of a distribution reads signatures of packages by the key.
func (k keyringSource) signs(distro layout.Distro) bool {
	return strings.HasPrefix(k.algorithm, "RSA") || k.algorithm == "Ed25519" && !distro.RSAOnly
}

// repoFile returns the configuration that is in the package of a distribution. That of a private repository has a host's
// token in it: the package has nothing to do with it, unless it was in an earlier one. Then to leave it out would have
// rpm put it away, with the token.
func (k keyringSource) repoFile(s catalog.Settings, distro layout.Distro) keypack.RepoFile {
	file := keypack.RepoFile{Path: layout.RepoPath(s.Repository, distro.Client)}
	switch {
	case s.Visibility != catalog.Private:
		file.Body = k.repo(s, distro.Distribution)
	case s.Keyring != nil && s.Keyring.Repo:
		file.Ghost = true
	default:
		return keypack.RepoFile{}
	}
	return file
}

// KeyringTaken says why a repository's keyring package cannot be made, or nothing: a pushed package has its name.
// rows are those of the name; those that were withdrawn do not count.
func KeyringTaken(s catalog.Settings, rows []catalog.Package) error {
	made := s.Keyring != nil && s.Keyring.Version != ""
	for _, k := range rows {
		version := strings.TrimSuffix(k.Version, "-1")
		if k.State == catalog.Yanked || made && layout.ValidKeyringVersion(version) {
			continue
		}
		return fmt.Errorf("%s %s in %s is a package of yours under the name that the keyring package has: withdraw it (repomill yank %s/%s %s=%s), and build it under another name",
			k.Name, k.Version, k.Distribution, s.Repository, k.Distribution, k.Name, k.Version)
	}
	return nil
}
