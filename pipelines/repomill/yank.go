package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"repomill/pipelines/command"
	"repomill/pipelines/objects/cdn"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

// A yankTarget names the packages to withdraw or restore.
type yankTarget struct {
	awaitFlags
	planFlags
	Target   string   `arg:"" help:"owner/name for all its distributions, or owner/name/os/version, such as acme/tools/ubuntu/jammy; for DEB also /component, or else all that have the package."`
	Packages []string `arg:"" name:"package" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH, as repomill ls prints them. NAME and VERSION may have *, ? and [a-z]."`
	Arch     string   `filled:"" help:"Only this architecture."`
	JSON     bool     `name:"json" help:"Print one JSON object a package; with --dry-run, the plan."`
}

// selection returns what is to be withdrawn or restored: packages of either state, since a repeat changes nothing.
func (t yankTarget) selection() (s catalogdb.Selection, err error) {
	if err := t.check(); err != nil {
		return s, err
	}
	s = catalogdb.Selection{Arch: t.Arch, States: []catalog.PackageState{catalog.Active, catalog.Yanked}}
	if s.Target, err = parsePackageTarget(t.Target); err == nil {
		s.Patterns, err = parsePatterns(t.Packages)
	}
	return s, err
}

type yankCmd struct {
	catalogFlags
	yankTarget
	nowFlags
	Reason string `required:"" help:"Why: recorded with the withdrawal, and named when the package is pushed again."`
	By     string `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who withdraws it, for the record."`
	Now    bool   `help:"Remove the file and its copy in staging at once, and not after the retention period; what was replaced or moved away before does not come back by itself. Running downloads may break."`
	All    bool   `help:"Needed if a glob, or a name without a version, leaves a release without packages."`
}

// Help describes the exit codes.
func (yankCmd) Help() string {
	return `The command removes packages from the indexes now, in all distributions of the target: one transaction, and one publish of each
release. Their files stay for the retention period, for clients that have an old index. Name, version and architecture are never used
for other bytes. Installed packages stay installed. The keyring package of the repository is withdrawn by its name alone, not by a glob.

While the packages of a release are recovered from its published indexes, after the catalog was lost, only NAME=VERSION of what is back already
is withdrawn: repomill status says how far that is. The recovery does not bring it back, and clients see the withdrawal once it ends.

Exit codes:
  0  clients no longer see the packages; with --dry-run: nothing would change
  1  a pattern selects nothing, or a release would be left without packages; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs; with --now: or a copy in staging is not removed yet.
     A worker completes it once one runs, except for --invalidate. Or a release is being recovered, and what was back
     is withdrawn: run the command again after the recovery
  4  the catalog, bucket or CDN cannot be reached, or a release is being recovered; run the command again to complete it
  5  with --dry-run: something would change

Examples:
  repomill yank acme/tools/ubuntu/jammy hello=1.0 --reason "breaks the login"
  repomill yank acme/tools 'hello*' --reason "breaks the login" --dry-run --plan hello.json
  repomill apply hello.json
  repomill yank acme/tools/el/9 hello=1.0-1 --arch x86_64 --now --reason "has a password in it"`
}

// A yanking is one run of yank, or of apply on its plan.
type yanking struct {
	awaitFlags
	nowFlags
	catalogFlags
	json  bool
	by    string
	which catalogdb.Selection
	args  yankArgs
	want  *catalog.Plan // to be applied; nil for what is selected now
}

// yankArgs are the arguments of a plan to withdraw packages.
type yankArgs struct {
	Patterns []string `json:"patterns"`
	Arch     string   `json:"arch,omitempty"`
	Reason   string   `json:"reason"`
	Now      bool     `json:"now,omitempty"`
	All      bool     `json:"all,omitempty"`
}

// Run withdraws packages, waits until clients no longer see them and, with --now, removes their files.
func (c *yankCmd) Run(ctx context.Context, io stdio) error {
	s, err := c.selection()
	if err != nil {
		return err
	}
	s.Back = true
	if !plainText(c.Reason) {
		return command.Usage("--reason %q: use printable characters on one line, at most 200", c.Reason)
	}
	y := &yanking{awaitFlags: c.awaitFlags, nowFlags: c.nowFlags, catalogFlags: c.catalogFlags, json: c.JSON, by: c.By, which: s,
		args: yankArgs{textsOf(s.Patterns), c.Arch, c.Reason, c.Now, c.All}}
	if err := y.checkNow(ctx, c.DryRun); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return y.dryRun(ctx, io, db, c.planFlags)
	}
	return y.run(ctx, io, db)
}

