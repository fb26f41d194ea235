package main

import (
	"context"
	"fmt"
	"text/tabwriter"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type reindexListCmd struct {
	catalogFlags
	Targets []string `arg:"" optional:"" name:"target" help:"Only releases at or below owner/name, owner/name/os/version or owner/name/os/version/arch."`
	JSON    bool     `name:"json" help:"Print one JSON object per line."`
}

// Help describes the states.
func (reindexListCmd) Help() string {
	return `State is waiting (for a worker), running, or how the latest reindex of the release ended: identical, published,
failed or cancelled.

Exit codes: 0 listed, 2 usage, or a target that does not exist, 4 the catalog cannot be reached.

Examples:
  repomill reindex list
  repomill reindex list acme/tools`
}

// A listedReindex is the latest reindex of a release, as JSON.
type listedReindex struct {
	Release  string                   `json:"release"`
	State    string                   `json:"state"`
	From     catalogdb.ReindexSource  `json:"from"`
	Repair   bool                     `json:"repair,omitempty"`
	By       string                   `json:"by"`
	Asked    time.Time                `json:"asked"`
	Rendered int                      `json:"rendered,omitempty"` // packages so far, while it runs
	Finished *time.Time               `json:"finished,omitempty"` // of the latest that ended, like result
	Result   *pipelines.ReindexResult `json:"result,omitempty"`
}

// Run prints the latest reindexes, in order of their releases.
func (c *reindexListCmd) Run(ctx context.Context, io stdio) error {
	targets, err := reindexTargets(c.Targets, len(c.Targets) == 0)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := reindexesOf(ctx, db, targets)
	if err != nil {
		return err
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, x := range all {
		listed, detail, err := describeReindex(x, now)
		if err != nil {
			return command.Fault(err)
		}
		if c.JSON {
			printJSON(io, listed)
			continue
		}
		if i == 0 {
			fmt.Fprintln(w, "RELEASE\tASKED\tBY\tFROM\tSTATE\tDETAIL")
		}
		from := string(x.Request.Source)
		if x.Request.Repair {
			from += " (repair)"
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\n", x.Release, x.Asked.Format(time.DateTime), command.Printable(x.Request.By), from, listed.State, command.Printable(detail))
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(io.out, "nothing was reindexed yet")
	}
	return nil
}

// describeReindex returns a reindex as it is listed, and a line of detail.
func describeReindex(x catalogdb.Reindex, now time.Time) (listed listedReindex, detail string, err error) {
	res, err := pipelines.ResultOf(x)
	listed = listedReindex{
		Release: x.Release.String(), From: x.Request.Source, Repair: x.Request.Repair, By: x.Request.By, Asked: x.Asked, Finished: x.Finished,
		State: x.State(now),
	}
	if x.Finished != nil {
		listed.Result = &res
	}
	switch {
	case !x.Pending():
		detail = res.Detail()
	case x.Leased(now):
		listed.Rendered, detail = x.Rendered, fmt.Sprintf("%s rendered, by %s", pipelines.Counted(x.Rendered, "package"), x.Owner)
	}
	return listed, detail, err
}

// reindexesOf returns the latest reindexes of the releases that targets name; without targets, of all releases.
func reindexesOf(ctx context.Context, db *catalogdb.DB, targets []string) ([]catalogdb.Reindex, error) {
	releases, err := pipelines.SelectReleases(ctx, db, targets)
	if err != nil {
		return nil, unknownTarget(ctx, db, err)
	}
	wanted := map[catalog.Release]bool{}
	for _, r := range releases {
		wanted[r] = true
	}
	all, err := db.Reindexes(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	var found []catalogdb.Reindex
	for _, x := range all {
		if wanted[x.Release] {
			found = append(found, x)
		}
	}
	return found, nil
}

type reindexCancelCmd struct {
	catalogFlags
	actorFlags
	Targets []string `arg:"" optional:"" name:"target" help:"owner/name, owner/name/os/version or, for RPM, owner/name/os/version/arch."`
	All     bool     `help:"Every release of every repository."`
}

// Help describes the exit codes.
func (reindexCancelCmd) Help() string {
	return `A process that works on a cancelled reindex stops within seconds. The release stays as it was.

Exit codes: 0 cancelled, 1 no reindex waits or runs, 2 usage, or a target that does not exist, 4 the catalog cannot be reached.

Examples:
  repomill reindex cancel acme/tools
  repomill reindex cancel --all`
}

// Run cancels reindexes.
func (c *reindexCancelCmd) Run(ctx context.Context, io stdio) error {
	targets, err := reindexTargets(c.Targets, c.All)
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	releases, err := pipelines.SelectReleases(ctx, db, targets)
	if err != nil {
		return unknownTarget(ctx, db, err)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	cancelled, err := db.CancelReindexes(ctx, releases, now)
	for _, r := range cancelled {
		fmt.Fprintf(io.out, "cancelled: %s\n", r)
	}
	switch {
	case err != nil:
		return command.Fault(err)
	case len(cancelled) == 0:
		return fmt.Errorf("no reindex waits or runs there: repomill reindex list shows the latest of each release")
	}
	return nil
}
