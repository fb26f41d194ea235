package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/publish/keys"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// keyringHelp is the help of --keyring-package.
const keyringHelp = `
With --keyring-package on, a worker makes OWNER-NAME-archive-keyring for each DEB distribution and component, and OWNER-NAME-release for each RPM
distribution. A change of the keys makes a new version of them: hosts that install them and upgrade survive the change of a signing key. A "_" in
a name becomes "+". The worker writes them to staging, and needs the right to do so. The .sources file then names the key file
that the package owns, and repomill hint prints the lines that write both. Hosts that were set up before have the key in their .sources
file, which apt never updates: run the lines of repomill hint on them again.
`

// keyring sets in s whether the repository has a keyring package.
func (c repositoryFlags) keyring(s *catalog.Settings) {
	switch {
	case c.KeyringPackage == "on" && s.Keyring == nil:
		s.Keyring = &catalog.KeyringPackage{On: true}
	case c.KeyringPackage != "" && s.Keyring != nil:
		changed := *s.Keyring
		changed.On = c.KeyringPackage == "on"
		s.Keyring = &changed
	}
}

// checkKeyring returns an error if the name of the keyring package is taken by a package of the repository, or by the keyring
// package of another repository: a host could not install both.
func (c repositoryFlags) checkKeyring(ctx context.Context, db *catalogdb.DB, s catalog.Settings) error {
	if c.KeyringPackage != "on" || s.Keyring != nil && s.Keyring.On {
		return nil
	}
	for _, f := range []catalog.Format{catalog.DEB, catalog.RPM} {
		rows, err := db.PackagesNamed(ctx, s.Repository, f, layout.KeyringName(s.Repository, f))
		if err != nil {
			return command.Fault(err)
		}
		if err := pipelines.KeyringTaken(s, rows); err != nil {
			return err
		}
	}
	others, err := db.KeyringRepositories(ctx)
	if err != nil {
		return command.Fault(err)
	}
	for other := range others {
		if name := layout.KeyringName(s.Repository, catalog.DEB); other != s.Repository && layout.KeyringName(other, catalog.DEB) == name {
			return fmt.Errorf("the keyring package of %s has the name %s already, which that of %s would have: no host could have both", other, name, s.Repository)
		}
	}
	return nil
}

// warnOfKeyring names the hosts on which the user must act after the keyring package was switched on or off.
func (c repositoryFlags) warnOfKeyring(io stdio, was, s catalog.Settings) {
	before := was.Keyring != nil && was.Keyring.On
	switch {
	case c.KeyringPackage == "on" && !before && s.Revision.Number > 1:
		fmt.Fprintf(io.err, "warning: hosts that were set up before have the key inside of their .sources file, where no package reaches it: run the lines of repomill hint %s/DISTRIBUTION once more on them\n", s.Repository)
	case c.KeyringPackage == "off" && before && was.Keyring.Version != "":
		fmt.Fprintf(io.err, "warning: hosts whose .sources file names %s in Signed-By, and whose .repo file names the key file of the package, keep the keys that they have: no later key reaches them. Before the next change of keys, run the lines of repomill hint %s/DISTRIBUTION on them, or set --keyring-package on again\n",
			layout.KeyringPath(s.Repository, catalog.DEB), s.Repository)
	}
}

// awaitKeyring waits until hosts can install the keyring packages.
func (f awaitFlags) awaitKeyring(ctx context.Context, db *catalogdb.DB, r catalog.Repository) error {
	return f.until(ctx, db, awaited{"the keyring package is not published", "it is made"}, func(ctx context.Context) (string, error) {
		s, err := db.Settings(ctx, r)
		if err != nil {
			return "", command.Fault(err)
		}
		switch {
		case s.Keyring == nil || !s.Keyring.On || len(s.Distributions) == 0:
			return "", nil // switched off since, or without a distribution to publish it for
		case s.Keyring.Version == "":
			return "no worker has made it; the log of the worker says why", nil
		}
		return keyringMissing(ctx, db, s)
	})
}

// keyringMissing names a release in which the last version of the keyring package is not published; empty if there is none.
func keyringMissing(ctx context.Context, db *catalogdb.DB, s catalog.Settings) (string, error) {
	for _, ds := range s.Distributions {
		w := catalogdb.PackageSelector{Repository: s.Repository, Distribution: ds.Distribution, Name: layout.KeyringName(s.Repository, catalog.RPM), Version: s.Keyring.Version + "-1"}
		of := ds.Distribution.String()
		if ds.Format == catalog.DEB {
			w.Name, w.Version, of = layout.KeyringName(s.Repository, catalog.DEB), s.Keyring.Version, string(catalog.DEB)
		}
		if !slices.ContainsFunc(s.Keyring.Files, func(f catalog.KeyringFile) bool { return f.For == of }) {
			continue // its clients could not use one
		}
		all, err := db.Appearances(ctx, w)
		if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
			return "", command.Fault(err)
		}
		if len(all) < len(ds.Components) || len(all) == 0 {
			return fmt.Sprintf("%s %s is not in %s; if this lasts, the log of the worker says why", w.Name, w.Version, ds.Distribution), nil
		}
		for _, a := range all {
			if !a.Published {
				return notPublished(a.Release, a.Fault), nil
			}
		}
	}
	return "", nil
}

// keyringsWithout names the repositories with keyring packages of which no published version has the key k.
func (s *keySite) keyringsWithout(ctx context.Context, k keys.Key) (found []string, err error) {
	on, err := s.db.KeyringRepositories(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	for _, r := range slices.SortedFunc(maps.Keys(on), func(a, b catalog.Repository) int { return strings.Compare(a.String(), b.String()) }) {
		settings, err := s.db.Settings(ctx, r)
		if err != nil {
			return nil, command.Fault(err)
		}
		why := ""
		switch made := settings.Keyring; {
		case made == nil || len(settings.Distributions) == 0:
			continue
		case made.Version == "":
			why = "no worker has made it yet"
		case !made.Has(k.Fingerprint, k.Added):
			why = "its last version " + made.Version + " does not have the key"
		default:
			if why, err = keyringMissing(ctx, s.db, settings); err != nil {
				return nil, err
			}
		}
		if why != "" {
			found = append(found, fmt.Sprintf("keyring package of %s: %s", r, why))
		}
	}
	return found, nil
}

// keyringText describes the keyring package of a repository in a list.
func keyringText(s catalog.Settings) string {
	switch {
	case s.Keyring == nil || !s.Keyring.On:
		return ""
	case s.Keyring.Version == "":
		return ", keyring package not made yet"
	}
	return ", keyring package " + s.Keyring.Version
}
