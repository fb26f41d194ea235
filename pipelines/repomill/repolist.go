package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"text/tabwriter"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type repoListCmd struct {
	catalogFlags
	Repository string `arg:"" optional:"" help:"Only this one: owner/name."`
	JSON       bool   `name:"json" help:"Print one JSON object per line."`
}

// Run prints the repositories, in order.
func (c *repoListCmd) Run(ctx context.Context, io stdio) error {
	var r catalog.Repository
	if c.Repository != "" {
		var err error
		if r, err = client.ParseRepository(c.Repository); err != nil {
			return err
		}
	}
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	all, err := db.Repositories(ctx)
	if err != nil {
		return command.Fault(err)
	}
	if c.Repository != "" {
		all = slices.DeleteFunc(all, func(s catalog.Settings) bool { return s.Repository != r })
		if len(all) == 0 {
			return client.NotDeclared(ctx, db, r, catalogdb.ErrNotFound)
		}
	}
	if len(all) == 0 && !c.JSON {
		fmt.Fprintln(io.out, "no repository is declared yet")
	}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	defer w.Flush()
	for i, s := range all {
		switch {
		case c.JSON:
			printJSON(io, s)
		case c.Repository != "":
			printRepository(io, s)
		default:
			if i == 0 {
				fmt.Fprintln(w, "REPOSITORY\tVISIBILITY\tTOKENS\tDISTRIBUTIONS")
			}
			var names []string
			for _, d := range s.Distributions {
				names = append(names, d.Distribution.String())
			}
			if s.Deleted != nil {
				names = []string{"(deleted; empty until " + s.Deleted.Until.UTC().Format("2006-01-02 15:04 MST") + ", then removed)"}
				if s.Deleted.Removing {
					names = []string{"(deleted and removed)"}
				}
			}
			visibility := string(s.Visibility)
			if s.Mutable {
				visibility += ", mutable"
			}
			fmt.Fprintf(w, "%s\t%s\t%d\t%s\n", s.Repository, visibility, len(s.Tokens), strings.Join(names, " "))
		}
	}
	return nil
}
