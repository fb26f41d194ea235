package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// A deleting is one run of repo delete, or of apply on its plan.
type deleting struct {
	awaitFlags
	json   bool
	target catalog.PackageTarget
	grace  time.Duration
	want   *catalog.Plan // to be applied; nil for what is there now
}

// deleteArgs are the arguments of a plan to delete: with its items, all that is removed in the end.
type deleteArgs struct {
	UndoPeriod    string   `json:"undo_period"`
	Distributions []string `json:"distributions"` // that go with a repository
	Files         int      `json:"files"`         // also of withdrawn packages
	Bytes         int64    `json:"bytes"`         // of these files
	Snapshots     int      `json:"snapshots"`     // of a repository: that are removed; of a part: that keep its files
	Tokens        int      `json:"tokens"`        // read tokens that end with a repository
}

// plan returns what a deletion does, or why it is refused.
func (d *deleting) plan(of catalogdb.DeletionPreview, s catalogdb.Selected) (p catalog.Plan, args deleteArgs, err error) {
	if of.Refused != nil {
		return p, args, cmp.Or(refusedDeletion(d.target, of.Refused), of.Refused)
	}
	args = deleteArgs{UndoPeriod: d.grace.String(), Distributions: []string{}, Files: of.Files, Bytes: of.Bytes, Snapshots: of.Snapshots}
	if d.target.Whole() {
		args.Tokens = len(of.Settings.Tokens)
		for _, ds := range of.Settings.Distributions {
			args.Distributions = append(args.Distributions, ds.Distribution.String())
		}
	}
	if p, err = newPlan(catalog.PlanDelete, d.target, args); err != nil {
		return p, args, err
	}
	for _, k := range s.Packages {
		p.Items = append(p.Items, itemsOf(k, catalog.PlanWithdraw)...)
	}
	sum(&p, shownBy(s), func(catalog.PlanItem) int { return -1 })
	return p, args, p.Seal()
}

// writePlan prints what would be deleted, each package, and writes it as a plan.
func (d *deleting) writePlan(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags, by string) error {
	of, s, err := db.PlanDeletion(ctx, d.target)
	if errors.Is(err, catalogdb.ErrTooMany) {
		return fmt.Errorf("%w; without --plan, %s can be deleted as a whole", err, d.target)
	}
	if err != nil {
		return client.NotDeclared(ctx, db, d.target.Repository, err)
	}
	p, args, err := d.plan(of, s)
	if err != nil {
		return err
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if err := f.write(io, p, by, now); err != nil {
		return err
	}
	warnArchive(io, of)
	err = printPlan(io, p, d.json, "leave", "; "+d.removed(args))
	if err == nil { // it goes though it has no packages
		err = command.Exit(5)
	}
	return err
}

// removed says what a plan removes behind the packages that leave.
func (d *deleting) removed(a deleteArgs) string {
	text := fmt.Sprintf("after %s, %s of %d bytes go", periodText(d.grace), counts(a.Files, "file"), a.Bytes)
	if !d.target.Whole() {
		return text + heldText(catalogdb.DeletionPreview{Snapshots: a.Snapshots})
	}
	return text + fmt.Sprintf(", %s, %s, %s and all pages", counts(len(a.Distributions), "distribution"), counts(a.Snapshots, "snapshot"), counts(a.Tokens, "read token"))
}

// agree returns an error if what is deleted is not what the plan says.
func (d *deleting) agree(of catalogdb.DeletionPreview, s catalogdb.Selected) error {
	now, args, err := d.plan(of, s)
	if err != nil || now.Digest == d.want.Digest {
		return err
	}
	if _, different := d.want.Differences(now, 0); different > 0 {
		return compared(d.want, now, func() []catalog.PlanItem { return nil })
	}
	return fmt.Errorf("%w: the packages are those of the plan, and now %s; make a new plan", errMoved, d.removed(args))
}

// run deletes the target, waits until clients see that, and prints it. A repeat waits for what an earlier one has recorded.
func (d *deleting) run(ctx context.Context, io stdio, db *catalogdb.DB, p catalogdb.DeletionPreview) error {
	t := d.target
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	var refused error
	digest := ""
	var agree func(catalogdb.DeletionPreview, catalogdb.Selected) error
	if d.want != nil {
		digest = d.want.Digest
		agree = func(of catalogdb.DeletionPreview, s catalogdb.Selected) error {
			refused = d.agree(of, s)
			return refused
		}
	}
	s, revisions, err := db.DeleteAs(ctx, t, d.grace, now, digest, agree)
	switch {
	case err == nil:
	case refused != nil && errors.Is(err, refused):
		return refused
	case errors.Is(err, catalogdb.ErrTooMany):
		return err
	default:
		return cmp.Or(refusedDeletion(t, err), client.NotDeclared(ctx, db, t.Repository, err))
	}
	if d.NoWait {
		err = recorded(io)
	} else {
		err = d.awaitDeletion(ctx, db, t, *s.DeletedPart(t), revisions)
	}
	if err != nil {
		return err
	}
	del := s.DeletedPart(t)
	if now, again := db.Settings(ctx, t.Repository); again == nil && now.DeletedPart(t) != nil {
		del = now.DeletedPart(t)
	}
	printDeletion(io, t, del, p, d.json)
	return nil
}

// delete applies a plan of repo delete. It does not ask for the name: the plan has it.
func (c *applyCmd) delete(ctx context.Context, io stdio, p catalog.Plan) error {
	var args deleteArgs
	if err := c.readArgs(p, &args); err != nil {
		return err
	}
	grace, err := time.ParseDuration(args.UndoPeriod)
	if err != nil {
		return command.Usage("%s: the plan has no undo period: %w; make it again", c.File, err)
	}
	d := &deleting{awaitFlags: c.awaitFlags, json: c.JSON, target: p.Target, grace: grace, want: &p}
	return c.withCatalog(ctx, func(db *catalogdb.DB) error {
		of, err := db.PreviewDeletion(ctx, d.target)
		if err != nil {
			return client.NotDeclared(ctx, db, d.target.Repository, err)
		}
		if err := checkThere(of.Settings, d.target); err != nil {
			return err
		}
		warnArchive(io, of)
		return d.run(ctx, io, db, of)
	})
}
