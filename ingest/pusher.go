package ingest

import (
	"context"
	"errors"
	"time"

	"repomill/schemas/catalog"
)

// pusherLimit is how long the catalog may take to record a pusher after the time of an attempt ran out.
const pusherLimit = 5 * time.Second

// recordPusher records who pushed an upload that makes no claim, as one that is rejected, or whose attempt failed with err: a claim
// records it by itself, which costs no statement more. It returns err, or the fault of the catalog in place of an outcome: the next
// attempt records the pusher. A program that stops leaves it to the next attempt, too.
func (g *Ingester) recordPusher(ctx context.Context, u catalog.Upload, by catalog.Pusher, err error) error {
	if by == (catalog.Pusher{}) || errors.Is(ctx.Err(), context.Canceled) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pusherLimit)
	defer cancel()
	failed := g.Catalog.RecordPusher(ctx, u, by)
	if _, rejected := errors.AsType[*catalog.Rejection](err); failed != nil && (err == nil || rejected) {
		return failed
	}
	return err
}

// recordUnread records who pushed an upload that is rejected for its name, and returns the rejection. If its object is
// gone, the pusher stays unknown.
func (g *Ingester) recordUnread(ctx context.Context, u catalog.Upload, rej *catalog.Rejection) error {
	body, by, err := g.Staging.Open(ctx, u)
	if err == nil {
		defer body.Close()
	}
	return g.recordPusher(ctx, u, by, rej)
}
