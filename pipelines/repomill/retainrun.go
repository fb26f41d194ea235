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
	total, bytes := 0, int64(0)
	for {
		done, left, err := r.withdraw(ctx, db, at)
		if err != nil {
			return err
		}
		if len(done.Packages) > 0 {
			maps.Copy(done.Revisions, newer(all.Revisions, done.Revisions))
			all = done
		}
		for _, k := range done.Packages {
			total, bytes = total+1, bytes+k.File.Size
			r.print(io, k)
		}
		if left == 0 || len(done.Packages) == 0 {
			break
		}
	}
	switch {
	case total == 0:
	case r.NoWait:
		err = recorded(io)
	default:
		err = r.selected(ctx, db, all, catalog.Yanked)
	}
	if err != nil || r.json {
		return err
	}
	if total == 0 {
		fmt.Fprintf(io.out, "%s: nothing leaves: rules keep all packages\n", r.target)
		return nil
	}
	fmt.Fprintf(io.out, "%s: %d packages withdrawn, %d bytes; unyank brings them back until their files go, after the retention period\n", r.target, total, bytes)
	return nil
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
func (r *retaining) withdraw(ctx context.Context, db *catalogdb.DB, at time.Time) (done catalogdb.SelectedChange, left int, err error) {
	now, err := db.Clock(ctx)
	if err != nil {
		return done, 0, command.Fault(err)
	}
	var refused error
	var planned catalog.Plan
	done, left, err = db.Retain(ctx, r.target, at, catalog.Yank{Reason: catalog.Expired, By: r.by.User}, now, func(s catalogdb.RetentionState, packages []catalogdb.SelectedPackage) error {
		if refused = r.checkRules(s); refused == nil {
			refused = pipelines.CheckNotEmptied(s)
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
		return done, left, nil
	case errors.Is(refused, errMoved) && len(planned.Items) == 0:
		return r.applied(ctx, db, refused)
	case refused != nil && errors.Is(err, refused):
		return done, 0, refused
	case errors.Is(err, catalogdb.ErrNotFound):
		return done, 0, retentionFault(ctx, db, r.target, err)
	}
	return done, 0, command.Fault(err)
}

// applied returns what a plan has withdrawn, if it was applied already and nothing of it is back, and moved otherwise.
func (r *retaining) applied(ctx context.Context, db *catalogdb.DB, moved error) (done catalogdb.SelectedChange, left int, err error) {
	s := catalogdb.Selection{Target: r.target, States: []catalog.PackageState{catalog.Yanked}}
	for _, i := range r.want.Items {
		s.Patterns = append(s.Patterns, catalog.Pattern{Name: i.Name, Version: i.Version + ":" + i.Arch})
	}
	found, err := db.Select(ctx, s)
	if err != nil {
		return done, 0, command.Fault(err)
	}
	is, wanted := map[catalog.PlanItem]bool{}, map[string]bool{}
	for _, i := range already(found.Packages, catalog.Yanked, catalog.PlanWithdraw) {
		is[i] = true
	}
	for _, i := range r.want.Items {
		if !is[i] {
			return done, 0, moved
		}
		wanted[i.SHA256] = true
	}
	for _, p := range found.Packages {
		if wanted[p.Package.File.SHA256] {
			done.Packages = append(done.Packages, p.Package)
		}
	}
	done.Revisions = map[catalog.Release]int64{}
	return done, 0, nil
}

func (r *retaining) print(io stdio, k catalog.Package) {
	if r.json {
		printJSON(io, yankJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256, k.State, k.Yank, false})
		return
	}
	fmt.Fprintf(io.out, "withdrawn: %s from %s %s\n", nameOf(k), k.Repository, within(k.Distribution, k.Component))
}
