package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines"
	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type retainCmd struct {
	Set  retainSetCmd  `cmd:"" help:"Set the rules by which packages stay."`
	List retainListCmd `cmd:"" help:"List rules, and what workers did by them."`
	Plan retainPlanCmd `cmd:"" help:"Print what would leave, and what stays."`
	Run  retainRunCmd  `cmd:"" help:"Withdraw the packages that no rule keeps."`
}

type retainSetCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Target          string   `arg:"" help:"owner/name for all its distributions, or owner/name/os/version for one."`
	Newest          int      `filled:"" placeholder:"N" help:"Keep the newest N versions of each name, component and architecture, in the order of the format. A version with several architectures counts once; one for all architectures counts in each."`
	NewestPerSeries int      `filled:"" placeholder:"N" help:"Keep the newest N versions of each major.minor, such as 15.11 and 16.2."`
	Younger         period   `placeholder:"90d" help:"Keep what clients see, or see again, since this time or less. What they see since 14 days or less, or not yet, always stays."`
	Downloaded      period   `placeholder:"60d" help:"Keep what was downloaded within this time (repomill stats). Everything stays until downloads have been counted for as long, and if none were counted in the last week."`
	Keep            []string `sep:"none" placeholder:"NAME=VERSION" help:"Keep what a pattern selects, as yank takes it: NAME, NAME=VERSION, NAME=VERSION:ARCH, with * ? and [a-z]. May be repeated."`
	Archive         string   `filled:"" placeholder:"OWNER/NAME" help:"Copy what leaves to this repository first, into the same distribution and component, and withdraw it only once clients see it there. It stays with later rules of the target; none takes it away."`
	ToPublic        bool     `name:"to-public" help:"With --archive: needed from a private repository to a public archive: everybody can read the packages there."`
	Automatic       bool     `help:"Let workers apply the rules each day. They stop, change nothing and say so if more than 20 % of a release would leave."`
	AllowShrink     bool     `help:"With --automatic: also if more than 20 % of a release leaves."`
	Paused          bool     `help:"Let nothing leave but by repomill retain run."`
	Off             bool     `help:"Remove the rules of the target: everything stays."`

	archive *catalog.Archive
}

// Help describes rules and exit codes.
func (retainSetCmd) Help() string {
	return `A package stays if any rule keeps it; those of a distribution are added to those of its repository. A package that another one which
stays needs by exact version (Depends: x (= 1.0), Requires: x = 1.0-1) stays, too, and so does the keyring package. The rules of one
command replace those that the target had, and start paused: nothing leaves until repomill retain run, or retain set --automatic.
Rules that would leave a release without packages are refused. What leaves is withdrawn as expired: its file stays for the retention
period, and repomill unyank brings it back until then. A package is as young as the publish with which clients saw it, also one that
waited for a release train, was promoted or was brought back. (After the loss of the catalog, a DEB is as young as the publish that it was
rebuilt from, and an RPM as its push.) A version at less than 100 % (repomill phase) stays as one of the newest, and pushes no other out.

With --archive, what leaves goes to another repository first, by a copy in the bucket. What cannot go there (other bytes of its version are
there, it was withdrawn there, or the archive lacks the distribution, the component or a signature) stays where it is: retain plan lists
it, and the command, repomill status and an alert say so. Another archive is another rule: it starts paused.

` + settingsHelp + `

Examples:
  repomill retain set acme/tools --newest 3 --younger 90d --keep 'tools=1.0*'
  repomill retain plan acme/tools
  repomill retain set acme/tools --automatic
  repomill retain set acme/tools --newest 3 --archive acme/archive`
}

// rules returns the rules of the command line, and whether there are any.
func (c *retainSetCmd) rules(d catalog.Distribution) (set catalog.Retention, has bool, err error) {
	set = catalog.Retention{Distribution: d, Newest: c.Newest, NewestPerSeries: c.NewestPerSeries, YoungerDays: days(c.Younger), DownloadedDays: days(c.Downloaded), Keep: c.Keep}
	if has = c.Newest != 0 || c.NewestPerSeries != 0 || c.Younger != 0 || c.Downloaded != 0 || len(c.Keep) > 0; !has {
		return set, false, nil
	}
	return set, true, set.Check()
}

