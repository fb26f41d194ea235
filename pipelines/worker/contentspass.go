package worker

import (
	"context"
	"time"

	"repomill/pipelines"
)

const (
	contentsPause  = 50 * time.Millisecond // between two packages
	contentsOnce   = 2 * time.Minute       // for the contents of a dispatcher that runs once
	contentsEnding = 5 * time.Second       // to give back a package
	contentsDelay  = 30 * time.Second      // between two packages while many uploads wait
)

// contentsBehind reads the contents of packages that pages want, one after the other, and fewer while many uploads wait. When ctx ends,
// it stops and leaves the rest to other workers. Nothing waits for it.
func (d *Dispatcher) contentsBehind(ctx context.Context) {
	if d.Once {
		return // at the end
	}
	var last time.Time
	again := func() bool { return d.wantSkipped(ctx) }
	every(ctx, catchUpPeriod, nil, func() {
		if again != nil && again() {
			again = nil
		}
		for ctx.Err() == nil && (!d.queue.crowded() || time.Since(last) >= contentsDelay) && d.readNext(ctx) {
			last = time.Now()
			select {
			case <-time.After(contentsPause):
			case <-ctx.Done():
			}
		}
	})
}

// wantSkipped asks again for what an earlier, lower limit left out. It reports whether the catalog has done that.
func (d *Dispatcher) wantSkipped(ctx context.Context) bool {
	r := d.Resources
	return r.Config.MaxContents == 0 || r.Catalog.WantSkippedContents(ctx, r.Config.MaxContents, r.Now(ctx)) == nil
}

// readNext reads the contents of one package, and reports whether there was one and the next may follow.
func (d *Dispatcher) readNext(ctx context.Context) (more bool) {
	r := d.Resources
	w, taken, err := r.TakeContents(ctx)
	if err != nil && ctx.Err() == nil {
		r.Log.Error("packages whose contents are wanted not read; tried again soon", "error", err)
	}
	if err != nil || !taken {
		return false
	}
	err = pipelines.RunContents(ctx, d.Run, r.Config, w)
	if err != nil && ctx.Err() != nil { // perhaps before the pipeline had begun
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), contentsEnding)
		defer cancel()
		err = r.Catalog.ReturnContents(ending, w, r.Now(ending))
	}
	if err != nil {
		r.Log.Error("contents of a package not read; tried again later", "repository", w.Repository.String(), "package", w.Name, "version", w.Version, "error", err)
	}
	return err == nil
}

// contentsAtEnd reads the contents that are wanted, for a dispatcher that runs once, and reports whether there were any. What takes
// longer than it may is left to other workers.
func (d *Dispatcher) contentsAtEnd(work context.Context) (any bool) {
	ctx, stop := context.WithTimeout(work, contentsOnce)
	defer stop()
	d.wantSkipped(ctx)
	for ctx.Err() == nil && d.readNext(ctx) {
		any = true
	}
	return any
}
