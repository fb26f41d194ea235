package main

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/yank"
)

// apiYank withdraws and restores for callers of the API what patterns select, in the catalog alone: workers publish it.
type apiYank struct{ db *catalogdb.DB }

// selectionOf returns what a call selects. A repository that does not exist has no other answer than one that the caller does not see.
func (a apiYank) selectionOf(ctx context.Context, c yank.Call) (s catalogdb.Selection, err error) {
	_, err = a.db.Settings(ctx, c.Target.Repository)
	if errors.Is(err, catalogdb.ErrNotFound) {
		err = api.NoRepository(c.Target.Repository)
	}
	return catalogdb.Selection{Target: c.Target, Patterns: c.Patterns, States: []catalog.PackageState{catalog.Active, catalog.Yanked}}, err
}

// Yank implements [yank.Source].
func (a apiYank) Yank(ctx context.Context, c yank.Call, wait time.Duration) (result yank.Result, err error) {
	if !plainText(c.Reason) {
		return result, api.Invalid("reason", "use printable characters on one line, at most 200")
	}
	which, err := a.selectionOf(ctx, c)
	if err != nil {
		return result, err
	}
	which.Back = true
	by := catalog.ActorOf(ctx).User
	y := &yanking{by: by, which: which, args: yankArgs{Patterns: textsOf(c.Patterns), Reason: c.Reason, All: c.All}}
	p := &plannedOnce{plan: y.plan}
	if c.DryRun {
		return a.dryRun(ctx, c, which, p)
	}
	now, err := a.db.Clock(ctx) // unyank uses the same clock: the later one wins
	if err != nil {
		return result, err
	}
	record := catalog.Yank{Reason: c.Reason, By: by, At: now.UTC().Truncate(time.Second)}
	done, err := a.db.YankSelected(ctx, which, catalogdb.Withdrawal{Yank: record}, now, p.decide)
	if err != nil {
		return result, a.refusal(ctx, which, p.refused, err)
	}
	return a.result(ctx, c, p, done, catalog.Yanked, wait)
}

// Unyank implements [yank.Source].
func (a apiYank) Unyank(ctx context.Context, c yank.Call, wait time.Duration) (result yank.Result, err error) {
	which, err := a.selectionOf(ctx, c)
	if err != nil {
		return result, err
	}
	u := &unyanking{which: which, args: unyankArgs{Patterns: textsOf(c.Patterns)}}
	p := &plannedOnce{plan: u.plan}
	if c.DryRun {
		return a.dryRun(ctx, c, which, p)
	}
	now, err := a.db.Clock(ctx)
	if err != nil {
		return result, err
	}
	done, err := a.db.UnyankSelected(ctx, which, now, p.decide)
	if err != nil {
		return result, a.refusal(ctx, which, p.refused, err)
	}
	return a.result(ctx, c, p, done, catalog.Active, wait)
}

// A plannedOnce decides what a transaction changes, and keeps what it planned.
type plannedOnce struct {
	plan    func(catalogdb.Selected) ([]catalogdb.SelectedPackage, catalog.Plan, error)
	is      *catalog.Plan
	refused error
}

// decide is a [catalogdb.Decision]. A transaction that is repeated, since its commit was not answered, finds nothing left to do: the plan
// stays that of the try before.
func (d *plannedOnce) decide(s catalogdb.Selected) (chosen []catalogdb.SelectedPackage, err error) {
	chosen, p, err := d.plan(s)
	if d.is == nil || len(p.Items) > 0 {
		d.is = &p
	}
	d.refused = err
	return chosen, err
}

func (a apiYank) dryRun(ctx context.Context, c yank.Call, which catalogdb.Selection, p *plannedOnce) (result yank.Result, err error) {
	found, err := a.db.Select(ctx, which)
	if err == nil {
		_, err = p.decide(found)
	}
	if err != nil {
		return result, a.refusal(ctx, which, p.refused, err)
	}
	return resultOf(c, *p.is), nil
}

func (a apiYank) result(ctx context.Context, c yank.Call, p *plannedOnce, done catalogdb.SelectedChange, want catalog.PackageState, wait time.Duration) (result yank.Result, err error) {
	result = resultOf(c, *p.is)
	result.Published, err = soonSeen(ctx, wait, selectedMissing(a.db, done, want))
	return result, err
}

// resultOf describes what a plan changes. An RPM package may be in several releases.
func resultOf(c yank.Call, p catalog.Plan) yank.Result {
	result := yank.Result{Target: c.Target.String(), DryRun: c.DryRun, LeftOut: len(p.LeftOut), Releases: []yank.Release{}, Changed: []yank.Package{}, Reasons: []yank.LeftOut{}}
	for _, r := range p.Releases {
		result.Releases = append(result.Releases, yank.Release{Release: r.Release, Packages: r.Packages, Stay: r.Stay})
	}
	known := map[catalog.PlanItem]bool{}
	for _, i := range p.Items {
		r, _ := catalog.ParseRelease(i.Release)
		place := catalog.PackageTarget{Repository: r.Repository, Distribution: r.Distribution, Component: i.Component}.String()
		if i.Release = place; known[i] {
			continue
		}
		known[i] = true
		result.Packages, result.Bytes = result.Packages+1, result.Bytes+i.Bytes
		if len(result.Changed) < c.Most {
			result.Changed = append(result.Changed, yank.Package{Place: place, Name: i.Name, Version: i.Version, Arch: i.Arch, Size: i.Bytes, SHA256: i.SHA256})
		}
	}
	for _, l := range p.LeftOut[:min(len(p.LeftOut), c.Most)] {
		result.Reasons = append(result.Reasons, yank.LeftOut{Place: l.Place, Package: l.Package, Why: l.Why})
	}
	return result
}

// refusal returns an error of a transaction on selected packages as the caller reads it.
func (a apiYank) refusal(ctx context.Context, which catalogdb.Selection, refused, err error) error {
	err = explained(ctx, a.db, which, refused, err)
	switch command.CodeOf(err) {
	case command.Unreachable:
		return whileRecovering(err)
	case command.Misused:
		return api.Invalid("component", err.Error())
	}
	return api.Conflict(strings.Replace(err.Error(), "add --all if", "send all=yes if", 1))
}

// whileRecovering returns an error as the API answers it: who asks for packages of a release that is being recovered may try again.
func whileRecovering(err error) error {
	if recovering, is := errors.AsType[*catalogdb.RecoveringError](err); is {
		return &api.Error{Status: http.StatusServiceUnavailable, Message: recovering.Error(), RetryAfter: recoveringFor, Cause: err}
	}
	return err
}

// recoveringFor is when a caller may try again while a release is being recovered.
const recoveringFor = time.Minute
