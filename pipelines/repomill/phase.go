package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type phaseCmd struct {
	catalogFlags
	awaitFlags
	planFlags
	actorFlags
	Target  string        `arg:"" help:"owner/name for all its distributions, or owner/name/os/version[/component], such as acme/tools/ubuntu/jammy."`
	Package string        `arg:"" optional:"" help:"NAME=VERSION, as repomill ls prints them, with *, ? and [a-z]. All binaries of its source package and version have one phase. Without it, phases are listed."`
	Phase   string        `arg:"" optional:"" help:"The percentage of hosts that upgrade, such as 10%; 100% for all; pause for 0%."`
	Steps   []string      `placeholder:"10%,50%,100%" help:"Percentages, one after the other: the first now, each of the others a period later. A worker makes them so."`
	Every   time.Duration `placeholder:"24h" help:"The period of --steps; 1m at least."`
	JSON    bool          `name:"json" help:"Print one JSON object a package, or a phase; with --dry-run, the plan."`
}

// Help describes the exit codes.
func (phaseCmd) Help() string {
	return `The command sets Phased-Update-Percentage in the index: apt from 2.1.16 on installs an update only on that part of the hosts that have an
older version. A host is in it or not by its machine-id and the name and version of the source package, so all binaries of that have
one phase, also those that are pushed later. 100% takes the field out of the index, also one that the package brought with it.
Copies that promote makes have no phase but their own, and a rollback leaves phases as they are.

pause reduces, and does not stop: at 0% still about one host in a hundred upgrades, and so does every host that never holds updates
back: a new installation, a chroot, one without machine-id, one of apt before 2.1.16, or of a suite whose name ends in -security. To
stop an update, withdraw it: repomill yank. RPM has no phases.

Another phase ends the steps that were asked for before: pause, the same percentage, or 100%. Steps are made by the catalog's clock, one
a period, also after a clock has jumped.

Exit codes:
  0  clients see it; with --dry-run: nothing would change
  1  nothing matches, or an RPM package does; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached
  5  with --dry-run: something would change

Examples:
  repomill phase acme/tools hello=2.0 10% --why "new parser"
  repomill phase acme/tools/ubuntu/jammy hello=2.0 --steps 10%,50%,100% --every 24h
  repomill phase acme/tools`
}

// A phasing is one run of phase, or of apply on its plan.
type phasing struct {
	awaitFlags
	json  bool
	which catalogdb.Selection
	p     catalog.Phasing
	args  phaseArgs
	want  *catalog.Plan // to be applied; nil for what is selected now
}

// phaseArgs are the arguments of a plan of phases.
type phaseArgs struct {
	Pattern string   `json:"pattern"`
	Percent string   `json:"percent"`
	Steps   []string `json:"steps,omitempty"`
	Every   string   `json:"every,omitempty"`
}

// Run lists phases, or sets them and waits until clients see it.
func (c *phaseCmd) Run(ctx context.Context, io stdio) error {
	if c.Package == "" {
		return c.list(ctx, io)
	}
	if err := c.planFlags.check(); err != nil {
		return err
	}
	args := phaseArgs{Pattern: c.Package, Percent: c.Phase}
	switch {
	case len(c.Steps) > 0 && c.Phase != "":
		return command.Usage("--steps %s: the first step is the phase now: leave out %s", strings.Join(c.Steps, ","), c.Phase)
	case len(c.Steps) > 0:
		args.Percent, args.Steps, args.Every = c.Steps[0], c.Steps[1:], c.Every.String()
	case c.Phase == "":
		return command.Usage("say which part of the hosts is to get %s: a percentage such as 10%%, 100%%, pause, or --steps", c.Package)
	case c.Every != 0:
		return command.Usage("--every %s is the period of --steps: add those, or leave it out", c.Every)
	}
	r, err := newPhasing(c.Target, args)
	if err != nil {
		return err
	}
	r.awaitFlags, r.json = c.awaitFlags, c.JSON
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return r.dryRun(ctx, io, db, c.planFlags, c.By)
	}
	return r.run(ctx, io, db)
}

// newPhasing reads what is asked for.
func newPhasing(target string, args phaseArgs) (r *phasing, err error) {
	r = &phasing{}
	if r.which.Target, err = parsePackageTarget(target); err != nil {
		return nil, err
	}
	if r.which.Patterns, err = parsePatterns([]string{args.Pattern}); err != nil {
		return nil, err
	}
	switch p := r.which.Patterns[0]; {
	case p.Version == "":
		return nil, command.Usage("package %q: name the version, as in %s=2.0: another version has a phase of its own", args.Pattern, args.Pattern)
	case p.LiteralVersion() != "" && p.LiteralVersion() != p.Version:
		return nil, command.Usage("package %q: a phase is of all architectures: leave out %s", args.Pattern, strings.TrimPrefix(p.Version, p.LiteralVersion()))
	}
	if r.p.Percent, err = catalog.ParsePhase(args.Percent); err != nil {
		return nil, command.Usage("%w", err)
	}
	for _, s := range args.Steps {
		percent, err := catalog.ParsePhase(s)
		if err != nil {
			return nil, command.Usage("--steps: %w", err)
		}
		r.p.Steps = append(r.p.Steps, percent)
	}
	if len(r.p.Steps) > 0 {
		if r.p.Every, err = time.ParseDuration(args.Every); err != nil {
			return nil, command.Usage("--every %q: use a period such as 24h", args.Every)
		}
		if r.p.Every == 0 {
			return nil, command.Usage("--steps %s,%s: say how long each lasts with --every, such as --every 24h", args.Percent, strings.Join(args.Steps, ","))
		}
	}
	if err := r.p.Check(); err != nil {
		return nil, command.Usage("%w", err)
	}
	r.args = phaseArgs{Pattern: args.Pattern, Percent: catalog.PhaseText(r.p.Percent)}
	for _, s := range r.p.Steps {
		r.args.Steps, r.args.Every = append(r.args.Steps, catalog.PhaseText(s)), catalog.ShortDuration(r.p.Every)
	}
	return r, nil
}

