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
	Target   string   `arg:"" help:"owner/name for all its distributions, or owner/name/os/version, for DEB also /component, for RPM also /arch."`
	Packages []string `arg:"" optional:"" name:"package" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH: only these packages. NAME and VERSION may have *, ? and [a-z]."`
	JSON     bool     `name:"json" help:"Print one JSON object per line, as they are read."`
}

// Run prints the packages in the order of the indexes.
func (c *Ls) Run(ctx context.Context, io Stdio) error {
	target := strings.Trim(c.Target, "/")
	whole := strings.Count(target, "/") == 1
	if n := strings.Count(target, "/"); !whole && n != 3 && n != 4 {
		return command.Usage("target %q: use owner/name[/os/version[/component or /arch]], such as acme/tools/el/9", c.Target)
	}
	if err := CheckTarget(target); err != nil {
		return err
	}
	l := Listing{Target: target}
	for _, s := range c.Packages {
		p, err := catalog.ParsePattern(s)
		if err != nil {
			return command.Usage("%w", err)
		}
		l.Patterns = append(l.Patterns, p)
	}
	db, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.JSON {
		return l.Show(ctx, db, func(k catalog.Package) { PrintJSON(io.Out, k) })
	}
	t := &packageTable{distributions: whole, out: tabwriter.NewWriter(io.Out, 0, 0, 2, ' ', 0)}
	if err := l.Show(ctx, db, t.add); err != nil {
		return errors.Join(err, t.out.Flush())
	}
	return t.end()
}

// A packageTable prints packages in columns. It aligns maxLines lines at a time.
type packageTable struct {
	out           *tabwriter.Writer
	distributions bool // a column has them
	digests       bool // the last column has them: the repository is mutable
	lines         int
}

const maxLines = 10_000 // in memory

func (t *packageTable) add(k catalog.Package) {
	if t.lines == 0 {
		t.digests = k.Variant != ""
	}
	t.begin()
	if t.distributions {
		fmt.Fprintf(t.out, "%s\t", k.Distribution)
	}
	digest := ""
	if t.digests {
		digest = "\t" + k.File.SHA256
	}
	fmt.Fprintf(t.out, "%s\t%s\t%s\t%s\t%d\t%s%s\n", k.Name, k.Version, k.Arch, cmp.Or(k.Component, "-"), k.File.Size, k.Uploaded.Format("2006-01-02 15:04:05"), digest)
	if t.lines++; t.lines%maxLines == 0 {
		t.out.Flush() //nolint:errcheck // the last one returns the error, too
	}
}

func (t *packageTable) begin() {
	if t.lines == 0 {
		if t.distributions {
			fmt.Fprint(t.out, "DISTRIBUTION\t")
		}
		fmt.Fprint(t.out, "NAME\tVERSION\tARCH\tCOMPONENT\tSIZE\tSINCE")
		if t.digests {
			fmt.Fprint(t.out, "\tSHA256")
		}
		fmt.Fprintln(t.out)
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
  1  the target does not exist, or a package is not in it; the standard error names those that exist
  2  usage
  4  the catalog cannot be reached

Examples:
  ${program} ls acme/tools/ubuntu/jammy
  ${program} ls acme/tools 'hello*' 'tools=1.*:amd64'
  ${program} ls acme/tools/el/9/x86_64 hello
  ${program} ls acme/tools/el/9 hello=1.0-1`
}
