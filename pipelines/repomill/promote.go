package main

import (
	"context"
	"fmt"
	"slices"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type promoteCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	planFlags
	From     string   `arg:"" name:"from-target" help:"Where the packages are: owner/name/os/version[/component], or owner/name for all its distributions."`
	To       string   `arg:"" name:"to-target" help:"Where they are to be, too: owner/name/os/version[/component], or owner/name for the distribution and component that each is in."`
	Packages []string `arg:"" name:"package" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH, as repomill ls prints them. NAME and VERSION may have *, ? and [a-z]."`
	JSON     bool     `name:"json" help:"Print one JSON object a package."`
	ToPublic bool     `name:"to-public" help:"Needed to copy from a private repository to a public one: everybody can read the packages then."`
	Move     bool     `help:"Withdraw the packages where they were, once clients see them in the new place."`
}

// Help describes the exit codes.
func (promoteCmd) Help() string {
	return `The command asks for copies, and a worker makes them: the same bytes, without passing through this host. The rules of the new
place apply as to an upload: what it has with other bytes, or needs a signature for, is rejected. Interrupted, the copies go on;
the same command again finds them.

With --move, a worker withdraws each package where it was, once clients see it in the new place. A package that is rejected there
stays. repomill status shows what is left to do, and repomill unyank takes the withdrawals back.

Exit codes:
  0  clients see all packages in the new place; with --no-wait: it is recorded
  1  a package does not exist, was rejected, or stays where it was; the standard error says why
  2  usage
  3  recorded, but not published in time, or no worker runs: a worker completes it once one runs, --move included
  4  the catalog cannot be reached
  5  with --dry-run: something would change

Examples:
  repomill promote acme/testing acme/stable 'hello*'
  repomill promote acme/tools/ubuntu/jammy/contrib acme/tools/ubuntu/jammy/main hello=1.0:amd64 --why "tested" --move`
}

// A copyState says what is with a package in the place that it is to be copied to: one of these, or later that of its upload.
type copyState = catalog.CopyState

const (
	toCopy    = catalog.ToCopy
	there     = catalog.CopyThere
	inTheWay  = catalog.CopyConflict
	withdrawn = catalog.CopyWithdrawn
)

// A copying is one package on its way to another place.
type copying struct {
	source  catalog.Package
	to      catalog.Place
	state   copyState
	detail  string
	holder  *catalog.Package // of what is there already
	upload  catalog.Upload   // that makes the copy; of one that is there, none, unless it moves
	move    catalog.MoveState
	kept    string // why it stays where it was
	verdict catalog.Verdict
}

// copyJSON is how --json prints a copying.
type copyJSON struct {
	Package string         `json:"package"` // name version architecture
	From    string         `json:"from"`
	To      string         `json:"to"`
	Size    int64          `json:"size"`
	SHA256  string         `json:"sha256"`
	State   copyState      `json:"state"`
	Reason  catalog.Reason `json:"reason,omitempty"`
	Detail  string         `json:"detail,omitempty"`

	Move       catalog.MoveState `json:"move,omitempty"` // with --move: what becomes of the package where it was
	MoveDetail string            `json:"move_detail,omitempty"`
}

// Run asks for copies, waits until clients see them and, with --move, until they do not see the packages where they were.
func (c *promoteCmd) Run(ctx context.Context, io stdio) error {
	if err := c.check(); err != nil {
		return err
	}
	if c.DryRun && c.NoWait {
		return command.Usage("--dry-run records nothing to wait for: leave out --no-wait")
	}
	r, err := c.parse()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return r.dryRun(ctx, io, db, c.planFlags)
	}
	return r.run(ctx, io, db)
}

