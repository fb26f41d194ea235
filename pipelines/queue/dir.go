package queue

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// A Dir watches a staging folder: a file is an event when a writer closes it or it is moved in. A half-copied
// file is none. Nothing that lies in the folder ends the watch: what cannot be watched is looked through
// again and again.
type Dir struct {
	Log *slog.Logger // slog.Default unless it is set before Receive

	staging   *file.Staging
	unwatched atomic.Int64
}

// NewDir returns the source of a staging folder.
func NewDir(s *file.Staging) *Dir { return &Dir{staging: s, Log: slog.Default()} }

// Unwatched returns how many folders are looked through in turn, because nobody says what happens in them.
func (d *Dir) Unwatched() int64 { return d.unwatched.Load() }

// poll looks through all of staging in turn.
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
			d.Log.Error("the staging folder cannot be listed; this is tried again", "folder", d.staging.Path(), "error", err)
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
