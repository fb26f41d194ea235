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

type snapshotCmd struct {
	Create   snapshotCreateCmd   `cmd:"" help:"Keep the present state of a repository, under a URL of its own."`
	Schedule snapshotScheduleCmd `cmd:"" help:"Have a snapshot of a repository taken each day or week."`
	List     snapshotListCmd     `cmd:"" help:"List snapshots."`
	Delete   snapshotDeleteCmd   `cmd:"" help:"Delete a snapshot. The packages and indexes that no other one has go after their retention period."`
}

type snapshotCreateCmd struct {
	catalogFlags
	awaitFlags
	clientFlags
	actorFlags
	Target string `arg:"" help:"owner/name for all its distributions, or owner/name/os/version, such as acme/tools/ubuntu/jammy."`
	Name   string `filled:"" placeholder:"NAME" help:"Name by which clients find it, too, such as release-19.5: letters, digits and ._+~^:-"`
	Keep   period `help:"Delete it after that time, such as 90d or 2y. Without it, it is kept until snapshot delete."`
	JSON   bool   `name:"json" help:"Print one JSON object."`
}

// Help describes the exit codes.
func (snapshotCreateCmd) Help() string {
	return `A snapshot is what clients see now, kept: its packages and indexes stay, also when they are withdrawn later, and are
found below OWNER/NAME/snapshots/ID/, where ID is its time, as 20261129T021500Z. Its name, and a time between two snapshots,
lead there, too. Nothing is copied but the small files that are signed. A worker makes it; this command waits for that.

Hosts use it by the .sources or .repo file that the command names, or with a baseurl below it; apt 2.7 and later
also by --snapshot ID, if they use the repository already.

Exit codes:
  0  the snapshot is there; with --no-wait: it is recorded
  1  nothing is published, or another snapshot has the name; nothing is changed
  2  usage
  3  recorded, but not made in time, or no worker runs: the same command again waits for it
  4  the catalog cannot be reached

Examples:
  repomill snapshot create acme/tools --name release-19.5 --why "what 19.5 shipped with"
  repomill snapshot create acme/tools/ubuntu/jammy --keep 90d`
}

// Run asks for a snapshot, and waits until it is there.
func (c *snapshotCreateCmd) Run(ctx context.Context, io stdio) error {
	target, err := parsePackageTarget(c.Target)
	if err != nil {
		return err
	}
	if target.Component != "" {
		return command.Usage("target %q: all components of a distribution have one index: leave out /%s", target, target.Component)
	}
	if c.Name != "" {
		if err := layout.CheckSnapshotName(c.Name); err != nil {
			return command.Usage("--name: %w", err)
		}
	}
	if err := c.clientFlags.Check(); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	asked, err := c.ask(ctx, db, target)
	if err != nil {
		return err
	}
	if !c.NoWait {
		if asked, err = c.wait(ctx, db, asked); err != nil {
			return err
		}
	}
	if c.JSON {
		printJSON(io, asked.Body(layout.SnapshotFiles(asked)))
		return nil
	}
	if c.NoWait {
		fmt.Fprintln(io.err, "recorded: a worker (or repomill up) makes the snapshot; repomill snapshot list shows it")
		return nil
	}
	return c.print(io, asked)
}

// ask records what is asked for. One with the same name and target that is not made yet is the same.
func (c *snapshotCreateCmd) ask(ctx context.Context, db *catalogdb.DB, target catalog.PackageTarget) (catalog.Snapshot, error) {
	now, err := db.Clock(ctx)
	if err != nil {
		return catalog.Snapshot{}, command.Fault(err)
	}
	want := catalog.Snapshot{Target: target, Name: c.Name}
	if c.Keep > 0 {
		end := now.Add(time.Duration(c.Keep))
		want.Until = &end
	}
	asked, err := db.AskSnapshot(ctx, want, now)
	switch {
	case errors.Is(err, catalogdb.ErrExists) && asked.State == catalog.SnapshotAsked && asked.Target == target:
		return asked, nil
	case errors.Is(err, catalogdb.ErrExists) && asked.State == catalog.SnapshotDeleting:
		return asked, fmt.Errorf("snapshot %s of %s is being deleted: wait for that, or choose another name", asked, target.Repository)
	case errors.Is(err, catalogdb.ErrExists):
		return asked, fmt.Errorf("snapshot %s of %s has that name: choose another one, or delete that snapshot", asked, target.Repository)
	case errors.Is(err, catalogdb.ErrDeleted):
		return asked, err
	case errors.Is(err, catalogdb.ErrNotFound):
		if _, missing := db.Settings(ctx, target.Repository); missing != nil {
			return asked, client.NotDeclared(ctx, db, target.Repository, missing)
		}
		if why := client.WhyNothing(ctx, db, target.String()); why != nil {
			return asked, why
		}
		return asked, fmt.Errorf("%s has no releases", target)
	case err != nil:
		return asked, command.Fault(err)
	}
	return asked, nil
}

// madeByWorker describes the wait for a snapshot.
var madeByWorker = awaited{"it is not made", "it is made"}

// wait waits until a snapshot is made, and returns it.
func (c *snapshotCreateCmd) wait(ctx context.Context, db *catalogdb.DB, asked catalog.Snapshot) (s catalog.Snapshot, err error) {
	err = c.until(ctx, db, madeByWorker, func(ctx context.Context) (missing string, err error) {
		if s, err = db.SnapshotByNumber(ctx, asked.Number); errors.Is(err, catalogdb.ErrNotFound) {
			return "", command.Interrupt("recorded, and deleted since")
		}
		switch {
		case err != nil:
			return "", command.Fault(err)
		case s.State == catalog.SnapshotKept:
			return "", nil
		case s.State == catalog.SnapshotDeleting:
			return "", command.Interrupt("recorded, and being deleted since")
		case s.State == catalog.SnapshotFailed:
			return "", fmt.Errorf("no snapshot of %s is taken: %s", asked.Target, command.Printable(s.Fault))
		case s.Fault != "":
			return "the last attempt failed: " + command.Printable(s.Fault), nil
		}
		return "a worker makes it soon", nil
	})
	return s, err
}

// print prints where clients find a snapshot.
func (c *snapshotCreateCmd) print(io stdio, s catalog.Snapshot) error {
	fmt.Fprintf(io.out, "%s: snapshot %s, %d releases, %s\n", s.Target, s, len(s.Releases), keptUntil(s))
	url := c.clientFlags.Server(c.CatalogFlags)
	for _, path := range layout.SnapshotFiles(s) {
		fmt.Fprintf(io.out, "  %s/%s\n", url, path)
	}
	return nil
}

func keptUntil(s catalog.Snapshot) string {
	if s.Until == nil {
		return "kept until it is deleted"
	}
	return "kept until " + dateTime(s.Until, "")
}
