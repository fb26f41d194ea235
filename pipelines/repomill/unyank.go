package main

import (
	"context"
	"errors"
	"fmt"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type unyankCmd struct {
	catalogFlags
	yankTarget
	actorFlags
}

// Help describes the exit codes.
func (unyankCmd) Help() string {
	return `All packages that the patterns select return, or none. A glob leaves out those whose file was removed. It also selects what was
withdrawn for another reason, long ago: see what --dry-run prints. In a mutable repository it brings back what clients saw last of a
version; bytes that others took the place of come back if they are pushed again, or by a rollback.

Exit codes:
  0  clients see the packages again, or they were not withdrawn; with --dry-run: nothing would change
  1  a pattern selects nothing, or the file of a package was removed; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached
  5  with --dry-run: something would change

Examples:
  repomill unyank acme/tools/ubuntu/jammy hello=1.0
  repomill unyank acme/tools 'hello*=2.*' --dry-run`
}

// An unyanking is one run of unyank, or of apply on its plan.
type unyanking struct {
	awaitFlags
	json  bool
	by    string
	which catalogdb.Selection
	args  unyankArgs
	want  *catalog.Plan // to be applied; nil for what is selected now
}

// unyankArgs are the arguments of a plan to restore packages.
type unyankArgs struct {
	Patterns []string `json:"patterns"`
	Arch     string   `json:"arch,omitempty"`
}

// Run restores withdrawn packages, and waits until clients see them.
func (c *unyankCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.selection()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	u := &unyanking{awaitFlags: c.awaitFlags, json: c.JSON, by: c.By, which: s, args: unyankArgs{textsOf(s.Patterns), c.Arch}}
	if c.DryRun {
		return u.dryRun(ctx, io, db, c.planFlags)
	}
	return u.run(ctx, io, db)
}

// dryRun prints what would be restored.
func (u *unyanking) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags) error {
	found, err := db.Select(ctx, u.which)
	var p catalog.Plan
	var refused error
	if err == nil {
		_, p, refused = u.plan(found)
		err = refused
	}
	if err != nil {
		return explained(ctx, db, u.which, refused, err)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if err := f.write(io, p, u.by, now); err != nil {
		return err
	}
	return printPlan(io, p, u.json, "return", "")
}

// run restores what is selected.
func (u *unyanking) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	var refused error
	var was map[string]bool // keys of what was withdrawn before the first try of the transaction
	done, err := db.UnyankSelected(ctx, u.which, now, func(s catalogdb.Selected) (chosen []catalogdb.SelectedPackage, err error) {
		var p catalog.Plan
		if chosen, p, refused = u.plan(s); refused == nil {
			refused = compared(u.want, p, func() []catalog.PlanItem { return already(chosen, catalog.Active, catalog.PlanRestore) })
		}
		if was == nil {
			was = map[string]bool{}
			for _, k := range chosen {
				was[k.Package.Key] = k.Package.State == catalog.Yanked
			}
		}
		return chosen, refused
	})
	if err != nil {
		return explained(ctx, db, u.which, refused, err)
	}
	if u.NoWait {
		err = recorded(io)
	} else {
		err = u.selected(ctx, db, done, catalog.Active)
	}
	if err == nil {
		u.print(io, done, was)
	}
	return err
}

// plan returns the packages to restore, with those that are there, and what changes by that. An error says why nothing must
// change.
func (u *unyanking) plan(s catalogdb.Selected) (chosen []catalogdb.SelectedPackage, p catalog.Plan, err error) {
	if len(s.Unmatched) > 0 {
		return nil, p, unmatched{s.Unmatched[0]}
	}
	if p, err = newPlan(catalog.PlanUnyank, u.which.Target, u.args); err != nil {
		return nil, p, err
	}
	var replaced *catalogdb.SelectedPackage
	for _, k := range s.OneVariant() {
		why := ""
		switch {
		case k.Package.State == catalog.Active:
			chosen = append(chosen, k)
			why = "it was not yanked"
		case errors.Is(k.Back, catalogdb.ErrOtherBytes):
			if k.Exact {
				replaced = &k
			}
			why = fmt.Sprintf("its version has other bytes now, in place of sha256 %s: push that file again, or roll back", k.Package.File.SHA256)
		case k.Back != nil && k.Exact:
			return nil, p, cannotReturn(k)
		case errors.Is(k.Back, catalogdb.ErrRemoved):
			why = "its file was removed; push it under a new version"
		case k.Back != nil:
			why = k.Back.Error()
		default:
			chosen = append(chosen, k)
			p.Items = append(p.Items, itemsOf(k, catalog.PlanRestore)...)
		}
		if why != "" {
			p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: k.Package.Place().String(), Package: nameOf(k.Package), Why: why})
		}
	}
	if replaced != nil && len(p.Items) == 0 {
		return nil, p, fmt.Errorf("%s in %s is published with other bytes, in place of sha256 %s: push that file again, or roll back; nothing is changed", nameOf(replaced.Package), replaced.Package.Place(), replaced.Package.File.SHA256)
	}
	if len(chosen) == 0 {
		return nil, p, fmt.Errorf("nothing is restored: %s in %s is left out: %s", p.LeftOut[0].Package, p.LeftOut[0].Place, p.LeftOut[0].Why)
	}
	sum(&p, shownBy(s), func(catalog.PlanItem) int { return 1 })
	return chosen, p, p.Seal()
}

// cannotReturn returns why a package that was named cannot be restored.
func cannotReturn(k catalogdb.SelectedPackage) error {
	if errors.Is(k.Back, catalogdb.ErrRemoved) {
		return fmt.Errorf("%s %s cannot be restored: its file was removed; push it under a new version", k.Package.Name, k.Package.Version)
	}
	return fmt.Errorf("%s cannot be restored: %w", nameOf(k.Package), k.Back)
}

// print prints what was restored. What was there before is printed if it was named.
func (u *unyanking) print(io stdio, done catalogdb.SelectedChange, was map[string]bool) {
	restored := 0
	for _, k := range done.Packages {
		what := "was not yanked"
		if was[k.Key] {
			what = "unyanked"
			restored++
		}
		switch {
		case u.json:
			printJSON(io, yankJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256, k.State, k.Yank, !was[k.Key]})
		case was[k.Key] || namesPackage(u.which.Patterns, k):
			fmt.Fprintf(io.out, "%s: %s in %s %s\n", what, nameOf(k), k.Repository, within(k.Distribution, k.Component))
		}
	}
	if n := len(done.Packages); n > 1 && !u.json {
		fmt.Fprintf(io.out, "%d packages: %d unyanked, %d were there\n", n, restored, n-restored)
	}
}
