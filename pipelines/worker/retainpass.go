package worker

import "context"

// applyRetention withdraws what no rule keeps of the distributions whose rules are automatic and due. Their releases are published as
// others are that are behind.
func (d *Dispatcher) applyRetention(ctx context.Context) {
	if err := d.Resources.ApplyRetention(ctx); err != nil && ctx.Err() == nil {
		d.Resources.Log.Error("rules of retention not applied; will be tried again", "error", err)
	}
}
