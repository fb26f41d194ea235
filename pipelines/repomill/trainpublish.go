package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type trainPublishCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	trainArg
	At     string `filled:"" placeholder:"TIME" help:"Not before this time, by the catalog's clock, in UTC unless it has an offset, such as 2026-12-01T09:00. The command returns at once; a worker publishes the train."`
	Cancel bool   `help:"Take back what --at has asked for."`
	DryRun bool   `help:"Change nothing, and print what train plan prints."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Help describes the exit codes.
func (trainPublishCmd) Help() string {
	return `A worker looks whether all files of the train are in the bucket, with their sizes, and no upload of it is unfinished or rejected. If
anything is missing, nothing changes, and the reasons are printed. Else one transaction makes all packages visible in all releases of
all repositories; the releases are published side by side, and a worker that ends in between leaves that to the next one. The command
waits until clients see all of them, and prints the milliseconds between the first and the last pointer.

Files under embargo are copied to their public keys just before the transaction, when all is found: between the first copy and the
publish of the indexes, a URL that is guessed can be fetched. From the first copy on, only train drop stops the train.

At the time of --at the same is done. A train with something missing then does not go, and train show says why. What is still in
staging and not yet seen by a worker is not known here: push with --wait, and publish when all pushes have ended.

Exit codes:
  0  clients see all packages; with --at, --cancel or --no-wait: it is recorded
  1  there is no such train, or something is missing; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached
  5  with --dry-run: it would be published

Examples:
  repomill train publish acme/19.5.0 --why "release day"
  repomill train publish acme/19.5.0 --at 2026-12-01T09:00`
}

// Run publishes a train, or asks for that.
func (c *trainPublishCmd) Run(ctx context.Context, io stdio) error {
	n, at, err := c.parse()
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	switch {
	case c.DryRun:
		return planTrain(ctx, io, db, n, c.JSON, func(trainPlan) error { return nil })
	case c.Cancel:
		return c.cancel(ctx, io, db, n)
	case !at.IsZero():
		return c.schedule(ctx, io, db, n, at)
	}
	err = db.AskTrain(ctx, n, catalogdb.TrainAsk{})
	if err != nil && !errors.Is(err, catalogdb.ErrTrainPublished) { // that is waited for: a repeat finds it
		return trainError(n, err)
	}
	if c.NoWait {
		return recorded(io)
	}
	return c.follow(ctx, io, db, n)
}

func (c *trainPublishCmd) parse() (n catalog.TrainName, at time.Time, err error) {
	if n, err = c.name(); err != nil {
		return n, at, err
	}
	if c.Cancel && (c.At != "" || c.DryRun) {
		return n, at, command.Usage("--cancel takes back what was asked for: leave out --at and --dry-run")
	}
	if c.At == "" {
		return n, at, nil
	}
	for _, l := range pointLayouts {
		if at, err := time.Parse(l, c.At); err == nil {
			return n, at.UTC(), nil
		}
	}
	return n, at, command.Usage("--at %q: use a time in UTC, such as 2026-12-01T09:00, or with an offset, such as 2026-12-01T09:00:00+01:00", c.At)
}

func (c *trainPublishCmd) cancel(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName) error {
	cancelled, err := db.CancelTrain(ctx, n)
	if err != nil {
		return trainError(n, err)
	}
	text := fmt.Sprintf("release train %s waits until it is published", n)
	if !cancelled {
		text += "; nothing was asked for"
	}
	return c.say(ctx, io, db, n, text)
}

// say prints a sentence or, with --json, the train.
func (c *trainPublishCmd) say(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName, text string) error {
	if !c.JSON {
		fmt.Fprintln(io.out, text)
		return nil
	}
	t, _, err := db.Train(ctx, n)
	if err != nil {
		return trainError(n, err)
	}
	client.PrintJSON(io.out, t)
	return nil
}

// schedule asks for a train to be published later. What is missing now is a warning: it may come.
func (c *trainPublishCmd) schedule(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName, at time.Time) error {
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if !at.After(now) {
		return command.Usage("--at %s: it is %s now by the catalog's clock: name a later time, or leave out --at", c.At, now.UTC().Format(time.RFC3339))
	}
	if err := db.AskTrain(ctx, n, catalogdb.TrainAsk{At: at}); err != nil {
		return trainError(n, err)
	}
	t, members, err := db.Train(ctx, n)
	if err != nil {
		return trainError(n, err)
	}
	printFaults(io.err, "until then", catalogdb.TrainFaults(t, members))
	return c.say(ctx, io, db, n, fmt.Sprintf("release train %s goes at %s, with what it holds then: %s now", n, at.Format(time.DateTime+" MST"), layout.Counted(t.Held, "upload")))
}

// follow waits until clients see all packages of a train.
func (c *trainPublishCmd) follow(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName) error {
	var spread catalog.TrainSpread
	var t catalog.Train
	err := c.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		if t, err = db.TrainState(ctx, n); err != nil {
			return "", trainError(n, err)
		}
		switch {
		case t.State == catalog.TrainDropped:
			return "", command.Interrupt("recorded, and undone since: release train %s was dropped", n)
		case t.State == catalog.TrainOpen && t.NotBefore == nil && len(t.Faults) > 0:
			return "", trainError(n, &catalogdb.TrainRefusal{Faults: t.Faults})
		case t.State == catalog.TrainOpen && t.NotBefore == nil:
			return "", command.Interrupt("recorded, and undone since: release train %s is not to be published any more", n)
		case t.State == catalog.TrainOpen && len(t.Faults) > 0:
			return "the train is not committed: " + command.Printable(t.Faults[0]), nil
		case t.State == catalog.TrainOpen:
			return "no worker has committed the train yet", nil
		}
		if spread, err = db.TrainSpread(ctx, n); err != nil {
			return "", command.Fault(err)
		}
		if !spread.Whole() {
			return spreadText(spread), nil
		}
		return "", nil
	})
	if err != nil {
		return err
	}
	if c.JSON {
		millis := spread.Millis()
		client.PrintJSON(io.out, catalog.TrainReport{Train: t, Uploads: []catalog.TrainUpload{}, Spread: &spread, Millis: &millis})
		return nil
	}
	fmt.Fprintf(io.out, "published: release train %s\n%s\n", n, spreadText(spread))
	return nil
}
