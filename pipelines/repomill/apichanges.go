package main

import (
	"context"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
)

// apiChanges makes the changes that callers of the API ask for, in the catalog alone: workers publish them.
type apiChanges struct{ db *catalogdb.DB }

// changePeriod is how often a call looks whether clients see its change.
const changePeriod = 200 * time.Millisecond

// Yank implements [packagecloud.Changes].
func (c apiChanges) Yank(ctx context.Context, k catalog.Package, by api.Principal, why string, wait time.Duration) (seen bool, err error) {
	w := catalogdb.PackageSelector{Repository: k.Repository, Distribution: k.Distribution, Name: k.Name, Version: k.Version, Arch: k.Arch}
	now, err := c.db.Clock(ctx) // unyank uses the same clock: the later one wins
	if err != nil {
		return false, err
	}
	if _, err := c.db.Yank(ctx, w, catalog.Yank{Reason: why, By: by.Name, At: now.UTC().Truncate(time.Second)}, now); err != nil {
		return false, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	for {
		if all, err := c.db.Appearances(ctx, w); err == nil && published(all) {
			return true, nil
		}
		select {
		case <-ctx.Done():
			return false, nil // the withdrawal is recorded
		case <-time.After(changePeriod):
		}
	}
}

// published reports whether clients see all that changed.
func published(all []catalogdb.Appearance) bool {
	for _, a := range all {
		if !a.Published {
			return false
		}
	}
	return true
}
