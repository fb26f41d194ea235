package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type rollbackCmd struct {
	catalogFlags
	awaitFlags
	planFlags
	actorFlags
	Target  string `arg:"" help:"owner/name for all its distributions, or owner/name/os/version, such as acme/tools/ubuntu/jammy."`
	To      string `required:"" placeholder:"REVISION|SNAPSHOT|TIME" help:"Revision of the release, as repomill status prints it; a snapshot; or a time in UTC, such as 2026-11-29T02:15 or 2026-11-29."`
	Partial bool   `help:"Go back without the packages whose files are gone."`
	JSON    bool   `name:"json" help:"Print one JSON object a package; with --dry-run, the plan."`
}

// Help describes the exit codes.
func (rollbackCmd) Help() string {
	return `The command gives clients the packages of an earlier time, as a new revision of each release: what came since is withdrawn, and what went
since comes back. A time means, for each release, what clients saw then; a snapshot, what it has. It is one transaction, and one publish of each release; to
undo it, roll back to the revision or the time before it. The keyring package stays as it is.

Hosts do not install older versions by themselves: apt install NAME=VERSION, or dnf downgrade NAME, does.

Exit codes:
  0  clients see what they saw then; with --dry-run: nothing would change
  1  nothing is known of that time, or files are gone and --partial is not given; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached
  5  with --dry-run: something would change

Examples:
  repomill rollback acme/tools --to 2026-11-29T02:15 --why "the login is broken" --dry-run
  repomill rollback acme/tools/ubuntu/jammy --to 41 --why "the login is broken"
  repomill rollback acme/tools --to release-19.4`
}

// A rollingBack is one run of rollback, or of apply on its plan.
type rollingBack struct {
	awaitFlags
	json   bool
	by     catalog.Actor
	target catalog.PackageTarget
	to     catalogdb.Point
	args   rollbackArgs
	want   *catalog.Plan // to be applied; nil for what differs now
}

// rollbackArgs are the arguments of a plan to roll back.
type rollbackArgs struct {
	To      string `json:"to"` // a revision, a snapshot or a time
	Partial bool   `json:"partial,omitempty"`
}

// newRollback reads a target and a point.
func newRollback(target string, args rollbackArgs) (r *rollingBack, err error) {
	r = &rollingBack{args: args}
	if r.target, err = parsePackageTarget(target); err != nil {
		return nil, err
	}
	if r.target.Component != "" {
		return nil, command.Usage("target %q: all components of a distribution have one index and go back together: leave out /%s", target, r.target.Component)
	}
	r.to, err = parsePoint(args.To)
	if r.to.Revision == 0 && r.to.Snapshot == "" {
		r.args.To = r.to.At.Format(time.RFC3339)
	}
	return r, err
}

// Run brings a target back to an earlier state, and waits until clients see it.
func (c *rollbackCmd) Run(ctx context.Context, io stdio) error {
	if err := c.planFlags.check(); err != nil {
		return err
	}
	r, err := newRollback(c.Target, rollbackArgs{c.To, c.Partial})
	if err != nil {
		return err
	}
	r.awaitFlags, r.json, r.by = c.awaitFlags, c.JSON, c.actor()
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return r.dryRun(ctx, io, db, c.planFlags)
	}
	return r.run(ctx, io, db)
}

// dryRun prints what would change.
func (r *rollingBack) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags) error {
	now, err := r.checkTime(ctx, db)
	if err != nil {
		return err
	}
	var p catalog.Plan
	var refused error
	state, err := db.ReadRollback(ctx, r.target, r.to)
	if err == nil {
		_, _, p, refused = r.plan(state)
		err = refused
	}
	if err != nil {
		return r.explained(ctx, db, refused, err)
	}
	if err := f.write(io, p, r.by.User, now); err != nil {
		return err
	}
	return printPlan(io, p, r.json, "change", "; hosts that have a newer version keep it")
}

// checkTime returns the catalog's time, and an error for a point that is later.
func (r *rollingBack) checkTime(ctx context.Context, db *catalogdb.DB) (now time.Time, err error) {
	if now, err = db.Clock(ctx); err != nil {
		return now, command.Fault(err)
	}
	if r.to.At.After(now) {
		return now, command.Usage("--to %s: it is %s now: name an earlier time", r.args.To, now.UTC().Format(time.RFC3339))
	}
	return now, nil
}

