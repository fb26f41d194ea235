package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

type lsCmd struct {
	catalogFlags
	Target string `arg:"" help:"Distribution: owner/name/os/version, for DEB also /component, for RPM also /arch."`
	Name   string `arg:"" optional:"" help:"NAME[=VERSION]: only this package, or only this version of it."`
	JSON   bool   `name:"json" help:"Print one JSON object a line."`
}

// Run prints the packages in the order of the indexes.
func (c *lsCmd) Run(ctx context.Context, io stdio) error {
	target := strings.Trim(c.Target, "/")
	if n := strings.Count(target, "/"); n != 3 && n != 4 {
		return command.Usage("target %q: use owner/name/os/version[/component or /arch], such as acme/tools/el/9", c.Target)
	}
	if err := checkTarget(target); err != nil {
		return err
	}
	name, version, err := parsePackage(c.Name)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	l := listing{target: target, name: name, version: version}
	if c.JSON {
		return l.show(ctx, db, func(k catalog.Package) { printJSON(io, k) })
	}
	t := &packageTable{out: tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)}
	if err := l.show(ctx, db, t.add); err != nil {
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
