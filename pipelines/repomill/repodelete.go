package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// maxGrace bounds --undo-period: longer than that is not a deletion.
const maxGrace = 10 * 365 * 24 * time.Hour

type repoDeleteCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Repository string        `arg:"" help:"owner/name."`
	Grace      time.Duration `name:"undo-period" default:"720h" help:"How long the repository stays as an empty one, and can be brought back, before its objects are removed."`
	Yes        bool          `help:"Do not ask for the name once more."`
	DryRun     bool          `help:"Print what would be withdrawn and removed, and change nothing."`
	JSON       bool          `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (repoDeleteCmd) Help() string {
	return `The command withdraws all packages of a repository. Clients see an empty, signed repository for the time of --undo-period, in which
repomill repo undelete brings it back; pushes are rejected. Then a worker removes all its objects, pages and snapshots, and its tokens and
trusts end. Installed packages stay installed. A repository that never had a package is removed at once.

The name stays taken, since hosts trust it and CDNs have copies: repomill repo create --reuse-deleted-name takes it again, with the same
Origin and Label. What had a name, version and architecture keeps other files out there, too. Take the repository from hosts first: apt
and dnf report errors for one that is removed.

Exit codes:
  0  clients see an empty repository; with --no-wait: it is recorded
  1  not declared, or the name that was typed is another one; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs: a worker completes it once one runs
  4  the catalog cannot be reached
  5  with --dry-run: it would be deleted

