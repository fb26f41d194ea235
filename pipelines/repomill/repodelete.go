package main

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
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
	planFlags
	Target string        `arg:"" help:"owner/name, owner/name/os/version for one distribution of it, or owner/name/os/version/component."`
	Grace  time.Duration `name:"undo-period" default:"720h" help:"How long the target stays as an empty one, and can be brought back, before its objects are removed."`
	Yes    bool          `help:"Do not ask for the name once more."`
	JSON   bool          `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (repoDeleteCmd) Help() string {
	return `The command withdraws all packages of a repository, distribution or component. Clients see an empty, signed one for the time of
--undo-period, in which repomill repo undelete brings it back; pushes are rejected, also by workers that declare what is new. Then a worker
removes all its objects: of a repository also pages, snapshots, tokens and trusts; a distribution leaves the repository, and a component the
Release file. Installed packages stay installed. What has no package is removed at once.

What a snapshot names stays until the snapshot is deleted: as long as one has a distribution, or packages of a component, that stays empty and
can be brought back. repo set --distribution, or --component, adds it again later; what had a name, version and architecture keeps other
files out, then as before. The name of a repository stays taken, since hosts trust it and CDNs have copies: repomill repo create
--reuse-deleted-name takes it again, with the same Origin and Label.

Take what you delete from hosts first: apt and dnf report errors for a repository or distribution that is removed, and apt warns of a component.

Exit codes:
  0  clients see an empty repository, distribution or component; with --no-wait: it is recorded
  1  not declared, the only component of its distribution, or the name that was typed is another one; nothing is changed
  2  usage
  3  recorded, but not published in time, or no worker runs: a worker completes it once one runs
  4  the catalog cannot be reached
  5  with --dry-run: it would be deleted

