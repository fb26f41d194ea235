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
	Plan   string `filled:"" placeholder:"FILE" help:"Write what would leave to a file, for repomill apply."`
	JSON   bool   `name:"json" help:"Print one JSON object for each package that would leave, and one that sums up."`
}

// Help describes the exit codes.
func (retainPlanCmd) Help() string {
	return `The command changes nothing. Of each release it prints which packages would leave, how many stay and by which rule: a package that
several rules keep counts for the first of keyring (has the keys of the repository), young (clients see it since 14 days or less, or not yet),
younger, newest, pinned, downloaded, needed (by exact version, by one that stays).

Exit codes:
  0  nothing would leave
  1  the target has no rules, or a release would be left without packages
  2  usage
  4  the catalog cannot be reached
  5  something would leave

Examples:
  repomill retain plan acme/tools
  repomill retain plan acme/tools/ubuntu/jammy --plan expired.json
  repomill apply expired.json`
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

	Archive string            `json:"archive,omitempty"` // the place that it goes to first
	Copy    catalog.CopyState `json:"copy,omitempty"`    // what it meets there
	Detail  string            `json:"detail,omitempty"`  // why it cannot go there, and stays
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
	Archive   *archiveSums             `json:"archive,omitempty"` // nil if nothing goes to one
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
	refused := pipelines.CheckRetention(s)
	if f.Plan != "" && s.Leave > maxPlanned {
		return fmt.Errorf("%d packages would leave, and a plan has %d at most: name one distribution, or use retain run, which withdraws as many at a time", s.Leave, maxPlanned)
	}
	var packages []catalogdb.LeavingPackage
	var sums archiveSums
	for p, err := range db.Leaving(ctx, s) {
		if err != nil {
			return command.Fault(err)
		}
		if f.Plan != "" {
			packages = append(packages, p)
		}
		sums.add(p)
		r.printLeaving(io, p)
	}
	if n := sums.Copied + sums.There + sums.UnderWay; f.Plan != "" && n > catalogdb.MaxArchiving {
		return fmt.Errorf("%d packages would go to the archive, and a plan has %d of them at most: name one distribution, or use retain run, which asks for as many at a time", n, catalogdb.MaxArchiving)
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
	r.printSums(io, s, sums, refused)
	switch {
	case refused != nil:
		return refused
	case s.Leave > sums.Stay:
		return command.Exit(5)
	case sums.Stay > 0:
		return command.Exit(command.Failed)
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

func (r *retaining) printLeaving(io stdio, p catalogdb.LeavingPackage) {
	k := p.Package
	j := retainedJSON{Package: nameOf(k), Place: k.Place().String(), Size: k.File.Size, SHA256: k.File.SHA256, Copy: p.Copy, Detail: p.Detail}
	if p.Copy != "" {
		j.Archive = p.Archive.String()
	}
	if r.json {
		printJSON(io, j)
		return
	}
	verb, more := "leaves", ""
	switch {
	case p.Stays():
		verb, more = "stays", fmt.Sprintf(", cannot go to %s: %s", j.Archive, command.Printable(p.Detail))
	case p.Copy == catalog.CopyUnderWay:
		more = ", is on its way to " + j.Archive
		if p.Detail != "" {
			more = ", " + p.Detail
		}
	case p.Copy == catalog.CopyRefused:
		more = fmt.Sprintf(", by hand only: %s rejected it: %s", j.Archive, command.Printable(p.Detail))
	case p.Copy == catalog.CopyThere:
		more = ", is in " + j.Archive + " already"
	case p.Copy != "":
		more = ", goes to " + j.Archive
	}
	fmt.Fprintf(io.out, "%s: %s in %s, %d bytes%s\n", verb, nameOf(k), k.Place(), k.File.Size, more)
}

// archiveSums counts what goes to archives.
type archiveSums struct {
	Copied   int   `json:"copied"` // packages that are to be copied
	Bytes    int64 `json:"bytes"`  // of them
	There    int   `json:"there"`  // packages that are there already
	UnderWay int   `json:"moving"` // packages that are on their way
	Stay     int   `json:"stay"`   // packages that cannot go there
}

func (a *archiveSums) add(p catalogdb.LeavingPackage) {
	switch {
	case p.Copy == "":
	case p.Stays():
		a.Stay++
	case p.Copy == catalog.CopyUnderWay:
		a.UnderWay++
	case p.Copy == catalog.CopyThere:
		a.There++
	default:
		a.Copied, a.Bytes = a.Copied+1, a.Bytes+p.Package.File.Size
	}
}

// String returns the sums in words; empty without an archive.
func (a archiveSums) String() string {
	if a == (archiveSums{}) {
		return ""
	}
	return fmt.Sprintf("archive: %d to copy, %d bytes; %d are there, %d on their way, %d cannot go there and stay", a.Copied, a.Bytes, a.There, a.UnderWay, a.Stay)
}

// printSums prints what leaves and stays in all.
func (r *retaining) printSums(io stdio, s catalogdb.RetentionState, sums archiveSums, refused error) {
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
	if sums != (archiveSums{}) {
		j.Archive = &sums
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
	if text := sums.String(); text != "" {
		fmt.Fprintln(io.out, text)
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
func (r *retaining) plan(s catalogdb.RetentionState, packages []catalogdb.LeavingPackage) (p catalog.Plan, err error) {
	if p, err = newPlan(catalog.PlanRetain, r.target, r.args); err != nil {
		return p, err
	}
	stay := map[catalog.Release]int{}
	for _, k := range packages {
		if k.Stays() || k.Copy == catalog.CopyUnderWay && k.Detail != "" {
			p.LeftOut = append(p.LeftOut, catalog.PlanLeftOut{Place: k.Archive.String(), Package: nameOf(k.Package), Why: k.Detail})
			for _, of := range k.Releases {
				stay[of]++
			}
			continue
		}
		p.Items = append(p.Items, itemsOf(k.SelectedPackage, catalog.PlanWithdraw)...)
		if k.Copy != "" { // also if it is there: it may be there by the plan
			p.Items = append(p.Items, copyItems(catalogdb.Candidate{Source: k.SelectedPackage, To: k.Archive}, s.ArchiveSettings(k.Package.Distribution))...)
		}
	}
	for _, of := range s.Releases {
		if n := of.Leave - stay[of.Release]; n > 0 {
			p.Releases = append(p.Releases, catalog.PlanRelease{Release: of.Release.String(), Packages: n, Bytes: of.Bytes, Stay: of.Stay + stay[of.Release]})
		}
	}
	return p, p.Seal()
}
