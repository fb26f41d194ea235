package snapshot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// readList reads the list of a repository's snapshots; an empty one if there is none.
func (s *Snapshots) readList(ctx context.Context, r catalog.Repository) (list catalog.SnapshotList, v layout.Version, err error) {
	key := layout.SnapshotListKey(r)
	body, meta, err := tree.ReadSmall(ctx, s.bucket, key)
	list.Repository = r
	if err != nil || meta.Version == "" {
		return list, "", err
	}
	if err := json.Unmarshal(body, &list); err != nil || list.Repository != r {
		return list, meta.Version, fmt.Errorf("read %s: it is not the list of the snapshots of %s: remove that object; it is made of the records again", key, r)
	}
	return list, meta.Version, nil
}

// changeList changes the list until it is as change has it. change gets the present entries and may be called several times.
func (s *Snapshots) changeList(ctx context.Context, r catalog.Repository, change func([]catalog.SnapshotName) ([]catalog.SnapshotName, error)) error {
	for range maxAttempts {
		list, v, err := s.readList(ctx, r)
		if err != nil {
			return err
		}
		next, err := change(slices.Clone(list.Snapshots))
		if err != nil || slices.Equal(next, list.Snapshots) {
			return err
		}
		list.Snapshots = append([]catalog.SnapshotName{}, next...)
		body, err := json.Marshal(list)
		if err != nil {
			return err
		}
		_, err = s.bucket.Swap(ctx, v, layout.ObjectOf(layout.SnapshotListKey(r)), bytes.NewReader(append(body, '\n')))
		if err == nil {
			continue // and look once more: a record may have come or gone since it was read
		}
		if !errors.Is(err, layout.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w", layout.SnapshotListKey(r), layout.ErrConflict)
}

// enlist makes the list say of one snapshot what its record says. The record is read each time: a snapshot may be deleted at this moment.
func (s *Snapshots) enlist(ctx context.Context, r catalog.Repository, id string) error {
	return s.changeList(ctx, r, func(all []catalog.SnapshotName) ([]catalog.SnapshotName, error) {
		found, _, err := tree.ReadSnapshot(ctx, s.bucket, r, id)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		all = slices.DeleteFunc(all, func(n catalog.SnapshotName) bool { return n.ID == id })
		if err == nil && !found.Deleting {
			all = append(all, catalog.SnapshotName{ID: id, Name: found.Name})
		}
		return sorted(all), nil
	})
}

// Relist makes the list of a repository's snapshots of their records, and ends deletions that were interrupted. A repository whose list
// is right is not written to.
func (s *Snapshots) Relist(ctx context.Context, r catalog.Repository) error {
	records, err := s.List(ctx, r)
	if err != nil {
		return fmt.Errorf("list snapshots of %s: %w", r, err)
	}
	for _, one := range records {
		if one.Deleting {
			if err := s.Delete(ctx, r, one.ID); err != nil {
				return err
			}
		}
	}
	return s.changeList(ctx, r, func([]catalog.SnapshotName) (all []catalog.SnapshotName, err error) {
		records, err := s.List(ctx, r)
		for _, one := range records {
			if !one.Deleting {
				all = append(all, catalog.SnapshotName{ID: one.ID, Name: one.Name})
			}
		}
		return sorted(all), err
	})
}

func sorted(all []catalog.SnapshotName) []catalog.SnapshotName {
	slices.SortFunc(all, func(a, b catalog.SnapshotName) int { return strings.Compare(a.ID, b.ID) })
	return all
}
