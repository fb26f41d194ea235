package main

import (
	"context"
	"errors"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// undonePeriod is the time between two looks at the states of packages that a command waits for; maxAppearances is how many are
// looked at one by one.
const (
	undonePeriod   = 2 * time.Second
	maxAppearances = 1000
)

// selected waits until every release that has the packages is published with their new state.
func (f awaitFlags) selected(ctx context.Context, db *catalogdb.DB, done catalogdb.SelectedChange, want catalog.PackageState) error {
	return f.until(ctx, db, seenByClients, selectedMissing(db, done, want))
}

// selectedMissing returns what looks whether every release that has the packages is published with their new state. While releases are
// behind the revisions of the change, it asks for those alone; the packages are read once they are there, and now and then before,
// since another command may undo the change.
func selectedMissing(db *catalogdb.DB, done catalogdb.SelectedChange, want catalog.PackageState) func(context.Context) (missing string, err error) {
	looked := time.Time{}
	return func(ctx context.Context) (missing string, err error) {
		if len(done.Packages) == 0 {
			return "", nil
		}
		states, err := db.ReleasesOf(ctx, done.Packages[0].Repository)
		if err != nil {
			return "", command.Fault(err)
		}
		if missing = behind(states, done.Revisions); missing != "" && time.Since(looked) < undonePeriod {
			return missing, nil
		}
		looked = time.Now()
		other, err := db.NotInState(ctx, done.Packages, want)
		switch {
		case errors.Is(err, catalogdb.ErrNotFound):
			return "", command.Interrupt("recorded, and undone since: the catalog has lost the package: %w", err)
		case err != nil:
			return "", command.Fault(err)
		case other != nil:
			return "", command.Interrupt("recorded, and undone since: %s is %s now", nameOf(*other), other.State)
		case missing == "" && len(done.Packages) <= maxAppearances:
			return appear(ctx, db, done.Packages, want)
		}
		return missing, nil
	}
}

// appear looks at each package in each release: rows that were rebuilt since may be published later than the change was.
func appear(ctx context.Context, db *catalogdb.DB, packages []catalog.Package, want catalog.PackageState) (missing string, err error) {
	all, err := db.AppearancesOf(ctx, packages)
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
}
