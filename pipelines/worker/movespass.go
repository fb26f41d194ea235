package worker

import "context"

// finishMoves withdraws packages that were moved from where they were, as soon as clients see their copies, has that published, and
// reports whether there were any.
func (d *Dispatcher) finishMoves(ctx, work context.Context) (any bool) {
	r := d.Resources
	for ctx.Err() == nil {
		n, err := r.Catalog.FinishMoves(ctx, r.Now(ctx))
		if n > 0 {
			any = true
			r.Log.Info("moves finished", "moves", n)
		}
		if err != nil && ctx.Err() == nil {
			r.Log.Error("packages that were moved not withdrawn; will be tried again", "error", err)
		}
		if n == 0 || err != nil {
			break
		}
	}
	if any {
		d.publishLeft(ctx, work)
	}
	return any
}
