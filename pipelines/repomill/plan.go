package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// planFlags are those of commands that print what they would do, and can keep it as a plan.
type planFlags struct {
	DryRun bool   `help:"Change nothing, and print what would change."`
	Plan   string `filled:"" placeholder:"FILE" help:"With --dry-run: write what would change to a file, for repomill apply."`
}

func (f planFlags) check() error {
	if f.Plan != "" && !f.DryRun {
		return command.Usage("--plan writes what would change, and changes nothing: add --dry-run, and then use repomill apply %s", f.Plan)
	}
	return nil
}

// newPlan returns a plan without items. args are those of its kind.
func newPlan(kind catalog.PlanKind, t catalog.PackageTarget, args any) (p catalog.Plan, err error) {
	p = catalog.Plan{Kind: kind, Target: t, Items: []catalog.PlanItem{}, Releases: []catalog.PlanRelease{}}
	p.Args, err = json.Marshal(args)
	return p, err
}

// sum sets the releases of a plan from its items. shown says how many packages a release has now; change how many of them each
// item takes away (-1) or adds (1).
func sum(p *catalog.Plan, shown map[string]int, change func(catalog.PlanItem) int) {
	at := map[string]*catalog.PlanRelease{}
	for _, i := range p.Items {
		r := at[i.Release]
		if r == nil {
			r = &catalog.PlanRelease{Release: i.Release, Stay: shown[i.Release]}
			at[i.Release] = r
		}
		r.Packages, r.Bytes, r.Stay = r.Packages+1, r.Bytes+i.Bytes, r.Stay+min(change(i), 0)
	}
	p.Releases = []catalog.PlanRelease{}
	for _, r := range at {
		p.Releases = append(p.Releases, *r)
	}
}

// shownBy returns how many packages releases show, by their texts.
func shownBy(s catalogdb.Selected) map[string]int {
	shown := map[string]int{}
	for r, n := range s.Shown {
		shown[r.String()] = n
	}
	return shown
}

// write writes a plan to the file of --plan, if there is one.
func (f planFlags) write(out stdio, p catalog.Plan, by string, now time.Time) error {
	if f.Plan == "" {
		return nil
	}
	p.By, p.Made = by, now.UTC().Truncate(time.Second)
	text, err := json.MarshalIndent(p, "", "  ")
	if err == nil {
		err = os.WriteFile(f.Plan, append(text, '\n'), 0o644)
	}
	if err != nil {
		return fmt.Errorf("--plan: %w", err)
	}
	fmt.Fprintf(out.err, "plan %.12s is in %s: repomill apply makes it so\n", p.Digest, f.Plan)
	return nil
}

// maxPlan is the size of the largest plan that is read, in bytes: 100,000 packages in several releases have less.
const maxPlan = 256 << 20

// readPlan reads a plan from a file, and checks it.
func readPlan(name string) (p catalog.Plan, err error) {
	file, err := os.Open(name)
	if err != nil {
		return p, command.Usage("plan: %w", err)
	}
	defer file.Close()
	text, err := io.ReadAll(io.LimitReader(file, maxPlan+1))
	switch {
	case err != nil:
		return p, command.Usage("plan: %w", err)
	case len(text) > maxPlan:
		return p, command.Usage("%s has more than %d MB: no plan has", name, maxPlan>>20)
	}
	if err := json.Unmarshal(text, &p); err != nil {
		return p, command.Usage("%s is not a plan, or not a whole one: make one with --dry-run --plan (%w)", name, err)
	}
	if p.Kind == "" {
		return p, command.Usage("%s is not a plan: make one with --dry-run --plan", name)
	}
	return p, p.Check()
}

// shownDifferences is how many differences of plans a message has.
const shownDifferences = 5

// errMoved says that a plan does not hold any more.
var errMoved = errors.New("the plan does not hold any more, and nothing was changed")

// compared returns an error if a plan that was computed in a transaction is not the one that is to be applied; nil if none is. A
// plan that was applied already is accepted: nothing is left of it, and all its items are among those that are as it says.
func compared(want *catalog.Plan, now catalog.Plan, already func() []catalog.PlanItem) error {
	if want == nil || want.Digest == now.Digest {
		return nil
	}
	if len(now.Items) == 0 && len(want.Items) > 0 {
		is := map[catalog.PlanItem]bool{}
		for _, i := range already() {
			is[i] = true
		}
		if !slices.ContainsFunc(want.Items, func(i catalog.PlanItem) bool { return !is[i] }) {
			return nil
		}
	}
	lines, total := want.Differences(now, shownDifferences)
	return fmt.Errorf("%w: %s; make a new plan", errMoved, few(lines, total))
}

// shownLeftOut is how many packages that are left out a text names.
const shownLeftOut = 10

// printPlan prints a plan, with a line for each package below its release and a last line that says what it is in all, and ends
// with exit code 5 if something would change.
func printPlan(out stdio, p catalog.Plan, asJSON bool, verb, last string) error {
	if asJSON {
		printJSON(out, p)
	} else {
		bytes := int64(0)
		items := p.Items
		for _, r := range p.Releases {
			bytes += r.Bytes
			fmt.Fprintf(out.out, "%s: %d would %s, %d stay\n", r.Release, r.Packages, verb, r.Stay)
			for ; len(items) > 0 && items[0].Release == r.Release; items = items[1:] {
				i := items[0]
				in := ""
				if i.Component != "" {
					in = " in " + i.Component
				}
				if i.Action == catalog.PlanRephase {
					in += ", from " + i.From
				}
				fmt.Fprintf(out.out, "  %s: %s %s %s%s, %d bytes\n", i.Action, i.Name, i.Version, i.Arch, in, i.Bytes)
			}
		}
		for n, l := range p.LeftOut {
			if n == shownLeftOut {
				fmt.Fprintf(out.out, "left out: %d more\n", len(p.LeftOut)-n)
				break
			}
			fmt.Fprintf(out.out, "left out: %s in %s: %s\n", l.Package, l.Place, command.Printable(l.Why))
		}
		fmt.Fprintf(out.out, "packages: %d, releases: %d, bytes: %d%s\n", packagesOf(p), len(p.Releases), bytes, last)
	}
	if len(p.Items) > 0 {
		return command.Exit(5)
	}
	return nil
}

// packagesOf counts the packages of a plan: an RPM package is in several releases.
func packagesOf(p catalog.Plan) int {
	distinct := map[catalog.PlanItem]bool{}
	for _, i := range p.Items {
		r, _ := catalog.ParseRelease(i.Release)
		i.Release = r.Repository.String() + "/" + r.Distribution.String()
		distinct[i] = true
	}
	return len(distinct)
}
