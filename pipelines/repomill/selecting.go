package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// parsePackageTarget reads the target of a command on packages. What cannot be a target is a usage error.
func parsePackageTarget(s string) (catalog.PackageTarget, error) {
	t, err := catalog.ParsePackageTarget(s)
	if err != nil {
		return t, command.Usage("%w", err)
	}
	if err := client.CheckTarget(s); err != nil {
		return t, err
	}
	if t.Component != "" {
		if rej := layout.CheckComponent(t.Component); rej != nil {
			return t, command.Usage("target %q: %s", s, rej.Detail)
		}
	}
	return t, nil
}

// parsePatterns reads the packages of a command line.
func parsePatterns(texts []string) (patterns []catalog.Pattern, err error) {
	for _, s := range texts {
		p, err := catalog.ParsePattern(s)
		if err != nil {
			return nil, command.Usage("%w", err)
		}
		patterns = append(patterns, p)
	}
	return patterns, nil
}

// An unmatched error says that a pattern selects nothing. [explained] replaces it by a sentence that names what exists instead.
type unmatched struct{ pattern catalog.Pattern }

func (e unmatched) Error() string { return "there is no " + e.pattern.String() }

// explained returns the error of a transaction on selected packages as the user reads it. refused is what the decision in it
// returned.
func explained(ctx context.Context, db *catalogdb.DB, s catalogdb.Selection, refused, err error) error {
	var none unmatched
	switch {
	case err == nil:
		return nil
	case errors.As(refused, &none):
		return nothingSelected(ctx, db, s.Target, s.Arch, none.pattern)
	case refused != nil && errors.Is(err, refused):
		return refused
	case errors.Is(err, catalogdb.ErrNotFound):
		return nothingSelected(ctx, db, s.Target, s.Arch, s.Patterns[0])
	case errors.Is(err, catalogdb.ErrTooMany), errors.Is(err, catalogdb.ErrRemoved), errors.Is(err, catalogdb.ErrRetired), errors.Is(err, catalogdb.ErrDeleted), errors.Is(err, catalogdb.ErrOtherBytes):
		return err
	}
	return command.Fault(err)
}

// nothingSelected returns an error that names what exists in place of what a pattern selects in a target.
func nothingSelected(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget, arch string, p catalog.Pattern) error {
	target := t.WithoutComponent().String()
	s, err := db.Settings(ctx, t.Repository)
	if err != nil && (t.Whole() || !errors.Is(err, catalogdb.ErrNotFound)) {
		return client.NotDeclared(ctx, db, t.Repository, err)
	}
	if of, del := s.DeletedTarget(t.Distribution, t.Component); err == nil && del != nil {
		return fmt.Errorf("%s %s: %s", of.Kind(), of, del)
	}
	if err := client.WhyNothing(ctx, db, target); err != nil {
		return err
	}
	name, version := p.LiteralName(), p.LiteralVersion()
	if name != "" && version != "" && !t.Whole() {
		w := catalogdb.PackageSelector{Repository: t.Repository, Distribution: t.Distribution, Component: t.Component, Name: name, Version: version, Arch: arch}
		if err := elsewhere(ctx, db, w); err != nil {
			return err
		}
	}
	ds, has := s.Find(t.Distribution)
	if has && ds.Format == catalog.RPM && t.Component != "" {
		return command.Usage("target %s: RPM distributions have no components: leave out /%s; an architecture is named as NAME=VERSION:ARCH", t, t.Component)
	}
	if name != "" || !t.Whole() && !has {
		if err := (client.Listing{Target: target, Name: name, Version: version}).Show(ctx, db, func(catalog.Package) {}); err != nil {
			return err
		}
	}
	what := p.String()
	if arch != "" {
		what += " for " + arch
	}
	return fmt.Errorf("there is no %s in %s; repomill ls lists what is", what, t)
}

// nameOf returns "name version architecture".
func nameOf(k catalog.Package) string { return k.Name + " " + k.Version + " " + k.Arch }

// textsOf returns patterns as they were typed.
func textsOf(patterns []catalog.Pattern) []string {
	texts := make([]string, len(patterns))
	for i, p := range patterns {
		texts[i] = p.String()
	}
	return texts
}

// few joins the first of some texts, and says how many more there are.
func few(texts []string, total int) string {
	text := strings.Join(texts, "; ")
	if n := total - len(texts); n > 0 {
		text += fmt.Sprintf("; and %d more", n)
	}
	return text
}

// elsewhere returns an error that names the architectures and components in which the distribution has the version, if the
// selector names another one.
func elsewhere(ctx context.Context, db *catalogdb.DB, w catalogdb.PackageSelector) error {
	if w.Arch == "" && w.Component == "" {
		return nil
	}
	everywhere := w
	everywhere.Arch, everywhere.Component = "", ""
	all, err := db.Appearances(ctx, everywhere)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return nil
	}
	if err != nil {
		return command.Fault(err)
	}
	var arches, components []string
	for _, a := range all {
		arches = append(arches, a.Package.Arch)
		if a.Package.Component != "" {
			components = append(components, a.Package.Component)
		}
	}
	slices.Sort(arches)
	slices.Sort(components)
	arches, components = slices.Compact(arches), slices.Compact(components)
	distribution := w.Repository.String() + "/" + w.Distribution.String()
	use := fmt.Sprintf("use %s %s=%s --arch %s", distribution, w.Name, w.Version, arches[0])
	switch {
	case w.Component != "" && len(components) == 0:
		return fmt.Errorf("%s/%s names an architecture in the target, where yank takes none; %s %s is there as %s: %s",
			distribution, w.Component, w.Name, w.Version, strings.Join(arches, ", "), use)
	case w.Component != "" && !slices.Contains(components, w.Component):
		return fmt.Errorf("there is no %s %s in %s/%s; it is in component %s: use %s/%s %s=%s",
			w.Name, w.Version, distribution, w.Component, strings.Join(components, ", "), distribution, components[0], w.Name, w.Version)
	}
	return fmt.Errorf("there is no %s %s for %s in %s; it is there as %s: %s", w.Name, w.Version, w.Arch, distribution, strings.Join(arches, ", "), use)
}
