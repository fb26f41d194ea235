package client

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// CatalogFlags name the catalog: in the folder of repomill up, or by URL.
type CatalogFlags struct {
	Data    string `default:"./data" help:"Folder of repomill up."`
	Catalog string `help:"URL of the catalog, if it is not in --data."`
}

// URL returns the URL of the catalog.
func (f CatalogFlags) URL() string {
	if f.Catalog == "" {
		return "sqlite://" + f.Data + "/catalog.db"
	}
	return f.Catalog
}

// Open opens the catalog. It creates none, and returns an error with advice if the catalog does not exist or does not answer.
func (f CatalogFlags) Open(ctx context.Context) (*catalogdb.DB, error) {
	if f.Catalog == "" && f.Data == "" {
		return nil, command.Usage("--data: name the folder of repomill up")
	}
	url := f.URL()
	path, local := strings.CutPrefix(url, "sqlite://")
	if local && !catalogdb.HasSQLite {
		return nil, command.Usage("the catalog is a file, and this program reads only catalogs on a server: run repomill on the machine with the file, or name a server with --catalog mysql://USER@HOST/DB")
	}
	if local && path != "" {
		_, err := os.Stat(path)
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
		if _, err := os.Stat(f.Data + "/bucket"); absent && f.Catalog == "" && err == nil {
			return nil, command.Fault(fmt.Errorf("the catalog %s is lost: start repomill up, which rebuilds it from the bucket, or create one with repomill migrate --catalog sqlite://%s", path, path))
		}
		if absent && f.Catalog == "" {
			return nil, command.Fault(fmt.Errorf("there is no catalog %s: name the folder of repomill up with --data, or the catalog with --catalog", path))
		} else if absent {
			return nil, command.Fault(fmt.Errorf("there is no catalog %s: create one with repomill migrate --catalog, or name another", path))
		}
	}
	db, err := catalogdb.Open(url) // connects to no server
	if err != nil {
		return nil, command.Usage("%w", err)
	}
	if err := db.Ping(ctx); err != nil { // its error is clearer than that of the first query
		db.Close() //nolint:errcheck // nothing was done
		return nil, command.Fault(err)
	}
	return db, nil
}

// Status is the command that shows releases, uploads and the backlog or, with a package, where it is out and where not.
type Status struct {
	CatalogFlags
	Target  string `arg:"" optional:"" help:"Only releases and uploads below owner[/name[/os[/version]]]."`
	Package string `arg:"" optional:"" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH, with globs: show where below the target it is out, and where not."`
	JSON    bool   `name:"json" help:"Print JSON."`
	Limit   int    `default:"20" help:"How many uploads to show."`

	Verify    bool   `help:"With a package: fetch the indexes, and ask for the files, through the public URL now, and say what a client sees."`
	PublicURL string `name:"public-url" help:"With --verify: URL under which clients reach the resolver; default: that of the last repomill up on --data."`
	TokenFile string `type:"path" help:"With --verify: file with a token that opens the repository, if it is private."`
}

// Run prints the report.
func (c *Status) Run(ctx context.Context, io Stdio) error {
	if c.Limit < 0 {
		return command.Usage("--limit %d: use 0 or more", c.Limit)
	}
	if c.Target = strings.Trim(c.Target, "/"); c.Target != "" {
		if err := CheckTarget(c.Target); err != nil {
			return err
		}
	}
	if c.Verify && c.Package == "" {
		return command.Usage("--verify: name a package, as in repomill status acme/tools hello=1.0 --verify")
	}
	var pattern catalog.Pattern
	if c.Package != "" {
		var err error
		if pattern, err = catalog.ParsePattern(c.Package); err != nil {
			return command.Usage("%w", err)
		}
	}
	db, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.Package != "" {
		return c.whereis(ctx, io, db, pattern)
	}
	report, err := c.report(ctx, db)
	if err != nil {
		return command.Fault(err)
	}
	if c.JSON {
		PrintJSON(io.Out, report)
		return nil
	}
	if len(report.Releases) == 0 {
		if err := c.explainNone(ctx, io, db, len(report.Uploads) > 0); err != nil {
			return err
		}
	}
	printReport(io, report, time.Now())
	return nil
}

// explainNone prints why there is no release below the target. It returns an error that names a similar target if the catalog
// has neither a repository nor an upload there.
func (c *Status) explainNone(ctx context.Context, io Stdio, db *catalogdb.DB, uploads bool) error {
	if c.Target == "" {
		fmt.Fprintln(io.Out, "nothing is published yet")
		if uploads {
			fmt.Fprintln(io.Out)
		}
		return nil
	}
	all, err := db.Repositories(ctx)
	if err != nil {
		return command.Fault(err)
	}
	declared := false
	for _, s := range all {
		if below(s.Repository.String(), c.Target) {
			fmt.Fprintln(io.Out, noDistributions(s.Repository))
			declared = true
		}
	}
	if declared || uploads {
		return nil
	}
	return c.unknown(ctx, db, all)
}

// unknown returns an error for a target that does not exist, which names a similar one.
func (c *Status) unknown(ctx context.Context, db *catalogdb.DB, all []catalog.Settings) error {
	if err := WhyNothing(ctx, db, c.Target); err != nil {
		return err
	}
	var known []string
	for _, s := range all {
		r := s.Repository.String()
		known = append(known, s.Repository.Owner, r)
		for _, d := range s.Distributions {
			known = append(known, r+"/"+d.Distribution.OS, r+"/"+d.Distribution.String())
		}
	}
	if near := layout.Nearest(c.Target, known); near != "" {
		return fmt.Errorf("nothing is known of %s; did you mean %s?", c.Target, near)
	}
	return fmt.Errorf("nothing is known of %s; repomill repo list shows the repositories", c.Target)
}

// below reports whether a path is the target or below it.
func below(path, target string) bool {
	target = strings.Trim(target, "/")
	return target == "" || path == target || strings.HasPrefix(path, target+"/")
}

// Help describes the exit codes.
func (Status) Help() string {
	return `Of a repository or a part of it, lines say what else is with it, if there is anything: snapshots and their rule, packages that release
trains hold, rules of retention and what workers did by them last, phases that are not at 100 %, and its deletion.

With a package: where it is out, since when and since which revision (place@revision), and why it is not elsewhere. It is waiting for a
publish, held by a release train, claimed, received or rejected (an upload, known by the name of its file), yanked, or absent: then the
name is there in other versions, or not at all. Of one version the snapshots are counted that have it. A package in a phase says how many
hosts upgrade to it. Places with equal states are printed together; --json has
one object for each release. An RPM has its release in
its version: hello=1.0* is DEB 1.0 and RPM 1.0-1. --verify asks the server for pointer, index and file as a client does that has the keys
which the repository gives out now.

The command reads the catalog, not --server. Browsers show the state of one repository at /OWNER/NAME/status/ of the server, to those who
send an API token as user name.

Exit codes:
  0  reported; with a package: it is out everywhere where its name is, for all architectures of the name
  1  the target does not exist; with a package: it is not out everywhere where its name is, or the name is nowhere
  2  usage
  4  the catalog cannot be reached; with --verify: the server cannot be asked

Examples:
  ${program} status acme/tools
  ${program} status acme/tools hello=1.0
  ${program} status acme/tools 'hello*=1.0*' --verify`
}