// dryRun prints what would change.
func (r *phasing) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags, by string) error {
	found, err := db.SelectPhased(ctx, r.which)
	var p catalog.Plan
	var refused error
	if err == nil {
		_, p, refused = r.plan(found)
		err = refused
	}
	if err != nil {
		return explained(ctx, db, r.which, refused, err)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if err := f.write(io, p, by, now); err != nil {
		return err
	}
	return printPlan(io, p, r.json, "have the phase "+r.p.String(), "")
}

// run sets the phase of what is selected.
func (r *phasing) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	var refused error
	var before []catalogdb.PhasedPackage // the first try of the transaction
	done, err := db.PhaseSelected(ctx, r.which, r.p, now, func(f catalogdb.Phased) (chosen []catalogdb.PhasedPackage, err error) {
		var p catalog.Plan
		if chosen, p, refused = r.plan(f); refused == nil {
			refused = compared(r.want, p, func() []catalog.PlanItem { return r.already(chosen) })
		}
		if before == nil {
			before = chosen
		}
		return chosen, refused
	})
	if err != nil {
		return explained(ctx, db, r.which, refused, err)
	}
	if r.NoWait {
		err = recorded(io)
	} else {
		err = r.published(ctx, db, done)
	}
	if err == nil {
		r.print(io, before)
	}
	return err
}

// published waits until the releases have been published with the change.
func (r *phasing) published(ctx context.Context, db *catalogdb.DB, done catalogdb.SelectedChange) error {
	return r.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		states, err := db.ReleasesOf(ctx, r.which.Target.Repository)
		if err != nil {
			return "", command.Fault(err)
		}
		return behind(states, done.Revisions), nil
	})
}

// errRPMPhase says why an RPM package has no phase.
var errRPMPhase = errors.New("dnf and zypper know no phased updates, so nothing is changed: name a DEB distribution, and push an RPM package to a distribution of its own for the first hosts")

// plan returns the packages that are to have the phase, and what changes by that. An error says why nothing must change.
func (r *phasing) plan(f catalogdb.Phased) (chosen []catalogdb.PhasedPackage, p catalog.Plan, err error) {
	if len(f.Unmatched) > 0 {
		return nil, p, unmatched{f.Unmatched[0]}
	}
	if p, err = newPlan(catalog.PlanPhase, r.which.Target, r.args); err != nil {
		return nil, p, err
	}
	for _, k := range f.All {
		if k.Package.Format == catalog.RPM {
			return nil, p, fmt.Errorf("%s in %s is an RPM package: %w", nameOf(k.Package), k.Package.Place(), errRPMPhase)
		}
		if r.p.Changes(k.Percent, k.Asked) {
			p.Items = append(p.Items, phaseItem(k))
		}
	}
	sum(&p, shownBy(f.Selected), func(catalog.PlanItem) int { return 0 })
	return f.All, p, p.Seal()
}

// phaseItem returns the item of a package that has another phase now.
func phaseItem(k catalogdb.PhasedPackage) catalog.PlanItem {
	i := itemsOf(k.SelectedPackage, catalog.PlanRephase)[0] // DEB: one release
	i.From = catalog.PhaseText(k.Percent)
	return i
}

// already returns those items of the plan that is to be applied whose packages have the phase and its steps.
func (r *phasing) already(packages []catalogdb.PhasedPackage) (items []catalog.PlanItem) {
	is := map[catalog.PlanItem]bool{}
	for _, k := range packages {
		if !r.p.Changes(k.Percent, k.Asked) {
			i := phaseItem(k)
			i.From = ""
			is[i] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(r.want.Items), func(i catalog.PlanItem) bool {
		i.From = ""
		return !is[i]
	})
}

// phasedJSON is how --json prints a package that got a phase.
type phasedJSON struct {
	Package string `json:"package"` // name version architecture
	Source  string `json:"source"`  // name version
	Place   string `json:"place"`
	Percent int    `json:"percent"`
	Before  int    `json:"before"` // the percentage
	Steps   []int  `json:"steps,omitempty"`
	Every   string `json:"every,omitempty"`
}

// print prints the packages with the phase that they have now.
func (r *phasing) print(io stdio, before []catalogdb.PhasedPackage) {
	for _, k := range before {
		if r.json {
			printJSON(io, phasedJSON{nameOf(k.Package), k.Source.String(), k.Package.Place().String(), r.p.Percent, k.Percent, r.p.Steps, r.args.Every})
			continue
		}
		was := ""
		if r.p.Changes(k.Percent, k.Asked) {
			was = fmt.Sprintf(" (before: %s)", catalog.PhaseText(k.Percent))
		}
		fmt.Fprintf(io.out, "%s: %s in %s %s%s\n", r.p, nameOf(k.Package), k.Package.Repository, within(k.Package.Distribution, k.Package.Component), was)
	}
	if r.p.Percent == 0 && !r.json {
		fmt.Fprintln(io.err, "0% reduces and does not stop: about one host in a hundred and those that never hold updates back still upgrade; to stop, use repomill yank")
	}
}
