package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

type logCmd struct {
	catalogFlags
	Target   string   `arg:"" optional:"" help:"Only what concerns it: owner, owner/name, or owner/name/os/version[/component]. What is done to all concerns each."`
	Packages []string `arg:"" optional:"" name:"package" help:"NAME, NAME=VERSION or NAME=VERSION:ARCH, with globs: only uploads and changes of these packages."`
	Since    period   `default:"7d" help:"From how long ago on."`
	JSON     bool     `name:"json" help:"Print one JSON object a line."`
}

// Help says what is in the log.
func (logCmd) Help() string {
	return `Who changed what, when, and why: repositories, tokens, keys, withdrawals, reindexes, and all uploads, oldest first. Times
are UTC. A change without a name was made by the product itself. Names and jobs are what the user, or CI, said of itself;
those of the API are of the token. An upload that was never read is known by the name of its file; a rollback of the target may
concern each package.

` + listHelp + `

Examples:
  repomill log acme/tools
  repomill log acme/tools/ubuntu/jammy 'hello=1.*' --since 30d
  repomill log --since 24h --json`
}

// Run prints the log.
func (c *logCmd) Run(ctx context.Context, io stdio) error {
	f, err := c.filter()
	if err != nil {
		return err
	}
	target := f.repository
	db, err := c.open(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	if target.Name != "" {
		if _, err := db.Settings(ctx, catalog.Repository(target)); err != nil {
			return client.NotDeclared(ctx, db, catalog.Repository(target), err)
		}
	}
	now, err := db.Clock(ctx)
	if err != nil {
		return command.Fault(err)
	}
	n := 0
	for e, err := range db.Log(ctx, target, now.Add(-time.Duration(c.Since))) {
		if err != nil {
			return command.Fault(err)
		}
		if !f.selects(e) {
			continue
		}
		n++
		if c.JSON {
			printJSON(io, e)
			continue
		}
		if _, err := fmt.Fprintln(io.out, logLine(e)); err != nil {
			return err
		}
	}
	switch {
	case n > 0 || c.JSON:
	case target.Owner == "":
		fmt.Fprintln(io.out, "nothing is recorded since then")
	default:
		fmt.Fprintf(io.out, "nothing is recorded of %s since then\n", strings.Join(append(c.Packages[:len(c.Packages):len(c.Packages)], c.Target), " in "))
	}
	return nil
}

// logLine returns an entry as one line: when, who, what, of what, and then what there is of detail, reason and job.
func logLine(e catalog.AuditEntry) string {
	by := e.By
	if by == "" {
		by = "-"
	}
	line := fmt.Sprintf("%s  %s  %s  %s", e.At.UTC().Format(time.DateTime), by, e.Action, e.Target)
	if e.Detail != "" {
		line += "  " + e.Detail
	}
	if e.Why != "" {
		line += "  (" + e.Why + ")"
	}
	if e.Job != "" {
		line += "  " + e.Job
	}
	return command.Printable(strings.ReplaceAll(line, "\n", " "))
}