// checkNow returns what is wrong with the flags of --now, before the catalog changes.
func (y *yanking) checkNow(ctx context.Context, dryRun bool) error {
	switch {
	case !y.args.Now || dryRun:
	case y.Bucket == "" && y.Catalog != "":
		return command.Usage("--now: name the published bucket with --bucket: a catalog that is not in --data has no bucket there")
	case y.NoWait:
		return command.Usage("--now removes the file once clients no longer see the package: leave out --no-wait")
	default:
		if err := checkBucket(cmp.Or(y.Bucket, "file://"+y.Data+"/bucket")); err != nil {
			return err
		}
	}
	if y.Invalidate != "" {
		if _, err := cdn.Open(ctx, y.Invalidate); err != nil {
			return command.Usage("--invalidate: %w", err)
		}
	}
	return nil
}

// errReplaced refuses a reason by which what is withdrawn would come back.
var errReplaced = fmt.Errorf("the reason %q is what a mutable repository itself records of bytes that others replaced, and a push brings those back: say more, such as \"replaced by 1.1\"", catalog.ReplacedReason)

// dryRun prints what would be withdrawn.
func (y *yanking) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags) error {
	found, err := db.Select(ctx, y.which)
	var p catalog.Plan
	var refused error
	var chosen []catalogdb.SelectedPackage
	if err == nil {
		chosen, p, refused = y.plan(found)
		err = refused
	}
	if err != nil {
		return explained(ctx, db, y.which, refused, err)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if err := f.write(io, p, y.by, now); err != nil {
		return err
	}
	last := "; the files stay for the retention period, and installed packages stay installed"
	if y.args.Now {
		var packages []catalog.Package
		for _, k := range chosen {
			packages = append(packages, k.Package)
		}
		if err := printBroken(ctx, io, db, packages); err != nil {
			return err
		}
		last = "; the files and their copies in staging go at once, and installed packages stay installed"
	}
	return printPlan(io, p, y.json, "leave", last)
}

// run withdraws what is selected.
func (y *yanking) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	now, err := db.Clock(ctx) // unyank uses the same clock: the later command wins
	if err != nil {
		return command.Fault(err)
	}
	record := catalog.Yank{Reason: y.args.Reason, By: y.by, At: now.UTC().Truncate(time.Second)}
	var refused error
	done, err := db.YankSelected(ctx, y.which, catalogdb.Withdrawal{Yank: record, Now: y.args.Now}, now, func(s catalogdb.Selected) (chosen []catalogdb.SelectedPackage, err error) {
		var p catalog.Plan
		if chosen, p, refused = y.plan(s); refused == nil {
			refused = compared(y.want, p, func() []catalog.PlanItem {
				return already(chosen, catalog.Yanked, catalog.PlanWithdraw, catalog.PlanRemove)
			})
		}
		return chosen, refused
	})
	if err != nil {
		return explained(ctx, db, y.which, refused, err)
	}
	for _, l := range notBack(y.which, done.Recovering) {
		fmt.Fprintf(io.err, "note: %s in %s: %s\n", l.Package, l.Place, command.Printable(l.Why))
	}
	var r *removal
	if y.args.Now {
		if r, err = y.begin(ctx, db, done.Packages); err != nil {
			return err
		}
		defer r.bucket.Close()
		if err := printBroken(ctx, io, db, done.Packages); err != nil {
			return err
		}
	}
	if y.NoWait {
		err = recorded(io)
	} else {
		err = y.selected(ctx, db, done, catalog.Yanked)
	}
	if err != nil {
		return err
	}
	y.print(io, done, record)
	if !y.args.Now {
		return restOf(done)
	}
	if y.json { // nothing but JSON is on the standard output
		io.out = io.err
	}
	if err := y.remove(ctx, io, db, r); err != nil {
		return err
	}
	if err := y.removeStaged(ctx, io, db, done.Packages); err != nil {
		return err
	}
	return restOf(done)
}

// plan returns the packages to withdraw, with those that are withdrawn already, and what changes by that. An error says why
// nothing must change.
func (y *yanking) plan(s catalogdb.Selected) (chosen []catalogdb.SelectedPackage, p catalog.Plan, err error) {
	if len(s.Unmatched) > 0 {
		return nil, p, unmatched{s.Unmatched[0]}
	}
	if p, err = newPlan(catalog.PlanYank, y.which.Target, y.args); err != nil {
		return nil, p, err
	}
	for _, k := range s.Packages {
		if k.Package.Variant != "" && y.args.Reason == catalog.ReplacedReason {
			return nil, p, errReplaced
		}
		why := ""
		switch {
		case s.Keyring(k.Package) && !k.Named:
			why = "it has the keys of " + s.Settings.Repository.String() + ", and is withdrawn by its name alone"
		case k.Package.State == catalog.Yanked && (!y.args.Now || k.Removed && !catalogdb.Withdrawal{Now: true}.Bans(k.Package)):
			why = "it is withdrawn already"
			if s.Recovers(k.Package) {
				why += ", and the recovery leaves it so from now on: a revision records that"
			}
			chosen = append(chosen, k)
		case k.Package.State == catalog.Yanked:
			chosen = append(chosen, k)
			p.Items = append(p.Items, itemsOf(k, catalog.PlanRemove)...)
		default:
			chosen = append(chosen, k)
			p.Items = append(p.Items, itemsOf(k, catalog.PlanWithdraw)...)
		}
		if why != "" {
			p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: k.Package.Place().String(), Package: nameOf(k.Package), Why: why})
		}
	}
	p.LeftOut = append(p.LeftOut, notBack(y.which, s.Recovering)...)
	if len(chosen) == 0 {
		return nil, p, fmt.Errorf("nothing is withdrawn: %s in %s is left out: %s", p.LeftOut[0].Package, p.LeftOut[0].Place, p.LeftOut[0].Why)
	}
	sum(&p, shownBy(s), func(i catalog.PlanItem) int {
		if i.Action == catalog.PlanRemove || s.Settings.Keyring != nil && i.Name == layout.KeyringName(s.Settings.Repository, formatOf(i)) {
			return 0
		}
		return -1
	})
	if err := p.Seal(); err != nil {
		return nil, p, err
	}
	return chosen, p, y.checkEmptied(s, p)
}

