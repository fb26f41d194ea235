package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type lsCmd struct {
	catalogFlags
	Target string `arg:"" help:"Distribution: owner/name/os/version, for DEB also /component, for RPM also /arch."`
	Name   string `arg:"" optional:"" help:"Only this package."`
	JSON   bool   `name:"json" help:"Print one JSON object a line."`
}

// Run prints the packages in the order of the indexes.
func (c *lsCmd) Run(ctx context.Context, io stdio) error {
	target := strings.Trim(c.Target, "/")
	if n := strings.Count(target, "/"); n != 3 && n != 4 {
		return usage("target %q: use owner/name/os/version[/component or /arch], such as acme/tools/el/9", c.Target)
	}
	db, err := c.open()
	if err != nil {
		return err
	}
	defer db.Close()
	packages, err := list(ctx, db, target, c.Name)
	if err != nil {
		return err
	}
	if c.JSON {
		for _, k := range packages {
			printJSON(io, k)
		}
		return nil
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "NAME\tVERSION\tARCH\tCOMPONENT\tSIZE\tSINCE")
	for _, k := range packages {
		component := k.Component
		if component == "" {
			component = "-"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%d\t%s\n", k.Name, k.Version, k.Arch, component, k.File.Size, k.Uploaded.Format("2006-01-02 15:04:05"))
	}
	return nil
}

// list returns the packages of the releases at or below target, or of one component of a DEB release; one
// that several releases show counts once.
func list(ctx context.Context, db *catalogdb.DB, target, name string) ([]catalog.Package, error) {
	states, err := db.Releases(ctx)
	if err != nil {
		return nil, unreachable(err)
	}
	var all []catalog.Package
	seen, known := map[string]bool{}, []string{}
	for _, s := range states {
		release := s.Release.String()
		known = append(known, release)
		component, isComponent := strings.CutPrefix(target, release+"/")
		if isComponent = isComponent && s.Release.Arch == ""; !isComponent && !below(release, target) {
			continue
		}
		packages, err := db.Packages(ctx, s.Release, name)
		if err != nil {
			return nil, unreachable(err)
		}
		for _, k := range packages {
			if !seen[k.Key] && (!isComponent || k.Component == component) {
				seen[k.Key] = true
				all = append(all, k)
			}
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	what := target
	if name != "" {
		what = name + " in " + target
	}
	if near := layout.Nearest(target, known); near != "" && near != target {
		return nil, fmt.Errorf("there is no %s; did you mean %s?", what, near)
	}
	if slices.ContainsFunc(known, func(r string) bool { return below(r, target) }) && name == "" {
		return nil, nil // it is there, and empty
	}
	return nil, fmt.Errorf("there is no %s; repomill status lists what is", what)
}
