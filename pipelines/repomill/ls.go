package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"repomill/pipelines/command"
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
		return command.Usage("target %q: use owner/name/os/version[/component or /arch], such as acme/tools/el/9", c.Target)
	}
	db, err := c.open()
	if err != nil {
		return err
	}
	defer db.Close()
	if c.JSON {
		return list(ctx, db, target, c.Name, func(k catalog.Package) { printJSON(io, k) })
	}
	t := &packageTable{out: tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)}
	if err := list(ctx, db, target, c.Name, t.add); err != nil {
		return errors.Join(err, t.out.Flush())
	}
	return t.end()
}

// A packageTable prints packages in columns, which are as wide as the next lines need.
type packageTable struct {
	out   *tabwriter.Writer
	lines int
}

const maxLines = 10_000 // in memory

func (t *packageTable) add(k catalog.Package) {
	t.begin()
	fmt.Fprintf(t.out, "%s\t%s\t%s\t%s\t%d\t%s\n", k.Name, k.Version, k.Arch, cmp.Or(k.Component, "-"), k.File.Size, k.Uploaded.Format("2006-01-02 15:04:05"))
	if t.lines++; t.lines%maxLines == 0 {
		t.out.Flush() //nolint:errcheck // the last one says it, too
	}
}

func (t *packageTable) begin() {
	if t.lines == 0 {
		fmt.Fprintln(t.out, "NAME\tVERSION\tARCH\tCOMPONENT\tSIZE\tSINCE")
		t.lines++
	}
}

func (t *packageTable) end() error {
	t.begin()
	return t.out.Flush()
}

// list shows the packages of the releases at or below target, or of one component of a DEB release, in order; one that
// several releases show counts once.
func list(ctx context.Context, db *catalogdb.DB, target, name string, show func(catalog.Package)) error {
	states, err := db.Releases(ctx)
	if err != nil {
		return command.Fault(err)
	}
	shown, known := 0, []string{}
	seen := map[string]bool{} // of packages that several releases show
	for _, s := range states {
		release := s.Release.String()
		known = append(known, release)
		component, isComponent := strings.CutPrefix(target, release+"/")
		if isComponent = isComponent && s.Release.Arch == ""; !isComponent && !below(release, target) {
			continue
		}
		for k, err := range db.List(ctx, s.Release, name) {
			if err != nil {
				return command.Fault(err)
			}
			if isComponent && k.Component != component || seen[k.Key] {
				continue
			}
			if k.Arch == layout.Noarch {
				seen[k.Key] = true
			}
			shown++
			show(k)
		}
	}
	if shown > 0 {
		return nil
	}
	what := target
	if name != "" {
		what = name + " in " + target
	}
	if near := layout.Nearest(target, known); near != "" && near != target {
		return fmt.Errorf("there is no %s; did you mean %s?", what, near)
	}
	if slices.ContainsFunc(known, func(r string) bool { return below(r, target) }) && name == "" {
		return nil // it is there, and empty
	}
	return fmt.Errorf("there is no %s; repomill status lists what is", what)
}
