//go:build !linux

package queue

import (
	"context"
	"fmt"
	"time"

	"repomill/pipelines/objects"
	"repomill/schemas/catalog"
)

// A Dir polls a staging folder: a file is news when it was left alone for a while.
type Dir struct {
	staging *objects.FileStaging
}

// NewDir returns the source of a staging folder.
func NewDir(s *objects.FileStaging) *Dir { return &Dir{s} }

// Receive implements [Source].
func (d *Dir) Receive(ctx context.Context, f func(catalog.Upload)) error {
	seen := map[string]string{}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		_, err := d.staging.List(ctx, ".", time.Now(), func(u catalog.Upload) {
			if seen[u.Object] != u.Generation {
				seen[u.Object] = u.Generation
				f(u)
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
