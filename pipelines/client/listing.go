package client

import (
	"context"
	"fmt"
	"iter"
	"path"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A Listing selects the packages of the releases at or below a target, or of one component of a DEB release.
type Listing struct {
	Target        string
	Name, Version string // empty: all
}

// Show calls f for each package in the order of the indexes, and once for a package that several releases have. If there is
// none, it returns an error that names what exists instead, except for all packages of a release that is empty. Faults of the
// catalog have the exit code [command.Unreachable].
func (l Listing) Show(ctx context.Context, db *catalogdb.DB, f func(catalog.Package)) error {
	states, err := db.Releases(ctx)
	if err != nil {
		return command.Fault(err)
	}
	shown := false
	var versions []string // of the name
	for k, err := range l.packages(ctx, db, states, l.Name) {
		if err != nil {
			return command.Fault(err)
		}
		if l.Version == "" || k.Version == l.Version {
			shown = true
			f(k)
		} else if !slices.Contains(versions, k.Version) {
			versions = append(versions, k.Version)
		}
	}
	switch {
	case shown:
		return nil
	case len(versions) > 0:
		return fmt.Errorf("there is no %s %s in %s; it has version %s", l.Name, l.Version, l.Target, newestOf(versions))
	}
	return l.nothing(ctx, db, states)
}

// newestOf lists the last versions.
func newestOf(versions []string) string {
	const most = 10
	if n := len(versions) - most; n > 0 {
		return fmt.Sprintf("%s, and %d more", strings.Join(versions[n:], ", "), n)
	}
	return strings.Join(versions, ", ")
}

// packages yields the packages of a name, or of all, in the releases that the target names.
func (l Listing) packages(ctx context.Context, db *catalogdb.DB, states []catalogdb.ReleaseState, name string) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		seen := map[string]bool{} // of packages that several releases show
		for _, s := range states {
			component, covered := l.covers(s.Release)
			if !covered {
				continue
			}
			for k, err := range db.List(ctx, s.Release, name) {
				if err == nil && (component != "" && k.Component != component || seen[k.Key]) {
					continue
				}
				if k.Arch == layout.Noarch {
					seen[k.Key] = true
				}
				if !yield(k, err) || err != nil {
					return
				}
			}
		}
	}
}

// covers reports whether a release is at or below the target, or has the component that the target names.
func (l Listing) covers(r catalog.Release) (component string, covered bool) {
	component, covered = strings.CutPrefix(l.Target, r.String()+"/")
	if covered && r.Arch == "" {
		return component, true
	}
	return "", below(r.String(), l.Target)
}

// nothing returns an error that names what exists instead of a target or a name; nil if the target is an empty release.
func (l Listing) nothing(ctx context.Context, db *catalogdb.DB, states []catalogdb.ReleaseState) error {
	var known []string
	covered, whole := false, false
	for _, s := range states {
		r := s.Release
		component, is := l.covers(r)
		covered, whole = covered || is, whole || is && component == ""
		known = append(known, catalog.Release{Repository: r.Repository, Distribution: r.Distribution}.String(), r.String())
	}
	if !covered {
		if err := WhyNothing(ctx, db, l.Target); err != nil {
			return err
		}
	}
	switch near := layout.Nearest(l.Target, known); {
	case !covered && near != "":
		return fmt.Errorf("there is no %s; did you mean %s?", l.Target, near)
	case !covered:
		return fmt.Errorf("there is no %s; repomill status lists the releases", l.Target)
	case l.Name == "" && whole:
		return nil // the release exists and is empty
	}
	names, err := l.names(ctx, db, states)
	near := layout.Nearest(l.Name, names)
	switch {
	case err != nil:
		return command.Fault(err)
	case len(names) == 0 && !whole:
		return fmt.Errorf("there is no package in %s; repomill ls %s lists those of its distribution", l.Target, path.Dir(l.Target))
	case len(names) == 0:
		return fmt.Errorf("there is no %s in %s, which is empty", l.Name, l.Target)
	case near != "":
		return fmt.Errorf("there is no %s in %s; did you mean %s?", l.Name, l.Target, near)
	}
	return fmt.Errorf("there is no %s in %s; repomill ls %s lists its packages", l.Name, l.Target, l.Target)
}

// maxNames bounds the number of names that are searched for a similar one.
const maxNames = 50_000

func (l Listing) names(ctx context.Context, db *catalogdb.DB, states []catalogdb.ReleaseState) (names []string, err error) {
	for k, err := range l.packages(ctx, db, states, "") {
		if err != nil {
			return nil, err
		}
		if names = append(names, k.Name); len(names) == maxNames {
			break
		}
	}
	return names, nil
}
