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
)

type unyankCmd struct {
	catalogFlags
	yankTarget
	actorFlags
}

// Help describes the exit codes.
func (unyankCmd) Help() string {
	return `Exit codes:
  0  clients see the package again, or it was not withdrawn
  1  the package does not exist, or its file was removed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached

Example:
  repomill unyank acme/tools/ubuntu/jammy hello=1.0`
}

// Run restores withdrawn packages, and waits until clients see them.
func (c *unyankCmd) Run(ctx context.Context, io stdio) error {
	w, err := c.which()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	was, err := yankedOf(ctx, db, w)
	if err != nil {
		return noPackage(ctx, db, w, err)
	}
	packages, err := db.Unyank(ctx, w, now)
	if errors.Is(err, catalogdb.ErrRemoved) {
		return fmt.Errorf("%s %s cannot be restored: its file was removed; push it under a new version", w.Name, w.Version)
	}
	if errors.Is(err, catalogdb.ErrRetired) {
		return err
	}
	if err != nil {
		return noPackage(ctx, db, w, err)
	}
	if err := c.seen(ctx, io, db, w, catalog.Active); err != nil {
		return err
	}
	for _, k := range packages {
		if !was[k.Key] {
			fmt.Fprintf(io.out, "was not yanked: %s %s %s in %s %s\n", k.Name, k.Version, k.Arch, w.Repository, within(k.Distribution, k.Component))
			continue
		}
		fmt.Fprintf(io.out, "unyanked: %s %s %s in %s %s\n", k.Name, k.Version, k.Arch, w.Repository, within(k.Distribution, k.Component))
	}
	return nil
}

// yankedOf returns the keys of the packages that are withdrawn now.
func yankedOf(ctx context.Context, db *catalogdb.DB, w catalogdb.PackageSelector) (map[string]bool, error) {
	all, err := db.Appearances(ctx, w)
	yanked := map[string]bool{}
	for _, a := range all {
		if a.Package.State == catalog.Yanked {
			yanked[a.Package.Key] = true
		}
	}
	return yanked, err
}

// noPackage returns an error that names what exists in place of a package that yank or unyank did not find.
func noPackage(ctx context.Context, db *catalogdb.DB, w catalogdb.PackageSelector, err error) error {
	if !errors.Is(err, catalogdb.ErrNotFound) {
		return command.Fault(err)
	}
	distribution := w.Repository.String() + "/" + w.Distribution.String()
	if err := client.WhyNothing(ctx, db, distribution); err != nil {
		return err
	}
	if err := elsewhere(ctx, db, w); err != nil {
		return err
	}
	err = client.Listing{Target: distribution, Name: w.Name, Version: w.Version}.Show(ctx, db, func(catalog.Package) {})
	if err != nil {
		return err
	}
	return fmt.Errorf("there is no %s %s in %s; repomill ls %s lists what is", w.Name, w.Version, distribution, distribution)
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
