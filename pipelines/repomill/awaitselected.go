package main

import (
	"context"
	"errors"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// undonePeriod is the time between two looks at the states of packages that a command waits for.
const undonePeriod = 2 * time.Second

// selected waits until every release that has the packages is published with their new state. While releases are behind the
// revisions of the change, it asks for those alone; what clients see of each package is read once they are there, and now and
// then before, since another command may undo the change.
func (f awaitFlags) selected(ctx context.Context, db *catalogdb.DB, done catalogdb.SelectedChange, want catalog.PackageState) error {
	if len(done.Packages) == 0 {
		return nil
	}
	repository, looked := done.Packages[0].Repository, time.Time{}
	return f.until(ctx, db, seenByClients, func(ctx context.Context) (missing string, err error) {
		states, err := db.ReleasesOf(ctx, repository)
		if err != nil {
			return "", command.Fault(err)
		}
		if missing = behind(states, done.Revisions); missing != "" && time.Since(looked) < undonePeriod {
			return missing, nil
		}
		looked = time.Now()
		all, err := db.AppearancesOf(ctx, done.Packages)
		if errors.Is(err, catalogdb.ErrNotFound) {
			return "", command.Interrupt("recorded, and undone since: the catalog has lost the package: %w", err)
		}
		if err != nil {
			return "", command.Fault(err)
		}
		for _, a := range all {
			if a.Package.State != want {
				return "", command.Interrupt("recorded, and undone since: %s is %s now", nameOf(a.Package), a.Package.State)
			}
			if !a.Published {
				missing = notPublished(a.Release, a.Fault)
			}
		}
		return missing, nil
	})
}