// formatOf returns the format of an item: DEB packages have components.
func formatOf(i catalog.PlanItem) catalog.Format {
	if i.Component == "" {
		return catalog.RPM
	}
	return catalog.DEB
}

// itemsOf returns an item for each release of a package.
func itemsOf(k catalogdb.SelectedPackage, action catalog.PlanAction) (items []catalog.PlanItem) {
	for _, r := range k.Releases {
		items = append(items, catalog.ItemOf(r, k.Package, action))
	}
	return items
}

// checkEmptied returns an error if the plan leaves a release without packages, and a package of it was not named with its
// version: a glob may select more than was thought of.
func (y *yanking) checkEmptied(s catalogdb.Selected, p catalog.Plan) error {
	vague := map[string]bool{}
	for _, k := range s.Packages {
		for _, r := range k.Releases {
			vague[r.String()] = vague[r.String()] || !k.Exact && k.Package.State == catalog.Active
		}
	}
	var empty, others []string
	shown := shownBy(s)
	for _, r := range p.Releases {
		switch had := shown[r.Release]; {
		case r.Stay > 0:
			others = append(others, fmt.Sprintf("%s would keep %d of %d", r.Release, r.Stay, had))
		case had > 0 && vague[r.Release]:
			empty = append(empty, fmt.Sprintf("%s would have no package left, of %d", r.Release, had))
		}
	}
	if len(empty) == 0 || y.args.All {
		return nil
	}
	lines := append(empty, others...)
	return fmt.Errorf("%s; add --all if that is meant", few(lines[:min(len(lines), shownDifferences)], len(lines)))
}

// already returns the items of actions that have brought packages into a state.
func already(packages []catalogdb.SelectedPackage, state catalog.PackageState, actions ...catalog.PlanAction) (items []catalog.PlanItem) {
	for _, k := range packages {
		for _, a := range actions {
			if k.Package.State == state {
				items = append(items, itemsOf(k, a)...)
			}
		}
	}
	return items
}

// print prints what was withdrawn. What was withdrawn before is printed if it was named, or if its file is removed now.
func (y *yanking) print(io stdio, done catalogdb.SelectedChange, record catalog.Yank) {
	yanked, before := 0, 0
	for _, k := range done.Packages {
		already := ""
		if k.Yank != nil && !k.Yank.At.Equal(record.At) {
			before++
			already = fmt.Sprintf(" (it was already, on %s: %s)", k.Yank.At.Format(time.DateTime+" MST"), command.Printable(k.Yank.Reason))
		} else {
			yanked++
		}
		switch {
		case y.json:
			printJSON(io, yankJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256, k.State, k.Yank, already != ""})
		case already == "" || y.args.Now || namesPackage(y.which.Patterns, k):
			fmt.Fprintf(io.out, "yanked: %s from %s %s%s\n", nameOf(k), k.Repository, within(k.Distribution, k.Component), already)
		}
	}
	if len(done.Packages) > 1 && !y.json {
		fmt.Fprintf(io.out, "%d packages: %d yanked, %d before\n", len(done.Packages), yanked, before)
	}
}

// yankJSON is how --json prints a package that was withdrawn or restored.
type yankJSON struct {
	Package string               `json:"package"` // name version architecture
	Place   string               `json:"place"`
	Size    int64                `json:"size"`
	SHA256  string               `json:"sha256"`
	State   catalog.PackageState `json:"state"`
	Yank    *catalog.Yank        `json:"yank,omitempty"`
	Before  bool                 `json:"before,omitempty"` // an earlier command did it
}

// namesPackage reports whether some pattern has the name of a package, and not a glob.
func namesPackage(patterns []catalog.Pattern, k catalog.Package) bool {
	return slices.ContainsFunc(patterns, func(p catalog.Pattern) bool { return p.LiteralName() == k.Name })
}

// within names a distribution and, unless it is the default one, a component.
func within(d catalog.Distribution, component string) string {
	if component == "" || component == layout.DefaultComponent {
		return d.String()
	}
	return d.String() + "/" + component
}