Examples:
  repomill repo delete acme/old --dry-run
  repomill repo delete acme/old --dry-run --plan old.json
  repomill apply old.json --why "replaced by acme/tools"
  repomill repo delete acme/old --yes --why "replaced by acme/tools"
  repomill repo delete acme/tools/ubuntu/bionic --yes --why "end of life"
  repomill repo delete acme/tools/ubuntu/jammy/contrib --dry-run`
}

// deletedJSON is how --json prints a repository that is, or would be, deleted or brought back.
type deletedJSON struct {
	Repository string            `json:"repository"`
	Target     string            `json:"target"`
	Packages   int               `json:"packages"` // that are withdrawn, or come back
	Files      int               `json:"files"`
	Bytes      int64             `json:"bytes"`
	Snapshots  int               `json:"snapshots"`
	Deleted    *catalog.Deletion `json:"deleted"` // null if it is not
}

// Run deletes a repository. A repeat waits for what an earlier one has recorded.
func (c *repoDeleteCmd) Run(ctx context.Context, io stdio) error {
	t, err := parsePackageTarget(c.Target)
	if err != nil {
		return err
	}
	if c.Grace < 0 || c.Grace > maxGrace {
		return command.Usage("--undo-period %s: use 0s to %s", c.Grace, maxGrace)
	}
	if err := c.planFlags.check(); err != nil {
		return err
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	p, err := db.PreviewDeletion(ctx, t)
	if err != nil {
		return client.NotDeclared(ctx, db, t.Repository, err)
	}
	if err := checkThere(p.Settings, t); err != nil {
		return err
	}
	d := &deleting{awaitFlags: c.awaitFlags, json: c.JSON, target: t, grace: c.Grace}
	if del := p.Settings.DeletedPart(t); del != nil && c.Plan != "" {
		return fmt.Errorf("%s is deleted already, and there is nothing to plan: %s", t, del)
	}
	switch {
	case c.DryRun && c.Plan != "":
		return d.writePlan(ctx, io, db, c.planFlags, c.By)
	case c.DryRun:
		return c.preview(io, t, p)
	case p.Settings.DeletedPart(t) == nil && !c.Yes:
		warnArchive(io, p)
		if err := confirm(io, os.Stdin, t, p); err != nil {
			return err
		}
	default:
		warnArchive(io, p)
	}
	return d.run(ctx, io, db, p)
}

// refusedDeletion returns why the catalog does not delete a target or bring it back, or nil for other errors.
func refusedDeletion(t catalog.PackageTarget, err error) error {
	switch {
	case errors.Is(err, catalogdb.ErrTrainHolds):
		return fmt.Errorf("%s is not deleted: %w", t, catalogdb.ErrTrainHolds)
	case errors.Is(err, catalogdb.ErrOnlyComponent):
		return fmt.Errorf("%s is not deleted: %w; repomill repo delete %s deletes that", t, catalogdb.ErrOnlyComponent, t.WithoutComponent())
	case errors.Is(err, catalogdb.ErrOtherPlan):
		_, why, _ := strings.Cut(err.Error(), catalogdb.ErrOtherPlan.Error()+": ")
		return fmt.Errorf("%s is %w: %s", t, catalogdb.ErrOtherPlan, why)
	case errors.Is(err, catalogdb.ErrDeleted), errors.Is(err, catalogdb.ErrForgotten):
		return err
	}
	return nil
}

// checkThere returns an error unless a repository has the distribution and component of a target, or they are deleted.
func checkThere(s catalog.Settings, t catalog.PackageTarget) error {
	if t.Whole() || s.DeletedPart(t) != nil {
		return nil
	}
	ds, has := s.Find(t.Distribution)
	switch {
	case !has:
		return fmt.Errorf("repository %s does not have distribution %s; repomill repo list %s shows those it has", t.Repository, t.Distribution, t.Repository)
	case t.Component != "" && ds.Format == catalog.RPM:
		return command.Usage("target %s: RPM distributions have no components: leave out /%s", t, t.Component)
	case t.Component != "" && !slices.Contains(ds.Components, t.Component):
		return fmt.Errorf("%s does not have component %s; it has %s", t.WithoutComponent(), t.Component, strings.Join(ds.Components, ", "))
	}
	return nil
}

// preview prints what would be deleted.
func (c *repoDeleteCmd) preview(io stdio, t catalog.PackageTarget, p catalogdb.DeletionPreview) error {
	if p.Refused != nil {
		return cmp.Or(refusedDeletion(t, p.Refused), p.Refused)
	}
	warnArchive(io, p)
	del := p.Settings.DeletedPart(t)
	switch {
	case c.JSON:
		printDeletion(io, t, del, p, true)
	case del != nil:
		printDeletion(io, t, del, p, false)
		fmt.Fprintf(io.out, "%s is deleted already: repo delete would change nothing\n", t)
	case p.Unused:
		fmt.Fprintf(io.out, "%s has no package, and would be removed at once: that cannot be undone\n", t)
	case t.Whole():
		fmt.Fprintf(io.out, "%s: %s in %s would be withdrawn; after %s, %s of %d bytes, %s and all pages would be removed, and %s would end\n",
			t, counts(p.Packages, "package"), counts(len(p.Settings.Distributions), "distribution"), periodText(c.Grace), counts(p.Files, "file"), p.Bytes, counts(p.Snapshots, "snapshot"), counts(len(p.Settings.Tokens), "read token"))
	default:
		fmt.Fprintf(io.out, "%s: %s would be withdrawn; after %s, %s of %d bytes would be removed%s\n",
			t, counts(p.Packages, "package"), periodText(c.Grace), counts(p.Files, "file"), p.Bytes, heldText(p))
	}
	if del != nil {
		return nil
	}
	return command.Exit(5)
}

// heldText says that snapshots keep files of a part of a repository.
func heldText(p catalogdb.DeletionPreview) string {
	switch p.Snapshots {
	case 0:
		return ""
	case 1:
		return "; a snapshot has it, and it stays until that is deleted"
	}
	return fmt.Sprintf("; %d snapshots have it, and it stays until those are deleted", p.Snapshots)
}

// periodText returns a duration in days, if it is whole days, or else as Go writes it.
func periodText(d time.Duration) string {
	if days := d / (24 * time.Hour); days > 0 && d%(24*time.Hour) == 0 {
		return counts(int(days), "day")
	}
	return d.String()
}

// warnArchive says on the standard error whose archive a repository is.
func warnArchive(io stdio, p catalogdb.DeletionPreview) {
	if n := len(p.ArchiveOf); n > 0 {
		fmt.Fprintf(io.err, "%s is the archive of %s: what no rule of retention keeps there stays, until repomill retain set names another archive, or none\n",
			p.Settings.Repository, few(names(p.ArchiveOf[:min(n, shownDifferences)]), n))
	}
}

func names(all []catalog.Repository) (texts []string) {
	for _, r := range all {
		texts = append(texts, r.String())
	}
	return texts
}

func counts(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// confirm asks for the name of what is to be deleted on a terminal.
func confirm(io stdio, from *os.File, t catalog.PackageTarget, p catalogdb.DeletionPreview) error {
	info, err := from.Stat()
	if err != nil || info.Mode()&os.ModeCharDevice == 0 {
		return command.Usage("the standard input is not a terminal, on which the name could be asked for: add --yes if %s is to be deleted", t)
	}
	fmt.Fprintf(io.err, "All clients lose %s of %s. Type its name to delete it: ", counts(p.Packages, "package"), t)
	return checkTyped(from, t)
}

// checkTyped returns an error unless the first line is the name of the target.
func checkTyped(from io.Reader, t catalog.PackageTarget) error {
	line, err := bufio.NewReader(io.LimitReader(from, 1000)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if strings.TrimSpace(line) != t.String() {
		return fmt.Errorf("the name is not %s: nothing is changed", t)
	}
	return nil
}

// awaitDeletion waits until clients see an empty target, or one that is removed.
func (f awaitFlags) awaitDeletion(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget, was catalog.Deletion, revisions map[catalog.Release]int64) error {
	return f.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		return deletionMissing(ctx, db, t, was, revisions)
	})
}

// deletionMissing says what is missing until clients see an empty target, or one that is removed.
func deletionMissing(ctx context.Context, db *catalogdb.DB, t catalog.PackageTarget, was catalog.Deletion, revisions map[catalog.Release]int64) (missing string, err error) {
	s, err := db.Settings(ctx, t.Repository)
	if err != nil {
		return "", command.Fault(err)
	}
	del := s.DeletedPart(t)
	switch {
	case del == nil && was.Unused && !t.Whole():
		return "", nil // nothing is left of it
	case del == nil || !del.At.Equal(was.At):
		return "", command.Interrupt("recorded, and undone since: %s is not deleted", t)
	case del.Unused && !del.Final && !(del.Removing && !t.Whole()):
		return "its objects are not removed", nil
	}
	return publishMissing(ctx, db, t.Repository, revisions)
}

// publishMissing says which release of a repository is behind a revision.
func publishMissing(ctx context.Context, db *catalogdb.DB, r catalog.Repository, revisions map[catalog.Release]int64) (missing string, err error) {
	states, err := db.ReleasesOf(ctx, r)
	if err != nil {
		return "", command.Fault(err)
	}
	return behind(states, revisions), nil
}

// printDeletion prints what is with a target.
func printDeletion(io stdio, t catalog.PackageTarget, del *catalog.Deletion, p catalogdb.DeletionPreview, asJSON bool) {
	switch {
	case asJSON:
		printJSON(io, deletedJSON{t.Repository.String(), t.String(), p.Packages, p.Files, p.Bytes, p.Snapshots, del})
	case del == nil:
		fmt.Fprintf(io.out, "%s is not deleted\n", t)
	case del.Unused && !t.Whole():
		fmt.Fprintf(io.out, "%s is deleted: it had no package\n", t)
	default:
		held := ""
		if !t.Whole() {
			held = heldText(p)
		}
		fmt.Fprintf(io.out, "%s: %s%s; %s withdrawn\n", t, del, held, counts(del.Packages, "package"))
	}
}

type repoUndeleteCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Target string `arg:"" help:"What repo delete was given: owner/name, owner/name/os/version or owner/name/os/version/component."`
	JSON   bool   `name:"json" help:"Print JSON."`
}

// Help describes the exit codes.
func (repoUndeleteCmd) Help() string {
	return `The command brings a deleted repository, distribution or component back, with the packages that were withdrawn by its deletion, as long as the objects are not
