package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/trains"
)

// apiTrains asks for what callers of the API want of release trains, in the catalog alone: workers do it.
type apiTrains struct{ db *catalogdb.DB }

// Trains implements [trains.Source].
func (a apiTrains) Trains(ctx context.Context, owner string) ([]catalog.Train, error) {
	return a.db.Trains(ctx, owner)
}

// Train implements [trains.Source].
func (a apiTrains) Train(ctx context.Context, n catalog.TrainName) (catalog.TrainReport, error) {
	r, err := reportTrain(ctx, a.db, n)
	return r, a.answer(n, err)
}

// Plan implements [trains.Source].
func (a apiTrains) Plan(ctx context.Context, n catalog.TrainName) (catalog.TrainPlan, error) {
	t, members, err := a.db.Train(ctx, n)
	if err != nil {
		return catalog.TrainPlan{}, a.answer(n, err)
	}
	if t.State != catalog.TrainOpen {
		return catalog.TrainPlan{Train: n, State: t.State, Releases: []catalog.TrainRelease{}}, nil
	}
	p, err := newTrainPlan(ctx, a.db, t, members)
	return p.TrainPlan, err
}

// Publish implements [trains.Source].
func (a apiTrains) Publish(ctx context.Context, n catalog.TrainName, at time.Time, digest string, wait time.Duration) (seen bool, err error) {
	if !at.IsZero() {
		now, err := a.db.Clock(ctx)
		if err != nil {
			return false, err
		}
		if !at.After(now) {
			return false, api.Invalid("at", fmt.Sprintf("it is %s now by the catalog's clock: name a later time, or leave it out", now.UTC().Format(time.RFC3339)))
		}
	}
	t, members, err := a.db.Train(ctx, n)
	if err != nil {
		return false, a.answer(n, err)
	}
	if t.State != catalog.TrainGone || digest != "" && digest != t.Planned { // else a repeat waits for what is there
		ask := catalogdb.TrainAsk{At: at, Planned: digest}
		if digest != "" {
			settings, err := settingsOf(ctx, a.db, members)
			if err != nil {
				return false, err
			}
			ask.Check = func(members []catalog.TrainMember) error {
				now, err := heldPlan(n, members, settings)
				if err == nil && now.Digest != digest {
					err = api.Conflict("release train " + n.String() + " does not hold what that plan says, and nothing is changed: ask for a new plan")
				}
				return err
			}
		}
		if err := a.db.AskTrain(ctx, n, ask); err != nil {
			return false, a.answer(n, err)
		}
	}
	if !at.IsZero() {
		return false, nil
	}
	return a.seen(ctx, n, wait)
}

// seen waits until clients see all packages of a train.
func (a apiTrains) seen(ctx context.Context, n catalog.TrainName, wait time.Duration) (bool, error) {
	for end := time.Now().Add(wait); ; {
		t, err := a.db.TrainState(ctx, n)
		switch {
		case err != nil:
			return false, a.answer(n, err)
		case t.State == catalog.TrainDropped, t.State == catalog.TrainOpen && t.NotBefore == nil:
			if len(t.Faults) > 0 {
				return false, a.answer(n, &catalogdb.TrainRefusal{Faults: t.Faults})
			}
			return false, api.Conflict("release train " + n.String() + " was dropped, or is not to be published any more, since this call began")
		case t.State == catalog.TrainGone:
			if s, err := a.db.TrainSpread(ctx, n); err == nil && s.Whole() {
				return true, nil
			}
		}
		if time.Now().After(end) {
			return false, nil // it is recorded
		}
		select {
		case <-ctx.Done():
			return false, nil
		case <-time.After(changePeriod):
		}
	}
}

// Cancel implements [trains.Source].
func (a apiTrains) Cancel(ctx context.Context, n catalog.TrainName) error {
	_, err := a.db.CancelTrain(ctx, n)
	return a.answer(n, err)
}

// Drop implements [trains.Source].
func (a apiTrains) Drop(ctx context.Context, n catalog.TrainName, d trains.Drop, wait time.Duration) (dropped []catalog.TrainUpload, removed bool, err error) {
	members, err := a.db.DropTrain(ctx, n, catalogdb.TrainDrop{All: len(d.Packages) == 0 && !d.Rejected, Rejected: d.Rejected, Patterns: d.Packages})
	if err != nil {
		return nil, false, a.answer(n, err)
	}
	for _, m := range members {
		dropped = append(dropped, uploadOf(m))
	}
	for end := time.Now().Add(wait); ; {
		left, err := leftOf(ctx, a.db, members)
		if err == nil && len(left) == 0 {
			return dropped, true, nil
		}
		if time.Now().After(end) {
			return dropped, false, nil
		}
		select {
		case <-ctx.Done():
			return dropped, false, nil
		case <-time.After(changePeriod):
		}
	}
}

// answer returns an error of the catalog about a train as the caller reads it.
func (a apiTrains) answer(n catalog.TrainName, err error) error {
	_, isRefused := errors.AsType[*catalogdb.TrainRefusal](err)
	_, isUnmatched := errors.AsType[*catalogdb.UnmatchedError](err)
	switch {
	case err == nil:
		return nil
	case errors.Is(err, catalogdb.ErrNotFound):
		return catalog.ErrNotFound
	case isRefused, isUnmatched, errors.Is(err, catalogdb.ErrTrainPublished), errors.Is(err, catalogdb.ErrTrainGoing), errors.Is(err, catalogdb.ErrTrainBusy),
		errors.Is(err, catalogdb.ErrTooMany), errors.Is(err, catalogdb.ErrNothingHeld):
		return api.Conflict(trainError(n, err).Error())
	}
	return err
}
