package worker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/pipelines"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	// maxRemovals bounds how many objects are removed from staging at the same time.
	maxRemovals = 8
	// verdictTime is how long a verdict lies in staging at least, so that a pusher who waits for it reads it.
	verdictTime = 5 * time.Second
	// cleanPage is how many finished uploads are asked for at a time.
	cleanPage = 500
)

// cleanExpired removes from staging the uploads that got their verdict longer ago than the retention period.
func (d *Dispatcher) cleanExpired(ctx context.Context) {
	r := d.Resources
	before := time.Now().Add(-cmp.Or(r.Config.Retention, pipelines.DefaultRetention))
	d.removeAll(ctx, &d.expiredFailed, func(skip int) ([]catalog.Upload, error) {
		return r.Catalog.Expired(ctx, r.Staging.Name(), before, skip, cleanPage)
	})
}

// cleanDoomed removes from staging the packages whose published files are removed.
func (d *Dispatcher) cleanDoomed(ctx context.Context) {
	r := d.Resources
	before := r.Now(ctx).Add(-verdictTime)
	d.removeAll(ctx, &d.doomedFailed, func(skip int) ([]catalog.Upload, error) {
		return r.Catalog.Doomed(ctx, r.Staging.Name(), before, skip, cleanPage)
	})
}

// removeAll removes finished uploads from staging, until next returns no more, or none can be removed. Those that cannot keep no other
// one there: they are counted in failed, and next skips them, also in the next pass; the one after its end begins again.
func (d *Dispatcher) removeAll(ctx context.Context, failed *int, next func(skip int) ([]catalog.Upload, error)) {
	r := d.Resources
	for ctx.Err() == nil {
		uploads, err := next(*failed)
		if err != nil && ctx.Err() == nil {
			r.Log.Error("finished uploads not read", "error", err)
		}
		var removed atomic.Int64
		var g errgroup.Group
		g.SetLimit(maxRemovals)
		for _, u := range uploads {
			g.Go(func() error {
				err := d.removeStaged(ctx, u)
				if err == nil {
					removed.Add(1)
				} else if ctx.Err() == nil {
					r.Log.Error("finished upload not removed from staging; will be tried again", "upload", u.String(), "error", err)
				}
				return nil
			})
		}
		g.Wait() //nolint:errcheck // they are logged
		*failed += len(uploads) - int(removed.Load())
		if len(uploads) < cleanPage {
			*failed = 0
			return
		}
		if removed.Load() == 0 {
			return
		}
	}
}

// removeStaged removes the staged object of a finished upload, then its verdict object. A crash before the end leaves the
// upload as one that is to be removed: all of it is repeated, and an object that is gone already is not a fault.
func (d *Dispatcher) removeStaged(ctx context.Context, u catalog.Upload) error {
	r := d.Resources
	if err := r.Staging.Delete(ctx, u); err != nil {
		return err
	}
	if err := d.removeVerdict(ctx, u); err != nil {
		return err
	}
	return r.Catalog.Unstaged(ctx, u)
}

// removeVerdict removes the verdict object of an upload, unless it is that of another generation of its name.
func (d *Dispatcher) removeVerdict(ctx context.Context, u catalog.Upload) error {
	r := d.Resources
	for {
		body, version, err := r.Staging.Verdict(ctx, u.Object)
		if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read verdict: %w", err)
		}
		var there catalog.Verdict
		if json.Unmarshal(body, &there) != nil || there.Generation != u.Generation {
			return nil
		}
		if err := r.Staging.DeleteVerdict(ctx, u.Object, version); !errors.Is(err, layout.ErrConflict) {
			return err
		}
	}
}
