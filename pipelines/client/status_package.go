package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// whereis prints where the packages of a pattern are out below the target, and why not where they are not. The error has the exit
// code for what is not out everywhere where its name is.
func (c *Status) whereis(ctx context.Context, io Stdio, db *catalogdb.DB, p catalog.Pattern) error {
	owner, rest, ok := strings.Cut(c.Target, "/")
	name, _, _ := strings.Cut(rest, "/")
	if !ok || name == "" {
		return command.Usage("target %q: name at least the repository, owner/name", c.Target)
	}
	r := catalog.Repository{Owner: owner, Name: name}
	found, err := db.Locate(ctx, r, p)
	switch {
	case errors.Is(err, catalogdb.ErrTooMany):
		return fmt.Errorf("%s selects too many packages for one report: name fewer, such as one version", p)
	case err != nil && !errors.Is(err, catalogdb.ErrNotFound):
		return command.Fault(err)
	}
	uploads, err := db.RecentUploads(ctx, r, maxStatusUploads, catalog.Received, catalog.Rejected)
	if err != nil {
		return command.Fault(err)
	}
	l := lookup{c.Target, p}
	w := l.locate(found, uploads)
	if len(w.rows) == 0 {
		if c.JSON {
			PrintJSON(io.Out, []placement{})
		}
		all, err := db.Repositories(ctx)
		if err != nil {
			return command.Fault(err)
		}
		return c.unknown(ctx, db, all)
	}
	var unread error
	if c.Verify {
		if unread, err = c.verify(ctx, db, r, &w); err != nil {
			return err
		}
	}
	if c.JSON {
		PrintJSON(io.Out, w.rows)
	} else {
		w.print(io.Out)
	}
	switch {
	case unread != nil:
		return command.Fault(unread)
	case w.out == w.places && w.places > 0:
		return nil
	case c.Verify || slices.ContainsFunc(w.rows, placement.isOut):
		return command.Exit(command.Failed) // the report says it
	}
	return fmt.Errorf("%s is not published below %s; repomill ls OWNER/NAME/OS/VERSION lists the published packages", p, c.Target)
}
