package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type diffCmd struct {
	catalogFlags
	A    string `arg:"" help:"TARGET for what clients see now, or TARGET@REVISION, TARGET@SNAPSHOT, TARGET@TIME for what they saw. A target is owner/name or owner/name/os/version[/component]."`
	B    string `arg:"" help:"Likewise."`
	JSON bool   `name:"json" help:"Print one JSON object for each package that differs."`
}

// Help describes the exit codes.
func (diffCmd) Help() string {
	return `What clients find in B and not in A (+), in A and not in B (-), in another version (~), and in the same version with other bytes (!), with the
sizes of the files; then sums for each architecture. A and B may be of one repository or of two: two repositories, whose distributions
are compared by name, or two distributions of one format, or two components. A revision is of one release, as repomill status prints it; a time, in UTC,
means what clients saw then. Withdrawn packages are known as they were.

A version counts as changed if A and B have no version of that name and architecture in common.

Exit codes:
  0  no difference
  1  they differ
  2  usage; or nothing is known of A or B
  4  the catalog cannot be reached

Examples:
  repomill diff acme/tools/ubuntu/jammy/testing acme/tools/ubuntu/jammy/main
  repomill diff acme/tools@2026-11-29T02:15 acme/tools
  repomill diff acme/tools/ubuntu/jammy@41 acme/staging/ubuntu/jammy --json`
}

// A diffSide is A or B of a comparison.
type diffSide struct {
	text   string // as it was typed
	point  string // of that; empty for now
	target catalog.PackageTarget
	at     catalogdb.Point // zero for now
	states []catalogdb.PublishedState
}

// parseSide reads TARGET[@POINT]. No name in a target has an @.
func parseSide(s string) (d diffSide, err error) {
	target, point, has := strings.Cut(s, "@")
	d.text, d.point = s, point
	if d.target, err = parsePackageTarget(target); err != nil || !has {
		return d, err
	}
	if d.at, err = parsePoint(point); err != nil {
		return d, command.Usage("%q: name behind the @ "+pointForms, s)
	}
	return d, nil
}

// Run prints what differs.
func (c *diffCmd) Run(ctx context.Context, io stdio) error {
	a, err := parseSide(c.A)
	if err != nil {
		return err
	}
	b, err := parseSide(c.B)
	if err != nil {
		return err
	}
	if a.target.Whole() != b.target.Whole() || (a.target.Component == "") != (b.target.Component == "") {
		return command.Usage("%s and %s: compare two repositories, two distributions, or two components", c.A, c.B)
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	for _, side := range []*diffSide{&a, &b} {
		if err := side.read(ctx, db, now); err != nil {
			return err
		}
	}
	pairs, err := pairsOf(a, b)
	if err != nil {
		return err
	}
	out := diffPrinter{io: io, json: c.JSON, sums: map[string]*diffSum{}}
	out.heading(a, b)
	for _, p := range pairs {
		if err := p.compare(ctx, db, a.target.Component, b.target.Component, out.print); err != nil {
			return command.Fault(err)
		}
	}
	if out.end(); out.differ {
		return command.Exit(command.Failed)
	}
	return nil
}

// read reads which revisions the releases of a side had.
func (d *diffSide) read(ctx context.Context, db *catalogdb.DB, now time.Time) (err error) {
	if d.at.At.After(now) {
		return command.Usage("%s: it is %s now: name an earlier time", d.text, now.UTC().Format(time.RFC3339))
	}
	d.states, err = db.StatesAt(ctx, d.target, d.at)
	if wrong := d.wrongPoint(err); wrong != nil {
		return command.Usage("%s: %w", d.text, wrong)
	}
	switch {
	case err == nil:
		return d.checkComponent(ctx, db)
	case errors.Is(err, catalogdb.ErrNotFound):
		return d.unknown(ctx, db)
	}
	return command.Fault(err)
}

// unknown returns the error for a target without releases.
func (d *diffSide) unknown(ctx context.Context, db *catalogdb.DB) error {
	s, err := db.Settings(ctx, d.target.Repository)
	switch {
	case errors.Is(err, catalogdb.ErrNotFound):
		err = client.NotDeclared(ctx, db, d.target.Repository, err)
	case err != nil:
		return command.Fault(err)
	default:
		err = client.WhyNothing(ctx, db, d.target.WithoutComponent().String())
	}
	if err == nil && len(s.Distributions) > 0 {
		has := make([]string, len(s.Distributions))
		for i, ds := range s.Distributions {
			has[i] = ds.Distribution.String()
		}
		err = fmt.Errorf("%s has no distribution %s; it has %s", d.target.Repository, d.target.Distribution, few(has[:min(len(has), 10)], len(has)))
	}
	if command.CodeOf(err) == command.Unreachable {
		return err
	}
	return command.Usage("%w", err)
}

// checkComponent returns an error for a component that the distribution does not have.
func (d *diffSide) checkComponent(ctx context.Context, db *catalogdb.DB) error {
	if d.target.Component == "" {
		return nil
	}
	s, err := db.Settings(ctx, d.target.Repository)
	if err != nil {
		return command.Fault(err)
	}
	ds, _ := s.Find(d.target.Distribution)
	for _, component := range ds.Components {
		if component == d.target.Component {
			return nil
		}
	}
	if ds.Format == catalog.RPM {
		return command.Usage("target %s: RPM distributions have no components: leave out /%s", d.target, d.target.Component)
	}
	return command.Usage("%s has no component %s; it has %s", d.target.WithoutComponent(), d.target.Component, strings.Join(ds.Components, ", "))
}
