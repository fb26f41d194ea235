package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// catalogFlags say where the catalog is.
type catalogFlags struct {
	Data    string `default:"./data" help:"Folder of repomill up."`
	Catalog string `help:"URL of the catalog, if it is not in --data."`
}

// open opens the catalog, which must exist and answer.
func (f catalogFlags) open(ctx context.Context) (*catalogdb.DB, error) {
	url := f.Catalog
	if url == "" && f.Data == "" {
		return nil, command.Usage("--data: name the folder of repomill up")
	}
	if url == "" {
		url = "sqlite://" + f.Data + "/catalog.db"
	}
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok && path != "" {
		_, err := os.Stat(path)
		absent := errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
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

type statusCmd struct {
	catalogFlags
	Target  string `arg:"" optional:"" help:"Only what is below owner[/name[/os[/version]]]."`
	Package string `arg:"" optional:"" help:"NAME[=VERSION]: whether this package is out below the target, and where not."`
	JSON    bool   `name:"json" help:"Print JSON."`
	Limit   int    `default:"20" help:"How many uploads to show."`
}

// A statusReport is what status prints.
type statusReport struct {
	Releases []releaseStatus `json:"releases"`
	Uploads  []uploadStatus  `json:"uploads"` // newest first
	Backlog  int             `json:"backlog"` // uploads without a verdict, of all repositories
}

// An uploadStatus is the verdict on an upload so far. File is its name as it was pushed; the object's may have an ID before it.
type uploadStatus struct {
	File string `json:"file"`
	catalog.Verdict
}

type releaseStatus struct {
	Release   string     `json:"release"`
	Revision  int64      `json:"revision"`  // of the rows
	Published int64      `json:"published"` // what clients see
	Since     *time.Time `json:"since,omitempty"`
	Packages  int        `json:"packages"`
	Fault     string     `json:"fault,omitempty"` // why the last publish came to nothing
}

// Run prints the report.
func (c *statusCmd) Run(ctx context.Context, io stdio) error {
	if c.Limit < 0 {
		return command.Usage("--limit %d: use 0 or more", c.Limit)
	}
	pkg, version, err := parsePackage(c.Package)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
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
		printJSON(io, report)
		return nil
	}
	switch empty := len(report.Releases) == 0; {
	case empty && c.Target == "":
		fmt.Fprintln(io.out, "nothing is published yet")
	case empty && len(report.Uploads) == 0:
		return c.unknown(ctx, db)
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

// unknown returns an error for a target that has nothing, which names the nearest that has.
func (c *statusCmd) unknown(ctx context.Context, db *catalogdb.DB) error {
	all, err := db.Repositories(ctx)
	if err != nil {
		return command.Fault(err)
	}
	var known []string
	for _, s := range all {
		r := s.Repository.String()
		if below(r, c.Target) {
			return fmt.Errorf("nothing was pushed to %s yet", c.Target)
		}
		known = append(known, s.Repository.Owner, r)
		for _, d := range s.Distributions {
			known = append(known, r+"/"+d.Distribution.OS, r+"/"+d.Distribution.String())
		}
	}
	if near := layout.Nearest(strings.Trim(c.Target, "/"), known); near != "" {
		return fmt.Errorf("nothing is known of %s; did you mean %s?", c.Target, near)
	}
	return fmt.Errorf("nothing is known of %s; repomill repo list shows the repositories", c.Target)
}

// below reports whether a path is the target or below it.
func below(path, target string) bool {
	target = strings.Trim(target, "/")
	return target == "" || path == target || strings.HasPrefix(path, target+"/")
}

func (c *statusCmd) report(ctx context.Context, db *catalogdb.DB) (statusReport, error) {
	report := statusReport{Releases: []releaseStatus{}, Uploads: []uploadStatus{}}
	states, err := db.Releases(ctx)
	if err != nil {
		return report, err
	}
	for _, s := range states {
		if !below(s.Release.String(), c.Target) {
			continue
		}
		n, err := db.Count(ctx, s.Release)
		if err != nil {
			return report, err
		}
		report.Releases = append(report.Releases, releaseStatus{s.Release.String(), s.Revision.Number, s.Published, s.Since, n, s.Fault})
	}
	prefix := strings.Trim(c.Target, "/")
	if prefix != "" {
		prefix += "/"
	}
	uploads, err := db.Recent(ctx, prefix, c.Limit)
	if err != nil {
		return report, err
	}
	for _, v := range uploads {
		report.Uploads = append(report.Uploads, uploadStatus{path.Base(layout.ShownStaging(v.Object)), v})
	}
	report.Backlog, err = db.Backlog(ctx)
	return report, err
}

func printReport(io stdio, r statusReport, now time.Time) {
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	if len(r.Releases) > 0 {
		fmt.Fprintln(w, "RELEASE\tREVISION\tPACKAGES\tPUBLISHED")
	}
	for _, s := range r.Releases {
		since := "not yet"
		if s.Since != nil {
			since = age(now.Sub(*s.Since)) + " ago"
		}
		if s.Published < s.Revision {
			since += fmt.Sprintf(", revision %d is waiting", s.Revision)
		}
		if s.Fault != "" {
			since += ": " + s.Fault
		}
		fmt.Fprintf(w, "%s\t%d\t%d\t%s\n", s.Release, s.Published, s.Packages, since)
	}
	if len(r.Uploads) > 0 {
		fmt.Fprintln(w, "\nUPLOAD\tWHEN\tSTATE\t")
	}
	for _, u := range r.Uploads {
		what := u.Package
		switch {
		case u.State == catalog.Rejected:
			what = string(u.Reason) + ": " + u.Detail
		case u.Detail != "":
			what = u.Detail
		}
		fmt.Fprintf(w, "%s\t%s ago\t%s\t%s\n", command.Printable(layout.ShownStaging(u.Object)), age(now.Sub(u.Received)), u.State, command.Printable(what))
	}
	fmt.Fprintf(w, "\nbacklog: %s in all\n", pipelines.Counted(r.Backlog, "upload"))
}

// age prints a duration in its largest unit.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	default:
		return fmt.Sprintf("%dd", int(d.Hours()/24))
	}
}
