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
	Name, Version string            // empty: all
	Patterns      []catalog.Pattern // none: all; not together with a name
}

// Show calls f for each package in the order of the indexes, and once for a package that several releases have. If there is
// none, it returns an error that names what exists instead, except for all packages of a release that is empty. Faults of the
// catalog have the exit code [command.Unreachable].
func (l Listing) Show(ctx context.Context, db *catalogdb.DB, f func(catalog.Package)) error {
	states, err := db.Releases(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if len(l.Patterns) > 0 {
		return l.showMatching(ctx, db, states, f)
	}
	shown := false
	var versions []string // of the name
	for k, err := range l.packages(ctx, states, func(r catalog.Release) iter.Seq2[catalog.Package, error] { return db.List(ctx, r, l.Name) }) {
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

// showMatching is Show of what patterns select. A pattern that selects nothing is an error, after all others are shown.
func (l Listing) showMatching(ctx context.Context, db *catalogdb.DB, states []catalogdb.ReleaseState, f func(catalog.Package)) error {
	found := make([]bool, len(l.Patterns))
	for k, err := range l.packages(ctx, states, func(r catalog.Release) iter.Seq2[catalog.Package, error] { return l.candidates(ctx, db, r) }) {
		if err != nil {
			return command.Fault(err)
		}
		any := false
		for i, p := range l.Patterns {
			if p.Matches(k) {
				any, found[i] = true, true
			}
		}
		if any {
			f(k)
		}
	}
	if !slices.ContainsFunc(states, func(s catalogdb.ReleaseState) bool { _, covered := l.covers(s.Release); return covered }) {
		return l.nothing(ctx, db, states)
	}
	for i, p := range l.Patterns {
		if found[i] {
			continue
		}
		if name := p.LiteralName(); name != "" { // an error that names what there is
			one := Listing{Target: l.Target, Name: name, Version: p.LiteralVersion()}
			if err := one.Show(ctx, db, func(catalog.Package) {}); err != nil {
				return err
			}
		}
		return fmt.Errorf("there is no %s in %s; repomill ls %s lists its packages", p, l.Target, l.Target)
	}
	return nil
}

// candidates yields the packages of a release whose names patterns may select, in order: those of all names that begin as a pattern does,
// each once.
func (l Listing) candidates(ctx context.Context, db *catalogdb.DB, r catalog.Release) iter.Seq2[catalog.Package, error] {
	var prefixes []string
	for _, p := range l.Patterns {
		prefix := p.NamePrefix()
		if p.LiteralName() != "" {
			prefix += "\x00" // this name alone
		}
		prefixes = append(prefixes, prefix)
	}
	slices.Sort(prefixes)
	return func(yield func(catalog.Package, error) bool) {
		last := ""
		for i, prefix := range prefixes {
			if i > 0 && strings.HasPrefix(prefix, last) {
				continue // the one before has it
			}
			last = prefix
			for k, err := range db.ListPrefix(ctx, r, prefix) {
				if !yield(k, err) {
					return
				}
			}
		}
	}
}

// packages yields the packages of the releases that the target names, as list has them.
func (l Listing) packages(ctx context.Context, states []catalogdb.ReleaseState, list func(catalog.Release) iter.Seq2[catalog.Package, error]) iter.Seq2[catalog.Package, error] {
	return func(yield func(catalog.Package, error) bool) {
		seen := map[string]bool{} // of packages that several releases show
		for _, s := range states {
			component, covered := l.covers(s.Release)
			if !covered {
				continue
			}
			for k, err := range list(s.Release) {
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
		known = append(known, r.Repository.String(), catalog.Release{Repository: r.Repository, Distribution: r.Distribution}.String(), r.String())
	}
	if !covered {
		return l.unknown(ctx, db, known)
	}
	if l.Name == "" && whole {
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

// unknown returns an error for a target that has no release, with one of the known ones that is near.
func (l Listing) unknown(ctx context.Context, db *catalogdb.DB, known []string) error {
	if err := WhyNothing(ctx, db, l.Target); err != nil {
		return err
	}
	if near := layout.Nearest(l.Target, known); near != "" {
		return fmt.Errorf("there is no %s; did you mean %s?", l.Target, near)
	}
	return fmt.Errorf("there is no %s; repomill status lists the releases", l.Target)
}

// maxNames bounds the number of names that are searched for a similar one.
const maxNames = 50_000

func (l Listing) names(ctx context.Context, db *catalogdb.DB, states []catalogdb.ReleaseState) (names []string, err error) {
	for k, err := range l.packages(ctx, states, func(r catalog.Release) iter.Seq2[catalog.Package, error] { return db.List(ctx, r, "") }) {
		if err != nil {
			return nil, err
		}
		if names = append(names, k.Name); len(names) == maxNames {
			break
		}
	}
	return names, nil
}
