package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type retainRunCmd struct {
	catalogFlags
	awaitFlags
	planFlags
	actorFlags
	Target string `arg:"" help:"owner/name for all its distributions, or owner/name/os/version for one."`
	JSON   bool   `name:"json" help:"Print one JSON object a package; with --dry-run, what retain plan prints."`
}

// Help describes the exit codes.
func (retainRunCmd) Help() string {
	return `The command withdraws the packages that no rule keeps, paused or not: they leave the indexes now, with the reason "expired", in one
transaction and one publish of each release. (More than 100,000 packages leave in several; the command again goes on where one was
ended.) Their files stay for the retention period, and repomill unyank brings packages back until then: one that was brought back
counts as new, and stays for 14 days at least, or longer by the rules. It is for good with retain set --keep. Installed packages stay installed.

Exit codes:
  0  clients no longer see the packages, or nothing leaves
  1  the target has no rules, or a release would be left without packages; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached; run the command again to complete it
  5  with --dry-run: something would leave

Examples:
  repomill retain run acme/tools --dry-run
  repomill retain run acme/tools --why "monthly cleanup"`
}

// Run withdraws what no rule keeps.
func (c *retainRunCmd) Run(ctx context.Context, io stdio) error {
	if err := c.planFlags.check(); err != nil {
		return err
	}
	t, err := parseRetained(c.Target)
	if err != nil {
		return err
	}
	r := &retaining{awaitFlags: c.awaitFlags, json: c.JSON, by: c.actor(), target: t}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return r.dryRun(ctx, io, db, c.planFlags)
	}
	if _, err := r.at(ctx, db); err != nil {
		return err
	}
	return r.run(ctx, io, db)
}

// run withdraws what leaves, waits until clients do not see it, and prints it.
func (r *retaining) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	at, err := time.Parse(time.RFC3339, r.args.At)
	if err != nil {
		return command.Usage("the plan has no time: %w; make it again", err)
	}
	var all catalogdb.SelectedChange
	sum := retained{}
	for {
		done, err := r.withdraw(ctx, db, at)
		if err != nil {
			return err
		}
		if len(done.Packages) > 0 {
			maps.Copy(done.Revisions, newer(all.Revisions, done.Revisions))
			all = done.SelectedChange
		}
		for _, k := range done.Packages {
			sum.withdrawn, sum.bytes = sum.withdrawn+1, sum.bytes+k.File.Size
			r.print(io, k)
		}
		if err := sum.archive(ctx, io, db, r, done); err != nil {
			return err
		}
		if done.Left == 0 || done.Empty() || r.NoWait && done.Asked == 0 {
			sum.left = done.Left
			break
		}
	}
	if !r.NoWait {
		if err = r.upToDate(ctx, db, r.target); err == nil {
			err = r.selected(ctx, db, all, catalog.Yanked)
		}
	}
	if err == nil && r.NoWait && sum.withdrawn+sum.archived > 0 {
		err = recorded(io)
	}
	if err != nil {
		return err
	}
	return sum.print(io, r)
}

// newer returns the revisions of releases that others do not have.
func newer(revisions, others map[catalog.Release]int64) map[catalog.Release]int64 {
	more := map[catalog.Release]int64{}
	for r, n := range revisions {
		if n > others[r] {
			more[r] = n
		}
	}
	return more
}

// withdraw withdraws what one transaction takes.
func (r *retaining) withdraw(ctx context.Context, db *catalogdb.DB, at time.Time) (done catalogdb.Retained, err error) {
	now, err := db.Clock(ctx)
	if err != nil {
		return done, command.Fault(err)
	}
	var refused error
	var planned catalog.Plan
	done, err = db.Retain(ctx, r.target, catalogdb.Retaining{At: at, Yank: catalog.Yank{Reason: catalog.Expired, By: r.by.User}, Again: true}, now, func(s catalogdb.RetentionState, packages []catalogdb.LeavingPackage) error {
		if refused = r.checkRules(s); refused == nil {
			refused = pipelines.CheckRetention(s)
		}
		if refused == nil && r.want != nil {
			if planned, refused = r.plan(s, packages); refused == nil {
				refused = compared(r.want, planned, func() []catalog.PlanItem { return nil })
			}
		}
		return refused
	})
	switch {
	case err == nil:
		return done, nil
	case errors.Is(refused, errMoved):
		done.SelectedChange, err = r.applied(ctx, db, planned, refused)
		if err != nil || len(planned.Items) == 0 {
			return done, err
		}
		r.want = &planned
		return r.withdraw(ctx, db, at)
	case refused != nil && errors.Is(err, refused):
		return done, refused
	case errors.Is(err, catalogdb.ErrNotFound):
		return done, retentionFault(ctx, db, r.target, err)
	}
	return done, command.Fault(err)
}

// applied returns what a plan has withdrawn, if it was applied already, but for what is planned now, and nothing of it is back; and moved
// otherwise.
func (r *retaining) applied(ctx context.Context, db *catalogdb.DB, planned catalog.Plan, moved error) (done catalogdb.SelectedChange, err error) {
	s := catalogdb.Selection{Target: r.target, States: []catalog.PackageState{catalog.Yanked}}
	left := map[catalog.PlanItem]bool{}
	for _, i := range planned.Items {
		left[i] = true
	}
	var gone []catalog.PlanItem
	for _, i := range r.want.Items {
		if left[i] {
			delete(left, i)
		} else if i.Action == catalog.PlanWithdraw {
			gone = append(gone, i)
			s.Patterns = append(s.Patterns, catalog.Pattern{Name: i.Name, Version: i.Version + ":" + i.Arch})
		}
	}
	if len(left) > 0 || len(gone) == 0 {
		return done, moved
	}
	found, err := db.Select(ctx, s)
	if err != nil {
		return done, command.Fault(err)
	}
	is, wanted := map[catalog.PlanItem]bool{}, map[string]bool{}
	for _, i := range already(found.Packages, catalog.Yanked, catalog.PlanWithdraw) {
		is[i] = true
	}
	for _, i := range gone {
		if !is[i] {
			return done, moved
		}
		wanted[i.SHA256] = true
	}
	for _, p := range found.Packages {
		if wanted[p.Package.File.SHA256] {
			done.Packages = append(done.Packages, p.Package)
		}
	}
	done.Revisions = map[catalog.Release]int64{}
	return done, nil
}

func (r *retaining) print(io stdio, k catalog.Package) {
	if r.json {
		printJSON(io, yankJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256, k.State, k.Yank, false})
		return
	}
	fmt.Fprintf(io.out, "withdrawn: %s from %s %s\n", nameOf(k), k.Repository, within(k.Distribution, k.Component))
}
