package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type retainPlanCmd struct {
	catalogFlags
	By     string `env:"REPOMILL_BY,GITLAB_USER_LOGIN,GITHUB_ACTOR,USER" help:"Who makes the plan, for --plan."`
	Target string `arg:"" help:"owner/name for all its distributions, or owner/name/os/version for one."`
	Plan   string `placeholder:"FILE" help:"Write what would leave to a file, for repomill apply."`
	JSON   bool   `name:"json" help:"Print one JSON object for each package that would leave, and one that sums up."`
}

// Help describes the exit codes.
func (retainPlanCmd) Help() string {
	return `The command changes nothing. Of each release it prints which packages would leave, how many stay and by which rule: a package that
several rules keep counts for the first of keyring (has the keys of the repository), young (came, or was brought back, within 14 days),
younger, newest, pinned, downloaded, needed (by exact version, by one that stays).

Exit codes:
  0  nothing would leave
  1  the target has no rules, or a release would be left without packages
  2  usage
  4  the catalog cannot be reached
  5  something would leave

Examples:
  repomill retain plan acme/tools
  repomill retain plan acme/tools/ubuntu/jammy --plan expired.json && repomill apply expired.json`
}

// A retaining is one run of retain plan or run, or of apply on its plan.
type retaining struct {
	awaitFlags
	json   bool
	by     catalog.Actor
	target catalog.PackageTarget
	args   retainArgs
	want   *catalog.Plan // to be applied; nil for what leaves now
}

// retainArgs are the arguments of a plan to withdraw what no rule keeps.
type retainArgs struct {
	At string `json:"at"` // ages are as of this time
}

// maxPlanned is how many packages a plan in a file has at most: one transaction changes no more.
const maxPlanned = 100_000

// Run prints what would leave.
func (c *retainPlanCmd) Run(ctx context.Context, io stdio) error {
	t, err := parseRetained(c.Target)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	r := &retaining{json: c.JSON, by: catalog.Actor{User: c.By}, target: t}
	return r.dryRun(ctx, io, db, planFlags{DryRun: true, Plan: c.Plan})
}

// at sets the time of the plan to now, and returns it.
func (r *retaining) at(ctx context.Context, db *catalogdb.DB) (time.Time, error) {
	now, err := db.Clock(ctx)
	if err != nil {
		return now, command.Fault(err)
	}
	now = now.UTC().Truncate(time.Second)
	r.args.At = now.Format(time.RFC3339)
	return now, nil
}

// A retainedJSON is a package that would leave.
type retainedJSON struct {
	Package string `json:"package"` // name version architecture
	Place   string `json:"place"`
	Size    int64  `json:"size"`
	SHA256  string `json:"sha256"`
}

// A retentionJSON sums up what would leave.
type retentionJSON struct {
	Target    string                   `json:"target"`
	Rules     []string                 `json:"rules"`
	Releases  []retentionReleaseJSON   `json:"releases"`
	Kept      map[catalogdb.KeptBy]int `json:"kept"` // packages that stay, by the first rule that keeps them
	Packages  int                      `json:"packages"`
	Bytes     int64                    `json:"bytes"`
	Without   []string                 `json:"without_rules,omitempty"`
	Downloads *catalogdb.Collected     `json:"downloads,omitempty"`
	Refused   string                   `json:"refused,omitempty"`
}

type retentionReleaseJSON struct {
	Release string `json:"release"`
	catalogdb.RetentionRelease
}

// dryRun prints what would leave, as a stream. It holds a plan in memory only if that is to be written to a file.
func (r *retaining) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags) error {
	now, err := r.at(ctx, db)
	if err != nil {
		return err
	}
	s, err := db.Retention(ctx, r.target, now)
	if err != nil {
		return retentionFault(ctx, db, r.target, err)
	}
	if err := r.checkRules(s); err != nil {
		return err
	}
	refused := pipelines.CheckNotEmptied(s)
	if f.Plan != "" && s.Leave > maxPlanned {
		return fmt.Errorf("%d packages would leave, and a plan has %d at most: name one distribution, or use retain run, which withdraws as many at a time", s.Leave, maxPlanned)
	}
	var packages []catalogdb.SelectedPackage
	for p, err := range db.Leaving(ctx, s) {
		if err != nil {
			return command.Fault(err)
		}
		if f.Plan != "" {
			packages = append(packages, p)
		}
		r.printLeaving(io, p.Package)
	}
	if f.Plan != "" && refused == nil {
		p, err := r.plan(s, packages)
		if err == nil {
			err = f.write(io, p, r.by.User, now)
		}
		if err != nil {
			return err
		}
	}
	r.printSums(io, s, refused)
	switch {
	case refused != nil:
		return refused
	case s.Leave > 0:
		return command.Exit(5)
	}
	return nil
}