// dryRun prints what would be copied.
func (r *promoting) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, f planFlags) error {
	var copies []*copying
	var p catalog.Plan
	var refused error
	found, err := db.Candidates(ctx, r.search())
	if err == nil {
		copies, p, refused = r.plan(found)
		err = refused
	}
	if err != nil {
		return r.explained(ctx, db, refused, err)
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if err := f.write(io, p, r.by, now); err != nil {
		return err
	}
	return r.printPlan(io, copies)
}

// run asks for what is selected, and follows it.
func (r *promoting) run(ctx context.Context, io stdio, db *catalogdb.DB) error {
	copies, err := r.ask(ctx, db)
	if err != nil {
		return err
	}
	if r.NoWait {
		for _, p := range copies {
			if p.state != there && p.state != withdrawn {
				p.state = copyState(catalog.Received)
			}
			r.print(io, p)
		}
		if asked := slices.ContainsFunc(copies, func(p *copying) bool { return p.state != withdrawn }); asked {
			err = recorded(io)
		}
		if err == nil {
			err = failed(copies)
		}
		return err
	}
	r.moving = r.args.Move
	if err := r.follow(ctx, io, db, copies); err != nil {
		return err
	}
	if len(copies) > 1 && !r.json {
		fmt.Fprintln(io.out, counted(copies, copyState(catalog.Published), copyState(catalog.Duplicate), there, withdrawn, copyState(catalog.Rejected)))
	}
	if r.args.Move {
		if err := r.withdrawn(ctx, io, db, copies); err != nil {
			return err
		}
	}
	return failed(copies)
}

// failed returns the error with the exit code if a package is not in the new place, or stays where it was.
func failed(copies []*copying) error {
	if slices.ContainsFunc(copies, func(p *copying) bool { return !p.copied() || p.move == catalog.MoveKept }) {
		return command.Exit(command.Failed)
	}
	return nil
}

// copied reports whether the new place has, or will have, the package.
func (p *copying) copied() bool { return p.verdict.State != catalog.Rejected && p.state != withdrawn }

// ask records the wishes for the copies that are not there, in the transaction that finds them. A plan that is applied copies
// what is in it, and leaves alone what is in the way.
func (r *promoting) ask(ctx context.Context, db *catalogdb.DB) (copies []*copying, err error) {
	now, err := db.Clock(ctx)
	if err != nil {
		return nil, command.Fault(err)
	}
	var asked []*copying
	var refused error
	uploads, err := db.PromoteSelected(ctx, r.search(), now, func(c catalogdb.Candidates) (wishes []catalogdb.Wish, err error) {
		var p catalog.Plan
		asked = nil
		if copies, p, refused = r.plan(c); refused == nil {
			refused = compared(r.want, p, func() []catalog.PlanItem { return r.already(c) })
		}
		if r.want != nil {
			copies = slices.DeleteFunc(copies, func(p *copying) bool { return p.state != toCopy && p.state != there })
		}
		for _, p := range copies {
			if w, asks := r.wish(p); asks {
				wishes, asked = append(wishes, w), append(asked, p)
			}
		}
		return wishes, refused
	})
	if err != nil {
		return nil, r.explained(ctx, db, refused, err)
	}
	for i, p := range asked {
		p.upload = uploads[i]
	}
	return copies, nil
}

// wish returns the wish for a copy, or for a move of what is there already; false if there is nothing to ask for: the copy is there, or was
// withdrawn there and does not come back.
func (r *promoting) wish(p *copying) (w catalogdb.Wish, asks bool) {
	w = catalogdb.Wish{Source: p.source, To: p.to}
	if p.state == withdrawn {
		return w, false
	}
	if r.args.Move && p.source.State == catalog.Active {
		w.Withdraw, p.move = catalogdb.MovedTo+p.to.String(), catalog.MoveWaiting
		return w, true
	}
	return w, p.state != there
}

// already returns the items of a plan that are as it says.
func (r *promoting) already(c catalogdb.Candidates) (items []catalog.PlanItem) {
	for _, k := range c.Copies {
		if h := k.Holder; h != nil && h.State == catalog.Active && h.File.SHA256 == k.Source.Package.File.SHA256 {
			items = append(items, copyItems(k, c.Target)...)
		}
		if k.Source.Package.State == catalog.Yanked {
			items = append(items, itemsOf(k.Source, catalog.PlanWithdraw)...)
		}
	}
	return items
}