// run brings the target back.
func (r *rollingBack) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	now, err := r.checkTime(ctx, db)
	if err != nil {
		return err
	}
	done, err := r.change(ctx, db, now, func(p catalog.Plan) error {
		return compared(r.want, p, func() []catalog.PlanItem { return r.want.Items }) // nothing differs from that time
	})
	if err != nil {
		return r.explained(ctx, db, done.refused, err)
	}
	withdrawn, restored := done.withdrawn, done.restored
	switch changed := len(withdrawn.Packages) + len(restored.Packages); {
	case r.NoWait && changed > 0:
		err = recorded(io)
	case r.NoWait:
	default:
		if err = r.upToDate(ctx, db, r.target); err == nil {
			err = r.wait(ctx, db, withdrawn, restored)
		}
	}
	if err == nil {
		r.print(io, withdrawn, restored, done.plan.LeftOut)
	}
	return err
}

// A rolledBack is what a rollback made of a target in the catalog.
type rolledBack struct {
	withdrawn, restored catalogdb.SelectedChange
	plan                catalog.Plan
	refused             error // why nothing changed, if that is not the catalog's error
}

// change brings the target back in the catalog, if its plan is accepted.
func (r *rollingBack) change(ctx context.Context, db *catalogdb.DB, now time.Time, accept func(catalog.Plan) error) (done rolledBack, err error) {
	reason := "rollback to " + r.args.To
	if r.to.Revision != 0 {
		reason = "rollback to revision " + r.args.To
	}
	if r.by.Why != "" {
		reason += ": " + r.by.Why
	}
	done.withdrawn, done.restored, err = db.RollBack(ctx, r.target, r.to, catalog.Yank{Reason: reason, By: r.by.User}, now, func(s catalogdb.Rollback) (out, back []catalogdb.SelectedPackage, err error) {
		if out, back, done.plan, done.refused = r.plan(s); done.refused == nil {
			done.refused = accept(done.plan)
		}
		return out, back, done.refused
	})
	return done, err
}

// wait waits until clients see what was changed.
func (r *rollingBack) wait(ctx context.Context, db *catalogdb.DB, withdrawn, restored catalogdb.SelectedChange) error {
	err := r.selected(ctx, db, withdrawn, catalog.Yanked)
	if err == nil {
		err = r.selected(ctx, db, restored, catalog.Active)
	}
	return err
}

// plan returns what is to be withdrawn and restored, and what changes by that. An error says why nothing must change.
func (r *rollingBack) plan(s catalogdb.Rollback) (out, back []catalogdb.SelectedPackage, p catalog.Plan, err error) {
	if p, err = newPlan(catalog.PlanRollback, r.target, r.args); err != nil {
		return nil, nil, p, err
	}
	selected := catalogdb.Selected{Settings: s.Settings, Shown: s.Shown}
	leave := func(k catalogdb.SelectedPackage, why string) {
		p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: k.Package.Place().String(), Package: nameOf(k.Package), Why: why})
	}
	for _, k := range s.Came {
		if selected.Keyring(k.Package) { // it stays
			continue
		}
		out = append(out, k)
		p.Items = append(p.Items, itemsOf(k, catalog.PlanWithdraw)...)
	}
	var gone []string
	var deleted error // why they are; nil if the files of some are gone
	all := true
	for _, k := range s.Went {
		switch {
		case selected.Keyring(k.Package):
			continue
		case k.Back != nil:
			gone = append(gone, nameOf(k.Package)+" in "+k.Package.Place().String())
			deleted, all = k.Back, all && errors.Is(k.Back, catalogdb.ErrDeleted)
			leave(k, k.Back.Error())
		default:
			back = append(back, k)
			p.Items = append(p.Items, itemsOf(k, catalog.PlanRestore)...)
		}
	}
	if !all {
		deleted = nil
	}
	if len(gone) > 0 && !r.args.Partial {
		return nil, nil, p, &goneError{gone, deleted}
	}
	sum(&p, shownBy(selected), func(i catalog.PlanItem) int {
		if i.Action == catalog.PlanRestore || s.Settings.Keyring != nil && i.Name == layout.KeyringName(s.Settings.Repository, formatOf(i)) {
			return 0
		}
		return -1
	})
	return out, back, p, p.Seal()
}

// explained returns the error of a transaction as the user reads it.
func (r *rollingBack) explained(ctx context.Context, db *catalogdb.DB, refused, err error) error {
	if wrong, isUsage := r.wrongPoint(ctx, db, err); isUsage {
		return command.Usage("--to %q: %w", r.args.To, wrong)
	} else if wrong != nil {
		return wrong
	}
	switch {
	case refused != nil && errors.Is(err, refused):
		return refused
	case isRefusal(err):
		return err
	case errors.Is(err, catalogdb.ErrNotFound):
		if _, missing := db.Settings(ctx, r.target.Repository); missing != nil {
			return client.NotDeclared(ctx, db, r.target.Repository, missing)
		}
		if why := client.WhyNothing(ctx, db, r.target.String()); why != nil {
			return why
		}
		return fmt.Errorf("%s has no releases", r.target)
	}
	return command.Fault(err)
}
