package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines/client"
	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/history"
)

// apiHistory rolls back as callers of the API want, in the catalog alone: workers publish that.
type apiHistory struct{ db *catalogdb.DB }

// Plan implements [history.Source].
func (a apiHistory) Plan(ctx context.Context, b history.Back, most int) (p history.Plan, err error) {
	r, _, err := a.rollingBack(ctx, b)
	if err != nil {
		return p, err
	}
	state, err := a.db.ReadRollback(ctx, r.target, r.to)
	if err != nil {
		return p, a.answer(ctx, r, nil, err)
	}
	out, back, of, refused := r.plan(state)
	if refused != nil {
		return p, a.answer(ctx, r, refused, refused)
	}
	return history.Plan{Target: r.target.String(), To: r.args.To, Digest: of.Digest, Withdraw: len(out), Restore: len(back), Releases: of.Releases,
		Changes: of.Items[:min(len(of.Items), most)], LeftOut: leftOutOf(of, most)}, nil
}

func leftOutOf(p catalog.Plan, most int) history.LeftOut {
	return history.LeftOut{Packages: len(p.LeftOut), First: append([]catalog.PlanLeftOut{}, p.LeftOut[:min(len(p.LeftOut), most)]...)}
}

// RollBack implements [history.Source].
func (a apiHistory) RollBack(ctx context.Context, b history.Back, most int, wait time.Duration) (result history.Result, err error) {
	r, now, err := a.rollingBack(ctx, b)
	if err != nil {
		return result, err
	}
	done, err := r.change(ctx, a.db, now, func(p catalog.Plan) error {
		if b.Digest == "" || b.Digest == p.Digest || len(p.Items) == 0 { // nothing differs from that time
			return nil
		}
		return errMoved
	})
	if err != nil {
		return result, a.answer(ctx, r, done.refused, err)
	}
	result = history.Result{Target: r.target.String(), To: r.args.To, Withdrawn: len(done.withdrawn.Packages), Restored: len(done.restored.Packages), LeftOut: leftOutOf(done.plan, most)}
	revisions, err := revisionsOf(ctx, a.db, r.target)
	if err != nil {
		return result, nil // it is recorded
	}
	if result.Published = seenRevisions(ctx, a.db, r.target.Repository, revisions, wait); result.Published {
		err = a.undone(ctx, done)
	}
	return result, err
}

// rollingBack returns the rollback that a caller wants, and the catalog's time.
func (a apiHistory) rollingBack(ctx context.Context, b history.Back) (r *rollingBack, now time.Time, err error) {
	if now, err = a.db.Clock(ctx); err != nil {
		return nil, now, err
	}
	r = &rollingBack{target: b.Target, args: rollbackArgs{b.To, b.Partial}, by: catalog.ActorOf(ctx)}
	if r.to, err = apiPoint("to", b.To, now); err == nil && r.to.Revision == 0 && r.to.Snapshot == "" {
		r.args.To = r.to.At.Format(time.RFC3339)
	}
	return r, now, err
}

// apiPoint reads a point of a field.
func apiPoint(field, text string, now time.Time) (p catalogdb.Point, err error) {
	if p, err = parsePoint(text); err != nil {
		return p, api.Invalid(field, "use "+pointForms)
	}
	if p.At.After(now) {
		return p, api.Invalid(field, fmt.Sprintf("it is %s now: name an earlier time", now.UTC().Format(time.RFC3339)))
	}
	return p, nil
}

// undone returns an error if what a rollback changed was changed back before clients saw it, as another rollback at the same time does.
func (a apiHistory) undone(ctx context.Context, done rolledBack) error {
	for _, of := range []struct {
		packages []catalog.Package
		want     catalog.PackageState
	}{{done.withdrawn.Packages, catalog.Yanked}, {done.restored.Packages, catalog.Active}} {
		other, err := a.db.NotInState(ctx, of.packages, of.want)
		if err == nil && other != nil {
			return api.Conflict(fmt.Sprintf("recorded, and undone since: %s is %s now", nameOf(*other), other.State))
		}
	}
	return nil
}

// answer returns an error of the catalog about a rollback as the caller reads it.
func (a apiHistory) answer(ctx context.Context, r *rollingBack, refused, err error) error {
	if gone, is := errors.AsType[*goneError](refused); is {
		return api.Conflict(gone.with("add partial=yes to go back without them, and to see all in the plan"))
	}
	if refused != nil && errors.Is(refused, errMoved) {
		return api.Conflict(refused.Error() + "; ask for a new plan")
	}
	if wrong, _ := r.wrongPoint(ctx, a.db, err); wrong != nil {
		return api.Invalid("to", wrong.Error())
	}
	return a.unknown(ctx, r.target, err)
}

// unknown returns an error of the catalog that is not about a point. It names no other repository.
func (a apiHistory) unknown(ctx context.Context, t catalog.PackageTarget, err error) error {
	if isRefusal(err) {
		return api.Conflict(err.Error())
	}
	if !errors.Is(err, catalogdb.ErrNotFound) {
		return whileRecovering(err)
	}
	if _, err := a.db.Settings(ctx, t.Repository); err != nil {
		return err // there is no such repository, or it is not known now
	}
	switch why := client.WhyNothing(ctx, a.db, t.String()); {
	case command.CodeOf(why) == command.Unreachable:
		return why
	case why != nil:
		return api.NotFound(why.Error())
	case t.Whole():
		return api.NotFound(t.String() + " has no releases")
	}
	return api.NotFound("there is no distribution " + t.Distribution.String() + " in " + t.Repository.String())
}
