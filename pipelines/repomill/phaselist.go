package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// listedPhase is a phase as JSON.
type listedPhase struct {
	Place    string     `json:"place"`
	Source   string     `json:"source"`
	Version  string     `json:"version"`
	Percent  int        `json:"percent"`
	Packages int        `json:"packages"` // binaries with this percentage
	Steps    []int      `json:"steps,omitempty"`
	Every    string     `json:"every,omitempty"`
	Next     *time.Time `json:"next,omitempty"`  // when the first of the steps is due
	Since    *time.Time `json:"since,omitempty"` // of the command or the last step; none if the package brought the phase with it
	By       string     `json:"by,omitempty"`
	Why      string     `json:"why,omitempty"`
	Job      string     `json:"job,omitempty"`
}

// list prints the phases of the target.
func (c *phaseCmd) list(ctx context.Context, io stdio) error {
	switch {
	case len(c.Steps) > 0 || c.Every != 0:
		return command.Usage("--steps and --every are of a package: name it, as in repomill phase %s hello=2.0 --steps 10%%,100%% --every 24h", c.Target)
	case c.DryRun || c.Plan != "":
		return command.Usage("without a package the command lists phases, and changes nothing: leave out --dry-run and --plan")
	}
	t, err := parsePackageTarget(c.Target)
	if err != nil {
		return err
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Phases(ctx, t)
	if errors.Is(err, catalogdb.ErrNotFound) {
		return client.NotDeclared(ctx, db, t.Repository, err)
	}
	if err != nil {
		return command.Fault(err)
	}
	if len(all) == 0 && !t.Whole() {
		if err := c.known(ctx, db, t); err != nil {
			return err
		}
	}
	for _, s := range all {
		if c.JSON {
			l := listedPhase{Place: s.Place.String(), Source: s.Source.Name, Version: s.Source.Version, Percent: s.Percent, Packages: s.Packages,
				Steps: s.Asked.Steps, Next: s.Next, Since: s.Since, By: s.By.User, Why: s.By.Why, Job: s.By.Job}
			if s.Next != nil {
				l.Every = catalog.ShortDuration(s.Asked.Every)
			}
			printJSON(io, l)
			continue
		}
		fmt.Fprintln(io.out, phaseLine(s))
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintf(io.err, "no package of %s has a phase: all hosts get all\n", t)
	}
	return nil
}

// phaseLine describes a phase for people.
func phaseLine(s catalogdb.PhaseState) string {
	line := fmt.Sprintf("%s %s in %s: %s, %d packages", s.Source.Name, s.Source.Version, s.Place, catalog.PhaseText(s.Percent), s.Packages)
	switch {
	case s.Since == nil:
		line += ", as the packages say themselves or their index said"
	case s.By.User == "":
		line += ", since " + s.Since.Format(time.DateTime)
	default:
		line += ", since " + s.Since.Format(time.DateTime) + " by " + command.Printable(s.By.User)
	}
	if s.By.Why != "" {
		line += ": " + command.Printable(s.By.Why)
	}
	if s.Next != nil {
		line += fmt.Sprintf("; next %s, the first on %s, one every %s", catalog.PhaseTexts(s.Asked.Steps), s.Next.Format(time.DateTime), catalog.ShortDuration(s.Asked.Every))
	}
	return line
}

// known returns an error if the repository does not have the distribution, or the component, of the target.
func (c *phaseCmd) known(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget) error {
	s, err := db.Settings(ctx, t.Repository)
	if err != nil {
		return command.Fault(err)
	}
	switch ds, has := s.Find(t.Distribution); {
	case !has:
		return fmt.Errorf("%s has no distribution %s; repomill repo list %s lists those that it has", t.Repository, t.Distribution, t.Repository)
	case t.Component != "" && !slices.Contains(ds.Components, t.Component):
		return fmt.Errorf("%s has no component %s", t.WithoutComponent(), t.Component)
	}
	return nil
}
