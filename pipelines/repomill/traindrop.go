package main

import (
	"context"
	"errors"
	"fmt"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type trainDropCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	trainArg
	Packages []string `arg:"" optional:"" name:"package" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH, in all places of the train; without any, all of the train is dropped."`
	Rejected bool     `help:"Drop the uploads that were rejected, so that they keep the train from going no longer."`
	DryRun   bool     `help:"Change nothing, and print what would be dropped."`
	JSON     bool     `name:"json" help:"Print one JSON object an upload."`
}

// Help describes the exit codes.
func (trainDropCmd) Help() string {
	return `Packages that are dropped were never visible. A worker removes their files at once, and then their names and versions are free for other
bytes: the command waits for that. A train that was dropped whole is opened again by the next push for it.

Exit codes:
  0  the files are removed; with --no-wait: it is recorded; with --dry-run: nothing would be dropped
  1  there is no such train or package, the train is published, or files of it are still being read; nothing is changed
  2  usage
  3  recorded, but not removed in time, or no worker runs
  4  the catalog cannot be reached
  5  with --dry-run: something would be dropped

Examples:
  repomill train drop acme/19.5.0 hello=1.0:arm64 --why "rebuilt"
  repomill train drop acme/19.5.0 --rejected
  repomill train drop acme/19.5.0 --why "cancelled"`
}

// Run drops packages, and waits until their files are removed.
func (c *trainDropCmd) Run(ctx context.Context, io stdio) error {
	n, err := c.name()
	if err != nil {
		return err
	}
	w := catalogdb.TrainDrop{All: len(c.Packages) == 0 && !c.Rejected, Rejected: c.Rejected}
	if w.Patterns, err = parsePatterns(c.Packages); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if c.DryRun {
		return c.dryRun(ctx, io, db, n, w)
	}
	dropped, err := db.DropTrain(ctx, n, w)
	if err != nil {
		return trainError(n, err)
	}
	if !c.NoWait {
		err = c.removed(ctx, db, dropped)
	}
	c.print(io, n, dropped, "dropped")
	return err
}

func (c *trainDropCmd) dryRun(ctx context.Context, io stdio, db *catalogdb.DB, n catalog.TrainName, w catalogdb.TrainDrop) error {
	t, members, err := db.Train(ctx, n)
	if err == nil && t.State == catalog.TrainGone {
		err = catalogdb.ErrTrainPublished
	}
	var dropped []catalog.TrainMember
	if err == nil {
		dropped, err = w.Dropped(members)
	}
	if err != nil {
		return trainError(n, err)
	}
	c.print(io, n, dropped, "would be dropped")
	if len(dropped) > 0 {
		return command.Exit(exitDifferent)
	}
	return nil
}

var fileGone = awaited{"its files are not removed", "the files are removed"}

// removed waits until a worker has removed the files of the dropped packages.
func (c *trainDropCmd) removed(ctx context.Context, db *catalogdb.DB, dropped []catalog.TrainMember) error {
	return c.until(ctx, db, fileGone, func(ctx context.Context) (missing string, err error) {
		if dropped, err = leftOf(ctx, db, dropped); err != nil {
			return "", command.Fault(err)
		}
		if len(dropped) == 0 {
			return "", nil
		}
		k := *dropped[0].Package
		return fmt.Sprintf("%s in %s and %d more", nameOf(k), k.Place(), len(dropped)-1), nil
	})
}

// leftOf returns dropped uploads without those at the beginning whose files are removed: none comes back.
func leftOf(ctx context.Context, db *catalogdb.DB, dropped []catalog.TrainMember) ([]catalog.TrainMember, error) {
	for ; len(dropped) > 0; dropped = dropped[1:] {
		if dropped[0].State != catalog.Held || dropped[0].Package == nil {
			continue
		}
		now, err := db.Find(ctx, *dropped[0].Package)
		if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
			return dropped, err
		}
		if err == nil && now.State == catalog.Dropped {
			return dropped, nil
		}
	}
	return nil, nil
}

func (c *trainDropCmd) print(io stdio, n catalog.TrainName, dropped []catalog.TrainMember, word string) {
	for _, m := range dropped {
		u := uploadOf(m)
		switch {
		case c.JSON:
			client.PrintJSON(io.out, u)
		case u.Package != "" && m.State == catalog.Held:
			fmt.Fprintf(io.out, "%s: %s in %s\n", word, u.Package, u.Place)
		default:
			fmt.Fprintf(io.out, "%s: %s\n", word, command.Printable(u.File))
		}
	}
	if !c.JSON {
		fmt.Fprintf(io.out, "%s from release train %s: %s\n", word, n, layout.Counted(len(dropped), "upload"))
	}
}
