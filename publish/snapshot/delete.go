package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// Delete deletes a snapshot, or what an interrupted [Snapshots.Create] left of one. One that is gone is a success. The record, which
// holds what the snapshot names, goes last: until then a repeat finds what is left, and clients that have read a pointer find its
// indexes for at least an hour more, the time between the two passes of collection.
func (s *Snapshots) Delete(ctx context.Context, r catalog.Repository, id string) error {
	if err := s.remove(ctx, r, id); err != nil {
		return fmt.Errorf("delete snapshot %.100s of %s: %w", id, r, err)
	}
	return nil
}

func (s *Snapshots) remove(ctx context.Context, r catalog.Repository, id string) error {
	if _, ok := layout.ParseSnapshotID(id); !ok {
		return errors.New("that is not an identifier, which is a time in UTC, such as 20261129T021500Z")
	}
	version, err := s.markDeleting(ctx, r, id)
	if err != nil {
		return err
	}
	if err := s.enlist(ctx, r, id); err != nil {
		return err
	}
	if err := s.removeObjects(ctx, r, id); err != nil || version == "" {
		return err
	}
	return s.bucket.Delete(ctx, layout.SnapshotKey(r, id), version)
}

// markDeleting writes into the record that the snapshot is being deleted, and returns its version; the empty one if there is no record.
func (s *Snapshots) markDeleting(ctx context.Context, r catalog.Repository, id string) (layout.Version, error) {
	for range maxAttempts {
		found, v, err := tree.ReadSnapshot(ctx, s.bucket, r, id)
		if errors.Is(err, fs.ErrNotExist) {
			return "", nil
		}
		if err != nil || found.Deleting {
			return v, err
		}
		found.Deleting = true
		if v, err = s.swapRecord(ctx, r, found, v); !errors.Is(err, layout.ErrConflict) {
			return v, err
		}
	}
	return "", layout.ErrConflict
}

// swapRecord replaces a version of a record.
func (s *Snapshots) swapRecord(ctx context.Context, r catalog.Repository, next tree.Snapshot, v layout.Version) (layout.Version, error) {
	body, err := json.MarshalIndent(next, "", " ")
	if err != nil {
		return "", err
	}
	return s.bucket.Swap(ctx, v, layout.ObjectOf(layout.SnapshotKey(r, next.ID)), bytes.NewReader(append(body, '\n')))
}

// removeObjects removes all objects of a snapshot but the record.
func (s *Snapshots) removeObjects(ctx context.Context, r catalog.Repository, id string) error {
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	err := s.bucket.List(ctx, layout.SnapshotDir(r, id), func(key string, _ layout.Meta) error {
		g.Go(func() error {
			v, err := tree.VersionOf(working, s.bucket, key)
			if err != nil || v == "" {
				return err
			}
			return s.bucket.Delete(working, key, v)
		})
		return nil
	})
	return errors.Join(err, g.Wait())
}
