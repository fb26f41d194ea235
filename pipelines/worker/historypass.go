package worker

import (
	"cmp"
	"context"
	"time"

	"repomill/pipelines"
	"repomill/schemas/catalogdb"
)

// forgetHistory removes from the catalog what happened so long ago that no one asks for it any more. What an error leaves is removed by a later
// pass.
func (d *Dispatcher) forgetHistory(ctx context.Context) {
	r := d.Resources
	f, err := r.Catalog.ForgetHistory(ctx, time.Now().Add(-cmp.Or(r.Config.History, pipelines.DefaultHistory)))
	if f != (catalogdb.Forgotten{}) {
		r.Log.Info("old history removed from the catalog", "uploads", f.Uploads, "trains", f.Trains, "revisions", f.Publications, "pairs", f.Pairs, "changes", f.Audit)
	}
	if err != nil && ctx.Err() == nil {
		r.Log.Error("old history not removed from the catalog; will be tried again", "error", err)
	}
	d.nameOldTrains(ctx)
}

// nameOldTrains logs the release trains that are open for so long that they may have been forgotten: what they hold is not removed.
func (d *Dispatcher) nameOldTrains(ctx context.Context) {
	r := d.Resources
	old, err := r.Catalog.OldTrains(ctx, time.Now())
	if err != nil && ctx.Err() == nil {
		r.Log.Error("old release trains not listed; will be tried again", "error", err)
	}
	for _, t := range old {
		r.Log.Error("a release train is open for more than a month: publish or drop it; until then its files stay in staging", "train", t.Train.String(), "opened", t.Opened.UTC().Format(time.DateOnly))
	}
}
