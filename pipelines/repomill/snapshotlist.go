package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"text/tabwriter"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/schemas/layout"
)

type snapshotListCmd struct {
	catalogFlags
	Target string `arg:"" optional:"" help:"Repository, owner/name. Without it, all."`
	JSON   bool   `name:"json" help:"Print one JSON object a line, with the releases of each snapshot."`
}

// Help describes the exit codes.
func (snapshotListCmd) Help() string {
	return `Exit codes:
  0  the snapshots are printed
  1  there is no such repository
  2  usage
  4  the catalog cannot be reached

Example:
  repomill snapshot list acme/tools --json`
}

// Run prints the snapshots, oldest first.
func (c *snapshotListCmd) Run(ctx context.Context, io stdio) error {
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := c.read(ctx, db)
	if err != nil {
		return err
	}
	if c.JSON {
		for _, s := range all {
			whole, err := db.SnapshotByNumber(ctx, s.Number)
			if errors.Is(err, catalogdb.ErrNotFound) {
				continue // deleted at this moment
			}
			if err != nil {
				return command.Fault(err)
			}
			printJSON(io, whole.Body(layout.SnapshotFiles(whole)))
		}
		return nil
	}
	if len(all) == 0 {
		fmt.Fprintln(io.out, "there are no snapshots; repomill snapshot create takes one")
		return nil
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	fmt.Fprintln(w, "ID\tNAME\tTARGET\tSTATE\tKEPT UNTIL\tBY\tWHY")
	for _, s := range all {
		state := string(s.State)
		if s.Fault != "" {
			state += ": " + s.Fault
		}
		fields := []string{orNone(s.ID), orNone(s.Name), s.Target.String(), state, dateTime(s.Until, "deleted"), orNone(s.By.User), orNone(s.By.Why)}
		for i := range fields {
			fields[i] = command.Printable(fields[i])
		}
		fmt.Fprintln(w, strings.Join(fields, "\t"))
	}
	return nil
}

func (c *snapshotListCmd) read(ctx context.Context, db *catalogdb.DB) ([]catalog.Snapshot, error) {
	if c.Target == "" {
		all, err := db.AllSnapshots(ctx)
		if err != nil {
			return nil, command.Fault(err)
		}
		return all, nil
	}
	r, err := client.ParseRepository(c.Target)
	if err != nil {
		return nil, err
	}
	if _, err := db.Settings(ctx, r); err != nil {
		return nil, client.NotDeclared(ctx, db, r, err)
	}
	all, err := db.SnapshotsOf(ctx, r)
	if err != nil {
		return nil, command.Fault(err)
	}
	return all, nil
}

func orNone(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

type snapshotDeleteCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Target   string `arg:"" help:"Repository, owner/name."`
	Snapshot string `arg:"" help:"Identifier or name of the snapshot, as snapshot list shows it."`
}

// Help describes the exit codes.
func (snapshotDeleteCmd) Help() string {
	return `Hosts that use the snapshot get 404 from then on.

Exit codes:
  0  the snapshot is gone; with --no-wait: its deletion is recorded
  1  there is no such snapshot
  2  usage
  3  recorded, but not deleted in time, or no worker runs: a worker deletes it once one is started
  4  the catalog cannot be reached

Example:
  repomill snapshot delete acme/tools release-19.4`
}

// deletedByWorker describes the wait for the deletion of a snapshot.
var deletedByWorker = awaited{"it is not deleted", "it is deleted"}

// Run asks for the deletion of a snapshot, and waits until it is gone.
func (c *snapshotDeleteCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Target)
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := findSnapshot(ctx, db, r, c.Snapshot)
	if err != nil {
		return err
	}
	now, err := db.Clock(ctx)
	if err == nil {
		err = db.AskSnapshotDeletion(ctx, s.Number, now)
	}
	if err != nil && !errors.Is(err, catalogdb.ErrNotFound) {
		return command.Fault(err)
	}
	if c.NoWait {
		fmt.Fprintln(io.err, "recorded: a worker (or repomill up) deletes the snapshot")
		return nil
	}
	err = c.until(ctx, db, deletedByWorker, func(ctx context.Context) (missing string, err error) {
		left, err := db.SnapshotByNumber(ctx, s.Number)
		switch {
		case errors.Is(err, catalogdb.ErrNotFound):
			return "", nil
		case err != nil:
			return "", command.Fault(err)
		case left.Fault != "":
			return "the last attempt failed: " + command.Printable(left.Fault), nil
		}
		return "a worker deletes it soon", nil
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(io.out, "%s: snapshot %s is deleted\n", r, s)
	return nil
}

// findSnapshot finds a snapshot by its identifier or name. The error names those that there are.
func findSnapshot(ctx context.Context, db *catalogdb.DB, r catalog.Repository, name string) (catalog.Snapshot, error) {
	s, err := db.FindSnapshot(ctx, r, name)
	if err == nil || !errors.Is(err, catalogdb.ErrNotFound) {
		if err != nil {
			err = command.Fault(err)
		}
		return s, err
	}
	if _, err := db.Settings(ctx, r); err != nil {
		return s, client.NotDeclared(ctx, db, r, err)
	}
	return s, noSnapshotCalled(ctx, db, r, name)
}

// noSnapshotCalled returns an error that names the snapshots that a repository has.
func noSnapshotCalled(ctx context.Context, db *catalogdb.DB, r catalog.Repository, name string) error {
	all, err := db.SnapshotsOf(ctx, r)
	if err != nil {
		return command.Fault(err)
	}
	var names []string
	for _, s := range all {
		if s.State == catalog.SnapshotKept {
			names = append(names, s.String())
		}
	}
	if len(names) == 0 {
		return fmt.Errorf("%s has no snapshots; repomill snapshot create takes one", r)
	}
	return fmt.Errorf("%s has no snapshot %q; it has %s", r, name, few(names[:min(len(names), shownDifferences)], len(names)))
}
