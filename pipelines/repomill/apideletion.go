package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/pipelines/command"
	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/deletion"
)

// apiDeletion deletes and brings back for callers of the API, in the catalog alone: workers publish it, and remove the objects.
type apiDeletion struct{ db *catalogdb.DB }

// preview returns what a deletion of a target would do, if it exists.
func (a apiDeletion) preview(ctx context.Context, t catalog.PackageTarget) (catalogdb.DeletionPreview, error) {
	p, err := a.db.PreviewDeletion(ctx, t)
	if err != nil {
		return p, err
	}
	return p, noPart(checkThere(p.Settings, t))
}

// noPart is the answer to a call about a distribution or component that a repository does not have. err is that of [checkThere].
func noPart(err error) error {
	switch {
	case err == nil:
		return nil
	case command.CodeOf(err) == command.Misused:
		return api.Invalid("component", err.Error())
	}
	return api.NotFound(err.Error())
}

// State implements [deletion.Source].
func (a apiDeletion) State(ctx context.Context, t catalog.PackageTarget, grace time.Duration) (s deletion.State, err error) {
	p, err := a.preview(ctx, t)
	if err != nil {
		return s, err
	}
	digest := ""
	if p.Settings.DeletedPart(t) == nil && p.Refused == nil {
		of, selected, err := a.db.PlanDeletion(ctx, t)
		if err == nil {
			p = of
			var plan catalog.Plan
			plan, _, err = (&deleting{target: t, grace: grace}).plan(of, selected)
			digest = plan.Digest
		}
		_, recovering := errors.AsType[*catalogdb.RecoveringError](err)
		if err != nil && !recovering && !errors.Is(err, catalogdb.ErrTooMany) { // no plan has so many, or those that are not known yet: the digest is left out
			return s, a.answer(ctx, t, err)
		}
	}
	states, err := a.db.ReleasesOf(ctx, t.Repository)
	if err != nil {
		return s, err
	}
	s = deletionState(t, p, p.Settings)
	s.Published, s.Digest = true, digest
	for _, r := range states {
		if t.Whole() || r.Release.Distribution == t.Distribution {
			s.Published = s.Published && r.Published >= r.Revision.Number
		}
	}
	return s, nil
}

// deletionState describes a target whose repository has settings.
func deletionState(t catalog.PackageTarget, p catalogdb.DeletionPreview, of catalog.Settings) deletion.State {
	s := deletion.State{Target: t.String(), Packages: p.Packages, Files: p.Files, Bytes: p.Bytes, Snapshots: p.Snapshots, Parts: []deletion.Part{}}
	if in, del := of.DeletedTarget(t.Distribution, t.Component); del != nil {
		s.Deleted = deletionOf(in, *del)
	}
	for _, part := range of.DeletedParts {
		if within := part.Target(t.Repository); within != t && (t.Whole() || within.WithoutComponent() == t) {
			s.Parts = append(s.Parts, deletion.Part{Target: within.String(), Deletion: part.Deletion})
		}
	}
	return s
}

func deletionOf(t catalog.PackageTarget, del catalog.Deletion) *deletion.Deletion {
	return &deletion.Deletion{Part: deletion.Part{Target: t.String(), Deletion: del}, Sentence: fmt.Sprintf("%s %s: %s", t.Kind(), t, del)}
}

// Delete implements [deletion.Source].
func (a apiDeletion) Delete(ctx context.Context, t catalog.PackageTarget, grace time.Duration, digest string, wait time.Duration) (state deletion.State, err error) {
	p, err := a.preview(ctx, t)
	if err != nil {
		return state, err
	}
	now, err := a.db.Clock(ctx)
	if err != nil {
		return state, err
	}
	var refused error
	var agree func(catalogdb.DeletionPreview, catalogdb.Selected) error
	if digest != "" {
		agree = func(of catalogdb.DeletionPreview, s catalogdb.Selected) error {
			var plan catalog.Plan
			if plan, _, refused = (&deleting{target: t, grace: grace}).plan(of, s); refused == nil && plan.Digest != digest {
				refused = errMoved
			}
			return refused
		}
	}
	s, revisions, err := a.db.DeleteAs(ctx, t, grace, now, digest, agree)
	switch {
	case err != nil && refused != nil && errors.Is(err, refused):
		return state, api.Conflict(refused.Error() + "; ask for the state, and send its digest")
	case errors.Is(err, catalogdb.ErrTooMany): // no state has a digest of so many
		return state, api.Conflict(err.Error() + "; send no digest")
	case err != nil:
		return state, a.answer(ctx, t, err)
	}
	was := s.DeletedPart(t)
	seen, err := soonSeen(ctx, wait, func(ctx context.Context) (string, error) { return deletionMissing(ctx, a.db, t, *was, revisions) })
	if err != nil {
		return state, err
	}
	if now, err := a.db.Settings(ctx, t.Repository); err == nil {
		s = now
	}
	state = deletionState(t, p, s)
	if state.Deleted == nil { // nothing is left of it
		state.Deleted = deletionOf(t, *was)
	}
	state.Published = seen
	return state, nil
}

// Undelete implements [deletion.Source].
func (a apiDeletion) Undelete(ctx context.Context, t catalog.PackageTarget, wait time.Duration) (state deletion.State, err error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return state, err
	}
	s, revisions, err := a.db.Undelete(ctx, t, now)
	if err != nil {
		return state, a.answer(ctx, t, err)
	}
	seen, err := soonSeen(ctx, wait, func(ctx context.Context) (string, error) { return publishMissing(ctx, a.db, t.Repository, revisions) })
	if err != nil {
		return state, err
	}
	p, err := a.db.PreviewDeletion(ctx, t)
	if err != nil {
		return state, err
	}
	state = deletionState(t, p, s)
	state.Published = seen
	return state, nil
}

// answer returns an error of the catalog about a target as the caller reads it.
func (a apiDeletion) answer(ctx context.Context, t catalog.PackageTarget, err error) error {
	if refused := refusedDeletion(t, err); refused != nil {
		return api.Conflict(refused.Error())
	}
	if s, has := a.db.Settings(ctx, t.Repository); has == nil && errors.Is(err, catalogdb.ErrNotFound) {
		if part := noPart(checkThere(s, t)); part != nil {
			return part
		}
	}
	return whileRecovering(err)
}