// days returns a period in days, rounded up.
func days(p period) int { return int((time.Duration(p) + 24*time.Hour - 1) / (24 * time.Hour)) }

// check returns what is wrong with the flags.
func (c *retainSetCmd) check(rules bool) error {
	switch {
	case c.ToPublic && (c.Archive == "" || c.Archive == noArchive):
		return command.Usage("--to-public is for the archive: add --archive")
	case c.Archive != "" && c.Off:
		return command.Usage("--off removes all rules of the target: leave out the others")
	case c.Automatic && c.Paused:
		return command.Usage("--automatic and --paused: use one of them")
	case c.AllowShrink && !c.Automatic:
		return command.Usage("--allow-shrink is for what workers do each day: add --automatic; repomill retain run has no such limit")
	case c.Off && (rules || c.Automatic || c.Paused):
		return command.Usage("--off removes all rules of the target: leave out the others")
	case !c.Off && !rules && !c.Automatic && !c.Paused && c.Archive == "":
		return command.Usage("name rules, such as --newest 3, or --automatic, --paused or --off")
	}
	return nil
}

// parseRetained reads the target of rules.
func parseRetained(s string) (catalog.PackageTarget, error) {
	t, err := parsePackageTarget(s)
	if err == nil && t.Component != "" {
		err = command.Usage("target %q: rules are of a repository or a distribution: leave out /%s", s, t.Component)
	}
	return t, err
}

