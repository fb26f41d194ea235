package main

import (
	"context"
	"errors"
	"fmt"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/history"
)

// maxCompared is how many packages an answer of the API compares.
const maxCompared = 200_000

// errCompared ends a comparison of more.
var errCompared = errors.New("too many packages")

// Diff implements [history.Source].
func (a apiHistory) Diff(ctx context.Context, t catalog.PackageTarget, from, to string, most int) (d history.Diff, err error) {
	sides := [2]diffSide{{point: from}, {point: to}}
	now, err := a.db.Clock(ctx)
	if err != nil {
		return d, err
	}
	for i, field := range []string{"from", "to"} {
		s := &sides[i]
		if s.target = t; s.point != "" {
			if s.at, err = apiPoint(field, s.point, now); err != nil {
				return d, err
			}
		}
		if s.states, err = a.db.StatesAt(ctx, t, s.at); err == nil {
			continue
		}
		if wrong := s.wrongPoint(err); wrong != nil {
			return d, api.Invalid(field, wrong.Error())
		}
		return d, a.unknown(ctx, t, err)
	}
	pairs, err := pairsOf(sides[0], sides[1])
	if err != nil {
		return d, err
	}
	d = history.Diff{Target: t.String(), From: statesOf(sides[0].states), To: statesOf(sides[1].states)}
	groups := map[diffChange]*history.Group{diffAdded: &d.Added, diffRemoved: &d.Removed, diffChanged: &d.Changed, diffReplaced: &d.Replaced}
	for _, g := range groups {
		g.First = []history.Difference{}
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	compared := 0
	report := func(i diffItem) {
		if compared++; compared > maxCompared {
			cancel(errCompared)
		}
		if i.Change == diffSame {
			d.Same++
			return
		}
		addDifference(groups[i.Change], i, most)
	}
	for _, p := range pairs {
		if err = p.compare(ctx, a.db, "", "", report); err != nil {
			break
		}
	}
	if errors.Is(context.Cause(ctx), errCompared) {
		return d, api.Conflict(fmt.Sprintf("there are more than %d packages to compare: name one distribution, or use repomill diff", maxCompared))
	}
	return d, err
}

// addDifference counts a package, and lists it if there is room.
func addDifference(g *history.Group, i diffItem, most int) {
	g.Packages++
	j := history.Difference{Distribution: i.Distribution, Component: i.Component, Name: i.Name, Arch: i.Arch}
	if i.From != nil {
		g.Bytes -= i.From.Size
		j.From = &history.Version{Version: i.From.Version, Size: i.From.Size, SHA256: i.From.SHA256}
	}
	if i.To != nil {
		g.Bytes += i.To.Size
		j.To = &history.Version{Version: i.To.Version, Size: i.To.Size, SHA256: i.To.SHA256}
	}
	if len(g.First) < most {
		g.First = append(g.First, j)
	}
}

// statesOf describes the releases of a side.
func statesOf(states []catalogdb.PublishedState) []history.State {
	all := []history.State{}
	for _, s := range states {
		j := history.State{Release: s.Release.String(), Revision: s.Revision}
		if !s.Since.IsZero() {
			since := s.Since.UTC()
			j.Since = &since
		}
		all = append(all, j)
	}
	return all
}