// checkRules returns an error if no rules are for the target.
func (r *retaining) checkRules(s catalogdb.RetentionState) error {
	if len(s.Releases) > 0 {
		return nil
	}
	return fmt.Errorf("no rules of retention are for %s: everything stays; repomill retain set %s --newest 3 sets one", r.target, r.target)
}

func (r *retaining) printLeaving(io stdio, k catalog.Package) {
	if r.json {
		printJSON(io, retainedJSON{nameOf(k), k.Place().String(), k.File.Size, k.File.SHA256})
		return
	}
	fmt.Fprintf(io.out, "leaves: %s in %s, %d bytes\n", nameOf(k), k.Place(), k.File.Size)
}

// printSums prints what leaves and stays in all.
func (r *retaining) printSums(io stdio, s catalogdb.RetentionState, refused error) {
	j := retentionJSON{Target: r.target.String(), Kept: s.Kept, Packages: s.Leave, Bytes: s.Bytes, Downloads: s.Downloads, Releases: []retentionReleaseJSON{}}
	for _, set := range s.Settings.Retention {
		if r.target.Whole() || set.Distribution == (catalog.Distribution{}) || set.Distribution == r.target.Distribution {
			j.Rules = append(j.Rules, set.String())
		}
	}
	for _, of := range s.Releases {
		j.Releases = append(j.Releases, retentionReleaseJSON{of.Release.String(), of})
	}
	for _, d := range s.Without {
		j.Without = append(j.Without, r.target.Repository.String()+"/"+d.String())
	}
	if refused != nil {
		j.Refused = refused.Error()
	}
	if r.json {
		printJSON(io, j)
		return
	}
	for _, rule := range j.Rules {
		fmt.Fprintf(io.out, "rules: %s\n", rule)
	}
	for _, of := range j.Releases {
		fmt.Fprintf(io.out, "%s: %d would leave, %d stay, %d bytes\n", of.Release, of.Leave, of.Stay, of.Bytes)
	}
	for _, d := range j.Without {
		fmt.Fprintf(io.out, "%s: everything stays: no rules are for it\n", d)
	}
	if text := keptText(s.Kept); text != "" {
		fmt.Fprintf(io.out, "stay: %s\n", text)
	}
	if d := s.Downloads; d != nil {
		fmt.Fprintln(io.out, downloadsText(*d))
	}
	fmt.Fprintf(io.out, "packages: %d, releases: %d, bytes: %d; the files stay for the retention period, and unyank brings packages back until then\n", s.Leave, len(s.Releases), s.Bytes)
}

// keptText says by which rules packages stay.
func keptText(kept map[catalogdb.KeptBy]int) string {
	var parts []string
	for _, by := range []catalogdb.KeptBy{catalogdb.KeptKeyring, catalogdb.KeptYoung, catalogdb.KeptYounger, catalogdb.KeptNewest, catalogdb.KeptPinned, catalogdb.KeptDownloaded, catalogdb.KeptNeeded} {
		if n := kept[by]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, by))
		}
	}
	return strings.Join(parts, ", ")
}

// downloadsText says how long downloads have been counted.
func downloadsText(d catalogdb.Collected) string {
	switch {
	case d.Since.IsZero():
		return "downloads: none were ever counted, so that everything stays: see repomill stats run"
	case !d.Known:
		return fmt.Sprintf("downloads: counted from %s to %s, which is not as long as the rule asks, or not up to now: everything stays", d.Since.Format(time.DateOnly), d.Until.Format(time.DateOnly))
	}
	return fmt.Sprintf("downloads: counted from %s to %s", d.Since.Format(time.DateOnly), d.Until.Format(time.DateOnly))
}

// plan returns what leaves as a plan.
func (r *retaining) plan(s catalogdb.RetentionState, packages []catalogdb.SelectedPackage) (p catalog.Plan, err error) {
	if p, err = newPlan(catalog.PlanRetain, r.target, r.args); err != nil {
		return p, err
	}
	for _, k := range packages {
		p.Items = append(p.Items, itemsOf(k, catalog.PlanWithdraw)...)
	}
	for _, of := range s.Releases {
		if of.Leave > 0 {
			p.Releases = append(p.Releases, catalog.PlanRelease{Release: of.Release.String(), Packages: of.Leave, Bytes: of.Bytes, Stay: of.Stay})
		}
	}
	return p, p.Seal()
}
