package main

import (
	"context"
	"fmt"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
)

type snapshotScheduleCmd struct {
	catalogFlags
	awaitFlags
	actorFlags
	Target string `arg:"" help:"Repository, owner/name."`
	Every  string `arg:"" enum:"daily,weekly,off" help:"daily, weekly or off."`
	Keep   int    `default:"14" help:"How many of them are kept; the oldest are deleted. Those of snapshot create do not count."`
}

// Help describes the exit codes.
func (snapshotScheduleCmd) Help() string {
	return `A worker takes the snapshot soon after midnight in UTC, of a week on Monday, and the first one at once. With off, those that were
taken stay until they are deleted.

` + settingsHelp + `

Examples:
  repomill snapshot schedule acme/tools daily --keep 30
  repomill snapshot schedule acme/tools off`
}

// Run sets the rule, and waits until it is published with the other settings.
func (c *snapshotScheduleCmd) Run(ctx context.Context, io stdio) error {
	r, err := client.ParseRepository(c.Target)
	if err != nil {
		return err
	}
	var rule *catalog.SnapshotRule
	if c.Every != "off" {
		rule = &catalog.SnapshotRule{Every: catalog.SnapshotPeriod(c.Every), Keep: c.Keep}
	}
	if err := catalog.CheckSnapshotRule(rule); err != nil {
		return command.Usage("--keep: %w", err)
	}
	db, err := c.openToChange(ctx)
	if err != nil {
		return err
	}
	defer db.Close()
	s, err := db.ChangeSettings(ctx, r, time.Now(), func(s *catalog.Settings) error { s.Snapshots = rule; return nil })
	if err != nil {
		return client.NotDeclared(ctx, db, r, err)
	}
	fmt.Fprintf(io.out, "%s: snapshots %s\n", r, s.Snapshots)
	if c.NoWait {
		return recorded(io)
	}
	return c.settings(ctx, db, settingsChange{after: s, holds: func(s catalog.Settings) bool { return s.Snapshots.String() == rule.String() }})
}
