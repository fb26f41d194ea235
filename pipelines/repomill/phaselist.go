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
			printJSON(io, s)
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
func phaseLine(s catalog.PhaseState) string {
	line := fmt.Sprintf("%s %s in %s: %s, %s", s.Source, s.Version, s.Place, catalog.PhaseText(s.Percent), counts(s.Packages, "package"))
	switch {
	case s.Since == nil:
		line += ", as the packages or their index say"
	case s.By == "":
		line += ", since " + s.Since.Format(time.DateTime)
	default:
		line += ", since " + s.Since.Format(time.DateTime) + " by " + command.Printable(s.By)
	}
	if s.Why != "" {
		line += ": " + command.Printable(s.Why)
	}
	if s.Next != nil {
		line += fmt.Sprintf("; next %s, the first on %s, one every %s", catalog.PhaseTexts(s.Steps), s.Next.Format(time.DateTime), s.Every)
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
