package worker

import "context"

// advancePhases makes the steps of phases that are due by the catalog's clock. The releases are published as after any change.
func (d *Dispatcher) advancePhases(ctx context.Context) {
	r := d.Resources
	now, err := r.Catalog.Clock(ctx)
	steps := 0
	if err == nil {
		steps, err = r.Catalog.AdvancePhases(ctx, now)
	}
	if steps > 0 {
		r.Log.Info("phases advanced", "steps", steps)
	}
	if err != nil && ctx.Err() == nil {
		r.Log.Error("phases not advanced; will be tried again", "error", err)
	}
}
