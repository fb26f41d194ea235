package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

type retainListCmd struct {
	catalogFlags
	Target string `arg:"" optional:"" help:"Only this repository or distribution: owner/name[/os/version]."`
	JSON   bool   `name:"json" help:"Print one JSON object for each rule set."`
}

// Help has an example.
func (retainListCmd) Help() string {
	return `Exit codes:
  0  listed
  1  the repository or distribution does not exist
  2  usage
  4  the catalog cannot be reached

Examples:
  repomill retain list
  repomill retain list acme/tools --json`
}

// A ruleSetJSON is a rule set, with what workers did by it.
type ruleSetJSON struct {
	Target      string                   `json:"target"`
	Rules       []string                 `json:"rules"`
	Automatic   bool                     `json:"automatic"` // else it is paused
	AllowShrink bool                     `json:"allow_shrink,omitempty"`
	Archive     *catalog.Archive         `json:"archive,omitempty"`
	Runs        []catalogdb.RetentionRun `json:"runs"` // the last one of each distribution that it is for
}

// Run prints the rule sets, in order.
func (c *retainListCmd) Run(ctx context.Context, io stdio) error {
	var t catalog.PackageTarget
	if c.Target != "" {
		var err error
		if t, err = parseRetained(c.Target); err != nil {
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
	if c.Target != "" {
		all = slices.DeleteFunc(all, func(s catalog.Settings) bool { return s.Repository != t.Repository })
		if len(all) == 0 {
			return client.NotDeclared(ctx, db, t.Repository, catalogdb.ErrNotFound)
		}
		if _, has := all[0].Find(t.Distribution); !has && !t.Whole() {
			return retentionFault(ctx, db, t, catalogdb.ErrNotFound)
		}
	}
	runs, err := db.RetentionRuns(ctx)
	if err != nil {
		return command.Fault(err)
	}
	n := 0
	for _, s := range all {
		for _, set := range s.Retention {
			if c.Target == "" || t.Whole() || set.Distribution == (catalog.Distribution{}) || set.Distribution == t.Distribution {
				n++
				c.print(io, s.Repository, set, runs, t)
			}
		}
	}
	if n == 0 && !c.JSON {
		fmt.Fprintln(io.out, "no rules of retention: everything stays")
	}
	return nil
}

// print prints a rule set.
func (c *retainListCmd) print(io stdio, r catalog.Repository, set catalog.Retention, runs []catalogdb.RetentionRun, t catalog.PackageTarget) {
	of := catalog.PackageTarget{Repository: r, Distribution: set.Distribution}
	j := ruleSetJSON{Target: of.String(), Rules: set.Rules(), Automatic: set.Automatic, AllowShrink: set.AllowShrink, Archive: set.Archive, Runs: []catalogdb.RetentionRun{}}
	j.Runs = append(j.Runs, runsOf(runs, r, set, t)...)
	if c.JSON {
		printJSON(io, j)
		return
	}
	state := "paused"
	switch {
	case j.AllowShrink:
		state = "automatic, also if a release shrinks"
	case j.Automatic:
		state = "automatic"
	}
	fmt.Fprintf(io.out, "%s: %s; %s\n", j.Target, strings.Join(j.Rules, ", "), state)
	for _, run := range j.Runs {
		text := "running"
		switch {
		case run.Stopped != "":
			text = "stopped: " + run.Stopped
		case run.At != nil:
			text = fmt.Sprintf("%d packages withdrawn", run.Withdrawn)
			if run.Archived > 0 {
				text = fmt.Sprintf("%d packages asked for in the archive, and withdrawn once they are there", run.Archived)
			}
		}
		if run.At != nil {
			text = run.At.UTC().Format(time.DateTime+" MST") + ", " + text
		}
		fmt.Fprintf(io.out, "  %s: %s\n", run.Target.Distribution, text)
	}
}

// runsOf returns those of the distributions that a rule set of a repository is for, and a target has.
func runsOf(runs []catalogdb.RetentionRun, r catalog.Repository, set catalog.Retention, t catalog.PackageTarget) (some []catalogdb.RetentionRun) {
	for _, run := range runs {
		of := run.Target
		if of.Repository == r && (set.Distribution == (catalog.Distribution{}) || of.Distribution == set.Distribution) && (t.Whole() || of.Distribution == t.Distribution) {
			some = append(some, run)
		}
	}
	return some
}