// Run changes the rules of a target, and waits until the bucket has them.
func (c *retainSetCmd) Run(ctx context.Context, io stdio) error {
	t, err := parseRetained(c.Target)
	if err != nil {
		return err
	}
	set, has, err := c.rules(t.Distribution)
	if err != nil {
		return command.Usage("%w", err)
	}
	if err := c.check(has); err != nil {
		return err
	}
	if err := c.readArchive(); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	was, err := db.Settings(ctx, t.Repository)
	if err != nil {
		return client.NotDeclared(ctx, db, t.Repository, err)
	}
	if _, is := was.Find(t.Distribution); !is && !t.Whole() {
		return fmt.Errorf("repository %s does not have distribution %s; repomill repo list shows those it has", t.Repository, t.Distribution)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	sets, err := c.changed(was, set, has, t)
	if err != nil {
		return err
	}
	state, err := db.RetentionUnder(ctx, sets, t, now)
	if err != nil {
		return command.Fault(err)
	}
	if err := pipelines.CheckRetention(state); err != nil {
		return err
	}
	return c.change(ctx, io, db, t, set, has, state)
}

// changed returns the rule sets of a repository with those of a target as the command line has them. What is deleted takes none.
func (c *retainSetCmd) changed(of catalog.Settings, set catalog.Retention, has bool, t catalog.PackageTarget) ([]catalog.Retention, error) {
	if in, del := of.DeletedTarget(t.Distribution, ""); del != nil && !c.Off {
		return nil, fmt.Errorf("%s %s: %s", in.Kind(), in, del)
	}
	sets := slices.Clone(of.Retention)
	i := slices.IndexFunc(sets, func(r catalog.Retention) bool { return r.Distribution == t.Distribution })
	switch {
	case c.Off && i < 0:
		return sets, nil
	case c.Off:
		return slices.Delete(sets, i, i+1), nil
	case i < 0 && !has:
		return nil, fmt.Errorf("%s has no rules of retention: name some, such as --newest 3", t)
	case i < 0:
		set.Archive = c.archive
		sets, i = append(sets, set), len(sets)
	default:
		was := sets[i]
		if !has {
			set = was
		}
		set.Archive = was.Archive
		if c.Archive != "" {
			set.Archive = c.archive
		}
		if has || c.Archive != "" {
			c.replace(&sets[i], set)
		}
	}
	switch {
	case c.Automatic:
		sets[i].Automatic, sets[i].AllowShrink = true, c.AllowShrink
	case c.Paused:
		sets[i].Automatic, sets[i].AllowShrink = false, false
	}
	return sets, nil
}

// noArchive is the value of --archive that takes the archive away.
const noArchive = "none"

// readArchive reads --archive.
func (c *retainSetCmd) readArchive() error {
	if c.Archive == "" || c.Archive == noArchive {
		return nil
	}
	r, err := client.ParseRepository(c.Archive)
	c.archive = &catalog.Archive{Repository: r, ToPublic: c.ToPublic}
	return err
}

// replace makes a rule set another one, which is paused, unless it is the same.
func (c *retainSetCmd) replace(was *catalog.Retention, set catalog.Retention) {
	if !was.SameRules(set) {
		set.Automatic, set.AllowShrink = false, false
		*was = set
	}
}

// change changes the rules, waits, and prints them.
func (c *retainSetCmd) change(ctx context.Context, io stdio, db *catalogdb.DB, t catalog.PackageTarget, set catalog.Retention, has bool, state catalogdb.RetentionState) error {
	var refused error
	after, err := db.ChangeSettings(ctx, t.Repository, time.Now(), func(s *catalog.Settings) error {
		var sets []catalog.Retention
		if sets, refused = c.changed(*s, set, has, t); refused == nil {
			s.Retention = sets
		}
		return refused
	})
	if refused != nil {
		return refused
	}
	if err != nil {
		return client.NotDeclared(ctx, db, t.Repository, err)
	}
	if c.NoWait {
		err = recorded(io)
	} else {
		want := after.RetentionOf(t.Distribution)
		same := func(a, b catalog.Retention) bool {
			return a.Distribution == b.Distribution && a.SameRules(b) && a.Automatic == b.Automatic && a.AllowShrink == b.AllowShrink
		}
		err = c.settings(ctx, db, settingsChange{after: after, holds: func(s catalog.Settings) bool { return slices.EqualFunc(s.RetentionOf(t.Distribution), want, same) }})
	}
	if err != nil {
		return err
	}
	i := slices.IndexFunc(after.Retention, func(r catalog.Retention) bool { return r.Distribution == t.Distribution })
	if i < 0 {
		fmt.Fprintf(io.out, "%s: no rules of retention\n", t)
		return nil
	}
	now := after.Retention[i]
	fmt.Fprintf(io.out, "%s: %s\n", t, strings.Join(now.Rules(), ", "))
	noteKeptNothing(ctx, io, db, t, set.Keep)
	switch {
	case now.Automatic:
		fmt.Fprintf(io.out, "automatic: workers apply the rules each day; by now %d packages would leave\n", state.Leave)
	default:
		fmt.Fprintf(io.out, "paused: by now %d packages would leave; repomill retain plan %s lists them, and nothing leaves until repomill retain run %s, or retain set %s --automatic\n", state.Leave, t, t, t)
	}
	return nil
}

// retentionFault returns the error of a reading of rules as the user reads it.
func retentionFault(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget, err error) error {
	if !errors.Is(err, catalogdb.ErrNotFound) {
		return command.Fault(err)
	}
	if _, missing := db.Settings(ctx, t.Repository); missing != nil {
		return client.NotDeclared(ctx, db, t.Repository, missing)
	}
	if why := client.WhyNothing(ctx, db, t.String()); why != nil {
		return why
	}
	return fmt.Errorf("repository %s does not have distribution %s; repomill repo list shows those it has", t.Repository, t.Distribution)
}

// noteKeptNothing prints which patterns of --keep have no package by now: one with a wrong letter keeps nothing, and what it means leaves. A note is
// all that depends on it: if the catalog cannot say so now, there is none.
func noteKeptNothing(ctx context.Context, io stdio, db *catalogdb.DB, t catalog.PackageTarget, keep []string) {
	if len(keep) == 0 {
		return
	}
	patterns, err := parsePatterns(keep)
	if err != nil {
		return
	}
	s, err := db.Select(ctx, catalogdb.Selection{Target: t, Patterns: patterns, States: []catalog.PackageState{catalog.Active}})
	if err != nil {
		return
	}
	for _, p := range s.Unmatched {
		fmt.Fprintf(io.err, "note: --keep %s keeps nothing by now: no package of %s has that name and version; repomill ls %s lists its packages\n", p, t, t)
	}
}
