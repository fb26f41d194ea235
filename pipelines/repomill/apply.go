package main

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type applyCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	nowFlags
	File string `arg:"" help:"The plan, as --dry-run --plan FILE has written it."`
	JSON bool   `name:"json" help:"Print one JSON object a package."`
}

// Help describes the exit codes.
func (applyCmd) Help() string {
	return `The command does what a plan of ` + strings.Join(kindNames(), ", ") + ` says, and nothing else. In the transaction that changes, the plan is computed again
and compared by its digest: if something else would change now, nothing does. A plan that was applied already changes nothing, and the
command waits for it.

Exit codes:
  0  clients see what the plan says; with --no-wait: it is recorded
  1  the plan does not hold any more, and the standard error says what is different; or as in the command that made it
  2  usage; the file is not a plan
  3  recorded, but not published in time, or no worker runs
  4  the catalog, bucket or CDN cannot be reached

Examples:
  repomill yank acme/tools 'hello*' --reason "breaks the login" --dry-run --plan hello.json
  repomill apply hello.json --by kim`
}

// planKinds has how the plans of each kind are applied. A command that makes plans of a new kind adds it here.
var planKinds = map[catalog.PlanKind]func(c *applyCmd, ctx context.Context, io stdio, p catalog.Plan) error{
	catalog.PlanYank:    (*applyCmd).yank,
	catalog.PlanUnyank:  (*applyCmd).unyank,
	catalog.PlanPromote: (*applyCmd).promote,

	catalog.PlanRollback: (*applyCmd).rollback,
	catalog.PlanRetain:   (*applyCmd).retain,
	catalog.PlanPhase:    (*applyCmd).phase,
	catalog.PlanTrain:    (*applyCmd).train,
	catalog.PlanDelete:   (*applyCmd).delete,
}

func kindNames() (names []string) {
	for _, k := range slices.Sorted(maps.Keys(planKinds)) {
		names = append(names, string(k))
	}
	return names
}

// Run applies a plan.
func (c *applyCmd) Run(ctx context.Context, io stdio) error {
	p, err := readPlan(c.File)
	if err != nil {
		return err
	}
	apply, known := planKinds[p.Kind]
	if !known {
		return command.Usage("%s is a plan of %q, which this version does not know: it applies those of %s", c.File, p.Kind, strings.Join(kindNames(), ", "))
	}
	return apply(c, ctx, io, p)
}

// readArgs reads the arguments of a plan. Those that this version does not know would be ignored: they are an error.
func (c *applyCmd) readArgs(p catalog.Plan, args any) error {
	d := json.NewDecoder(bytes.NewReader(p.Args))
	d.DisallowUnknownFields()
	if err := d.Decode(args); err != nil {
		return command.Usage("%s: arguments of the plan: %w; make it again with this version", c.File, err)
	}
	return nil
}

// withCatalog opens the catalog for f.
func (c *applyCmd) withCatalog(ctx context.Context, f func(*catalogdb.DB) error) error {
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	return f(db)
}

func (c *applyCmd) yank(ctx context.Context, io stdio, p catalog.Plan) error {
	y := &yanking{awaitFlags: c.awaitFlags, nowFlags: c.nowFlags, catalogFlags: c.catalogFlags, json: c.JSON, by: c.By, want: &p}
	err := c.readArgs(p, &y.args)
	if err == nil {
		y.which, err = (yankTarget{Target: p.Target.String(), Packages: y.args.Patterns, Arch: y.args.Arch}).selection()
		y.which.Back = true
	}
	if err == nil {
		err = y.checkNow(ctx, false)
	}
	if err != nil {
		return err
	}
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return y.run(ctx, io, db) })
}

func (c *applyCmd) unyank(ctx context.Context, io stdio, p catalog.Plan) error {
	u := &unyanking{awaitFlags: c.awaitFlags, json: c.JSON, by: c.By, want: &p}
	err := c.readArgs(p, &u.args)
	if err == nil {
		u.which, err = (yankTarget{Target: p.Target.String(), Packages: u.args.Patterns, Arch: u.args.Arch}).selection()
	}
	if err != nil {
		return err
	}
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return u.run(ctx, io, db) })
}

func (c *applyCmd) promote(ctx context.Context, io stdio, p catalog.Plan) error {
	var args promoteArgs
	if err := c.readArgs(p, &args); err != nil {
		return err
	}
	r, err := (&promoteCmd{awaitFlags: c.awaitFlags, actorFlags: c.actorFlags, From: p.Target.String(), To: args.To.String(), Packages: args.Patterns,
		Move: args.Move, ToPublic: args.ToPublic, JSON: c.JSON}).parse()
	if err != nil {
		return err
	}
	r.want = &p
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return r.run(ctx, io, db) })
}

func (c *applyCmd) rollback(ctx context.Context, io stdio, p catalog.Plan) error {
	var args rollbackArgs
	if err := c.readArgs(p, &args); err != nil {
		return err
	}
	r, err := newRollback(p.Target.String(), args)
	if err != nil {
		return err
	}
	r.awaitFlags, r.json, r.by, r.want = c.awaitFlags, c.JSON, c.actor(), &p
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return r.run(ctx, io, db) })
}

func (c *applyCmd) retain(ctx context.Context, io stdio, p catalog.Plan) error {
	r := &retaining{awaitFlags: c.awaitFlags, json: c.JSON, by: c.actor(), target: p.Target, want: &p}
	if err := c.readArgs(p, &r.args); err != nil {
		return err
	}
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return r.run(ctx, io, db) })
}

func (c *applyCmd) phase(ctx context.Context, io stdio, p catalog.Plan) error {
	var args phaseArgs
	if err := c.readArgs(p, &args); err != nil {
		return err
	}
	r, err := newPhasing(p.Target.String(), args)
	if err != nil {
		return err
	}
	r.awaitFlags, r.json, r.want = c.awaitFlags, c.JSON, &p
	return c.withCatalog(ctx, func(db *catalogdb.DB) error { return r.run(ctx, io, db) })
}
