//go:build !linux

package queue

import (
	"context"
	"fmt"
	"time"

	"repomill/pipelines/objects/file"
	"repomill/schemas/catalog"
)

// A Dir polls a staging folder: a file is news when it was left alone for a while.
type Dir struct {
	staging *file.Staging
}

// NewDir returns the source of a staging folder.
func NewDir(s *file.Staging) *Dir { return &Dir{s} }

// Receive implements [Source].
func (d *Dir) Receive(ctx context.Context, f func(Event)) error {
	seen := map[string]string{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		err := d.staging.List(ctx, time.Now(), func(u catalog.Upload) {
			if seen[u.Object] != u.Generation {
				seen[u.Object] = u.Generation
				f(Event{Upload: u})
			}
		})
		if err != nil && ctx.Err() == nil {
			return fmt.Errorf("watch %s: %w", d.staging.Path(), err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
