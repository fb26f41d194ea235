package client

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

// Ls is the command that lists packages.
type Ls struct {
	CatalogFlags
	Target string `arg:"" help:"Distribution: owner/name/os/version, for DEB also /component, for RPM also /arch."`
	Name   string `arg:"" optional:"" help:"NAME[=VERSION]: only this package, or only this version of it."`
	JSON   bool   `name:"json" help:"Print one JSON object per line."`
}

// Run prints the packages in the order of the indexes.
func (c *Ls) Run(ctx context.Context, io Stdio) error {
	target := strings.Trim(c.Target, "/")
	if n := strings.Count(target, "/"); n != 3 && n != 4 {
		return command.Usage("target %q: use owner/name/os/version[/component or /arch], such as acme/tools/el/9", c.Target)
	}
	if err := CheckTarget(target); err != nil {
		return err
	}
	name, version, err := parsePackage(c.Name)
	if err != nil {
		return err
	}
	db, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	l := Listing{Target: target, Name: name, Version: version}
	if c.JSON {
		return l.Show(ctx, db, func(k catalog.Package) { PrintJSON(io.Out, k) })
	}
	t := &packageTable{out: tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)}
	if err := l.Show(ctx, db, t.add); err != nil {
		return errors.Join(err, t.out.Flush())
	}
	return t.end()
}

// parsePackage parses NAME or NAME=VERSION. Both are empty for all packages.
func parsePackage(s string) (name, version string, err error) {
	name, version, versioned := strings.Cut(s, "=")
	if s != "" && name == "" || versioned && version == "" {
		return "", "", command.Usage("package %q: use NAME or NAME=VERSION, such as hello=1.0", s)
	}
	return name, version, nil
}

// A packageTable prints packages in columns. It aligns maxLines lines at a time.
type packageTable struct {
	out   *tabwriter.Writer
	lines int
}

const maxLines = 10_000 // in memory

func (t *packageTable) add(k catalog.Package) {
	t.begin()
	fmt.Fprintf(t.out, "%s\t%s\t%s\t%s\t%d\t%s\n", k.Name, k.Version, k.Arch, cmp.Or(k.Component, "-"), k.File.Size, k.Uploaded.Format("2006-01-02 15:04:05"))
	if t.lines++; t.lines%maxLines == 0 {
		t.out.Flush() //nolint:errcheck // the last one returns the error, too
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

// Help describes the exit codes.
func (Ls) Help() string {
	return `Exit codes:
  0  listed, also if the distribution is empty
  1  the distribution or package does not exist; the standard error names those that exist
  2  usage
  4  the catalog cannot be reached

Examples:
  ${program} ls acme/tools/ubuntu/jammy
  ${program} ls acme/tools/el/9/x86_64 hello
  ${program} ls acme/tools/el/9 hello=1.0-1`
}
