package main

import (
	"context"
	"errors"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
)

// apiPromotions asks for the copies that callers of the API want, in the catalog alone: workers make them.
type apiPromotions struct{ db *catalogdb.DB }

// Promote implements [packagecloud.Promotions].
func (a apiPromotions) Promote(ctx context.Context, k catalog.Package, to catalog.Repository, move bool, by api.Principal, wait time.Duration) (catalog.Upload, catalog.Verdict, error) {
	place := k.Place()
	place.Repository = to
	now, err := a.db.Clock(ctx)
	if err != nil {
		return catalog.Upload{}, catalog.Verdict{}, err
	}
	wish := catalogdb.Wish{Source: k, To: place}
	if move {
		wish.Withdraw = catalogdb.MovedTo + place.String()
	}
	uploads, err := a.db.Promote(catalog.WithActor(ctx, by.Actor()), []catalogdb.Wish{wish}, now)
	if err != nil {
		return catalog.Upload{}, catalog.Verdict{}, err
	}
	v, err := a.Promoted(ctx, uploads[0], wait)
	if errors.Is(err, context.Canceled) || err == nil {
		return uploads[0], v, nil
	}
	return uploads[0], catalog.Verdict{State: catalog.Received}, nil // it is recorded, and the call can ask later
}

// Promoted implements [packagecloud.Promotions].
func (a apiPromotions) Promoted(ctx context.Context, u catalog.Upload, wait time.Duration) (v catalog.Verdict, err error) {
	for end := time.Now().Add(wait); ; {
		if v, err = a.db.Verdict(ctx, u); err != nil || v.Settled() || time.Now().After(end) {
			return v, err
		}
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-time.After(changePeriod):
		}
	}
}