being removed. What was pushed since was rejected: push it again.

Exit codes:
  0  clients see the packages; with --no-wait: it is recorded
  1  not declared, or its objects are being removed
  2  usage
  3  recorded, but not published in time, or no worker runs
  4  the catalog cannot be reached

Examples:
  repomill repo undelete acme/old
  repomill repo undelete acme/tools/ubuntu/bionic`
}

// Run brings a target back.
func (c *repoUndeleteCmd) Run(ctx context.Context, io stdio) error {
	t, err := parsePackageTarget(c.Target)
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
	s, revisions, err := db.Undelete(ctx, t, now)
	if of, has := db.Settings(ctx, t.Repository); has == nil && errors.Is(err, catalogdb.ErrNotFound) {
		return cmp.Or(checkThere(of, t), err)
	}
	if refused := refusedDeletion(t, err); refused != nil {
		return refused
	}
	switch {
	case err != nil:
		return client.NotDeclared(ctx, db, t.Repository, err)
	case c.NoWait:
		return recorded(io)
	}
	err = c.until(ctx, db, seenByClients, func(ctx context.Context) (string, error) { return publishMissing(ctx, db, t.Repository, revisions) })
	if err != nil {
		return err
	}
	p, err := db.PreviewDeletion(ctx, t)
	if err != nil {
		return command.Fault(err)
	}
	if c.JSON {
		printDeletion(io, t, s.DeletedPart(t), p, true)
		return nil
	}
	fmt.Fprintf(io.out, "%s: clients see %s\n", t, counts(p.Packages, "package"))
	return nil
}
