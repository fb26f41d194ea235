package client

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A placement is the state of a package in one release, as status prints it.
type placement struct {
	Release string     `json:"release"`
	Package string     `json:"package,omitempty"` // name version architecture
	State   string     `json:"state"`             // out, waiting, yanked, absent
	Since   *time.Time `json:"since,omitempty"`   // when it was published
	Detail  string     `json:"detail,omitempty"`
}

// placements prints the state of a package in each release below the target. It returns an error if none has it published.
func (c *Status) placements(ctx context.Context, io Stdio, db *catalogdb.DB, pkg, version string) error {
	target := strings.Trim(c.Target, "/")
	owner, rest, ok := strings.Cut(target, "/")
	name, _, _ := strings.Cut(rest, "/")
	if !ok || name == "" {
		return command.Usage("target %q: name at least the repository, owner/name", c.Target)
	}
	found, err := db.Placements(ctx, catalog.Repository{Owner: owner, Name: name}, pkg, version)
	if err != nil {
		return NotDeclared(ctx, db, catalog.Repository{Owner: owner, Name: name}, err)
	}
	found = slices.DeleteFunc(found, func(p catalogdb.Placement) bool { return !below(p.Release.String(), target) })
	if len(found) == 0 {
		if c.JSON {
			PrintJSON(io.Out, []placement{})
		}
		all, err := db.Repositories(ctx)
		if err != nil {
			return command.Fault(err)
		}
		return c.unknown(ctx, db, all)
	}
	rows := make([]placement, len(found))
	out := false
	for i, p := range found {
		rows[i] = describePlacement(p)
		out = out || p.Visible
	}
	c.printPlacements(io, rows)
	if !out {
		return fmt.Errorf("%s is not published below %s; repomill ls OWNER/NAME/OS/VERSION lists the published packages", c.Package, target)
	}
	return nil
}

func describePlacement(p catalogdb.Placement) placement {
	row := placement{Release: p.Release.String(), State: "absent", Since: p.Since}
	if p.Package == nil {
		return row
	}
	row.Package = p.Package.Name + " " + p.Package.Version + " " + p.Package.Arch
	switch {
	case p.Package.State == catalog.Yanked && p.Package.Yank != nil:
		row.State, row.Detail = "yanked", p.Package.Yank.At.Format(time.DateOnly)+": "+p.Package.Yank.Reason
	case p.Package.State == catalog.Yanked:
		row.State = "yanked"
	case p.Visible:
		row.State = "out"
	default:
		row.State, row.Detail = "waiting", "its release is not published yet"
	}
	return row
}

func (c *Status) printPlacements(io Stdio, rows []placement) {
	if c.JSON {
		PrintJSON(io.Out, rows)
		return
	}
	t := &table{heading: []string{"RELEASE", "PACKAGE", "STATE", "SINCE"}}
	for _, r := range rows {
		since := "-"
		if r.Since != nil {
			since = r.Since.Format("2006-01-02 15:04:05 UTC")
		}
		pkg := r.Package
		if pkg == "" {
			pkg = "-"
		}
		t.add(command.Printable(r.Detail), r.Release, pkg, r.State, since)
	}
	t.print(io.Out)
}
