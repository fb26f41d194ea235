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

// CatalogFlags say where the catalog is.
type CatalogFlags struct {
	Data    string `default:"./data" help:"Folder of repomill up."`
	Catalog string `help:"URL of the catalog, if it is not in --data."`
}

// Open opens the catalog, which must exist and answer.
func (f CatalogFlags) Open(ctx context.Context) (*catalogdb.DB, error) {
	url := f.Catalog
	if url == "" && f.Data == "" {
		return nil, command.Usage("--data: name the folder of repomill up")
	}
	if url == "" {
		url = "sqlite://" + f.Data + "/catalog.db"
	}
	path, local := strings.CutPrefix(url, "sqlite://")
	if local && !catalogdb.HasSQLite {
		return nil, command.Usage("the catalog is a file, which repomill reads and this program does not: run repomill on its machine, or name a catalog on a server with --catalog mysql://USER@HOST/DB")
	}
	if local && path != "" {
		_, err := os.Stat(path)
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
		if _, err := os.Stat(f.Data + "/bucket"); absent && f.Catalog == "" && err == nil {
			return nil, command.Fault(fmt.Errorf("the catalog %s is lost: start repomill up, which takes over what is published, or make one with repomill migrate --catalog sqlite://%s", path, path))
		}
		if absent && f.Catalog == "" {
			return nil, command.Fault(fmt.Errorf("there is no catalog %s: name the folder of repomill up with --data", path))
		} else if absent {
			return nil, command.Fault(fmt.Errorf("there is no catalog %s: make one with repomill migrate --catalog, or name another", path))
		}
	}
	db, err := catalogdb.Open(url) // which asks no server
	if err != nil {
		return nil, command.Usage("%w", err)
	}
	if err := db.Ping(ctx); err != nil { // which says better what is wrong than the first question does
		db.Close() //nolint:errcheck // nothing was done
		return nil, command.Fault(err)
	}
	return db, nil
}

// Status is the command that shows what is going on.
type Status struct {
	CatalogFlags
	Target  string `arg:"" optional:"" help:"Only what is below owner[/name[/os[/version]]]."`
	Package string `arg:"" optional:"" help:"NAME[=VERSION]: whether this package is out below the target, and where not."`
	JSON    bool   `name:"json" help:"Print JSON."`
	Limit   int    `default:"20" help:"How many uploads to show."`
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
	pkg, version, err := parsePackage(c.Package)
	if err != nil {
		return err
	}
	db, err := c.Open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if pkg != "" {
		return c.placements(ctx, io, db, pkg, version)
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

// parsePackage takes NAME or NAME=VERSION apart; both are empty for all packages.
func parsePackage(s string) (name, version string, err error) {
	name, version, versioned := strings.Cut(s, "=")
	if s != "" && name == "" || versioned && version == "" {
		return "", "", command.Usage("package %q: use NAME or NAME=VERSION, such as hello=1.0", s)
	}
	return name, version, nil
}

// explainNone says why there is no release at the target, or returns an error if nothing is known of it, with the nearest
// that is known. Of a target that has uploads nothing has to be said: they say it.
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

// unknown returns an error for a target that has nothing, which says what there is instead.
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
	return `Exit codes:
  0  the report; with a package: it is out somewhere below the target
  1  nothing is known of the target; with a package: it is out nowhere below it
  2  usage
  4  the catalog cannot be reached

Examples:
  repomill status acme/tools
  repomill status acme/tools hello=1.0`
}
