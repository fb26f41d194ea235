package queue

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// A Dir watches a staging folder. A file is an event when its writer closes it, or when it is moved in; an incomplete
// file is not. Folders that cannot be watched are polled every pollPeriod. No content of the folder ends the watch.
type Dir struct {
	Log *slog.Logger // slog.Default unless it is set before Receive

	staging   *file.Staging
	unwatched atomic.Int64
}

// NewDir returns the source of a staging folder.
func NewDir(s *file.Staging) *Dir { return &Dir{staging: s, Log: slog.Default()} }

// Unwatched returns the number of folders that are polled, because the kernel does not watch them.
func (d *Dir) Unwatched() int64 { return d.unwatched.Load() }

// poll lists all of staging in every period, and delivers each new generation.
func (d *Dir) poll(ctx context.Context, period time.Duration, f func(Event)) error {
	d.unwatched.Store(1)
	seen := map[string]string{}
	tick := time.NewTicker(period)
	defer tick.Stop()
	for {
		there := map[string]string{}
		err := d.staging.List(ctx, time.Now(), func(u catalog.Upload) {
			there[u.Object] = u.Generation
			if seen[u.Object] != u.Generation {
				f(Event{Upload: u})
			}
		})
		if err != nil && ctx.Err() == nil {
			d.Log.Warn("cannot list staging folder, trying again", "folder", d.staging.Path(), "error", err)
		} else {
			seen = there
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
