package main

import (
	"context"
	"fmt"
	"regexp"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
)

// apiPhases sets the phases that callers of the API ask for, in the catalog alone: workers publish them.
type apiPhases struct{ *catalogdb.DB }

// globbing matches what means something else in a pattern than itself.
var globbing = regexp.MustCompile(`[*?\[\\]`)

// Phase implements [packagecloud.Phases].
func (a apiPhases) Phase(ctx context.Context, k catalog.Package, p catalog.Phasing, wait time.Duration) (state catalog.PhaseState, seen bool, err error) {
	now, err := a.Clock(ctx)
	if err != nil {
		return state, false, err
	}
	literal := func(s string) string { return globbing.ReplaceAllString(s, `\$0`) }
	which := catalogdb.Selection{Target: catalog.PackageTarget(k.Place()), Patterns: []catalog.Pattern{{Name: literal(k.Name), Version: literal(k.Version)}}, Arch: k.Arch}
	done, err := a.PhaseSelected(ctx, which, p, now, func(f catalogdb.Phased) ([]catalogdb.PhasedPackage, error) {
		if len(f.All) == 0 {
			return nil, fmt.Errorf("%s: %w", nameOf(k), catalog.ErrNotFound)
		}
		of := f.All[0].Source
		state = catalog.PhaseState{Place: k.Place().String(), Source: of.Name, Version: of.Version, Percent: p.Percent, Packages: len(f.All), Steps: p.Steps}
		return f.All, nil
	})
	if err != nil {
		return state, false, whileRecovering(err)
	}
	actor := catalog.ActorOf(ctx)
	state.Since, state.By, state.Why, state.Job = &now, actor.User, actor.Why, actor.Job
	if len(p.Steps) > 0 {
		next := now.Add(p.Every)
		state.Next, state.Every = &next, catalog.ShortDuration(p.Every)
	}
	for end := time.Now().Add(wait); ; {
		states, err := a.ReleasesOf(ctx, k.Repository)
		if err == nil && behind(states, done.Revisions) == "" {
			return state, true, nil
		}
		if time.Now().After(end) {
			return state, false, nil // it is recorded
		}
		select {
		case <-ctx.Done():
			return state, false, nil
		case <-time.After(changePeriod):
		}
	}
}