Examples:
  repomill repo delete acme/old --dry-run
  repomill repo delete acme/old --yes --why "replaced by acme/tools"`
}

// deletedJSON is how --json prints a repository that is, or would be, deleted or brought back.
type deletedJSON struct {
	Repository string            `json:"repository"`
	Packages   int               `json:"packages"` // that are withdrawn, or come back
	Files      int               `json:"files"`
	Bytes      int64             `json:"bytes"`
	Snapshots  int               `json:"snapshots"`
	Deleted    *catalog.Deletion `json:"deleted"` // null if it is not
}

// Run deletes a repository. A repeat waits for what an earlier one has recorded.
func (c *repoDeleteCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	if c.Grace < 0 || c.Grace > maxGrace {
		return command.Usage("--undo-period %s: use 0s to %s", c.Grace, maxGrace)
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := db.PreviewDeletion(ctx, r)
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	if c.DryRun {
		return c.preview(io, p)
	}
	if p.Settings.Deleted == nil && !c.Yes {
		if err := confirm(io, os.Stdin, p); err != nil {
			return err
		}
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	s, revisions, err := db.DeleteRepository(ctx, r, c.Grace, now)
	if errors.Is(err, catalogdb.ErrTrainHolds) {
		return fmt.Errorf("%s is not deleted: %w", r, catalogdb.ErrTrainHolds)
	}
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	if c.NoWait {
		err = recorded(io)
	} else {
		err = c.awaitDeletion(ctx, db, s, revisions)
	}
	if err != nil {
		return err
	}
	if now, again := db.Settings(ctx, r); again == nil {
		s = now
	}
	printDeletion(io, s, p, c.JSON)
	return nil
}

// preview prints what would be deleted.
func (c *repoDeleteCmd) preview(io stdio, p catalogdb.DeletionPreview) error {
	if c.JSON || p.Settings.Deleted != nil {
		printDeletion(io, p.Settings, p, c.JSON)
	} else {
		fmt.Fprintf(io.out, "%s: %s in %d distributions would be withdrawn; after %s, %d files of %d bytes, %d snapshots and all pages would be removed, and %d read tokens would end\n",
			p.Settings.Repository, counts(p.Packages, "package"), len(p.Settings.Distributions), c.Grace, p.Files, p.Bytes, p.Snapshots, len(p.Settings.Tokens))
	}
	if p.Settings.Deleted != nil {
		return nil
	}
	return command.Exit(5)
}

func counts(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// confirm asks for the name of the repository on a terminal.
func confirm(io stdio, from *os.File, p catalogdb.DeletionPreview) error {
	info, err := from.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return command.Usage("the standard input is not a terminal, on which the name could be asked for: add --yes if %s is to be deleted", p.Settings.Repository)
	}
	fmt.Fprintf(io.err, "%s of %s leave all clients. Type the name of the repository to delete it: ", counts(p.Packages, "package"), p.Settings.Repository)
	return checkTyped(from, p.Settings.Repository)
}

// checkTyped returns an error unless the first line is the name of the repository.
func checkTyped(from io.Reader, r catalog.Repository) error {
	line, err := bufio.NewReader(io.LimitReader(from, 1000)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != r.String() {
		return fmt.Errorf("the name is not %s: nothing is changed", r)
	}
	return nil
}

// awaitDeletion waits until clients see an empty repository, or one that is removed.
func (f awaitFlags) awaitDeletion(ctx context.Context, db *catalogdb.DB, s catalog.Settings, revisions map[catalog.Release]int64) error {
	at := s.Deleted.At
	return f.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		now, err := db.Settings(ctx, s.Repository)
		switch {
		case err != nil:
			return "", command.Fault(err)
		case now.Deleted == nil || !now.Deleted.At.Equal(at):
			return "", command.Interrupt("recorded, and undone since: %s is not deleted", s.Repository)
		case now.Deleted.Unused && !now.Deleted.Final:
			return "its objects are not removed", nil
		}
		return f.published(ctx, db, s.Repository, revisions)
	})
}

// published says which release of a repository is behind a revision.
func (f awaitFlags) published(ctx context.Context, db *catalogdb.DB, r catalog.Repository, revisions map[catalog.Release]int64) (missing string, err error) {
	states, err := db.ReleasesOf(ctx, r)
	if err != nil {
		return "", command.Fault(err)
	}
	return behind(states, revisions), nil
}

// printDeletion prints what is with a repository.
func printDeletion(io stdio, s catalog.Settings, p catalogdb.DeletionPreview, asJSON bool) {
	if asJSON {
		printJSON(io, deletedJSON{s.Repository.String(), p.Packages, p.Files, p.Bytes, p.Snapshots, s.Deleted})
		return
	}
	if s.Deleted == nil {
		fmt.Fprintf(io.out, "%s is not deleted\n", s.Repository)
		return
	}
	fmt.Fprintf(io.out, "%s: %s; %s withdrawn\n", s.Repository, s.Deleted, counts(s.Deleted.Packages, "package"))
}

type repoUndeleteCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Repository string `arg:"" help:"owner/name."`
	JSON       bool   `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (repoUndeleteCmd) Help() string {
	return `The command brings a deleted repository back, with the packages that were withdrawn by its deletion, as long as the objects are not
being removed. What was pushed since was rejected: push it again.

Exit codes:
  0  clients see the packages; with --no-wait: it is recorded
  1  not declared, or its objects are being removed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached

Example:
  repomill repo undelete acme/old`
}

// Run brings a repository back.
func (c *repoUndeleteCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Repository)
	if err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	s, revisions, err := db.UndeleteRepository(ctx, r, now)
	switch {
	case errors.Is(err, catalogdb.ErrDeleted), errors.Is(err, catalogdb.ErrForgotten):
		return err
	case err != nil:
		return client.NotDeclared(ctx, db, r, err)
	case c.NoWait:
		return recorded(io)
	}
	err = c.until(ctx, db, seenByClients, func(ctx context.Context) (string, error) { return c.published(ctx, db, r, revisions) })
	if err != nil {
		return err
	}
	p, err := db.PreviewDeletion(ctx, r)
	if err != nil {
		return command.Fault(err)
	}
	if c.JSON {
		printDeletion(io, s, p, true)
		return nil
	}
	fmt.Fprintf(io.out, "%s: clients see %s\n", r, counts(p.Packages, "package"))
	return nil
}
