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
	"time"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Request asks for a snapshot.
type Request struct {
	Repository catalog.Repository
	ID         string     // a time of the last hour, by the store's clock: [layout.SnapshotID]
	Name       string     // may be empty
	By, Why    string     // who took it, and what for
	Until      *time.Time // when it may be deleted; nil: when its owner says so
	Automatic  bool
	Releases   []catalog.Release // of the repository; those that were never published are left out
}

// Create takes a snapshot of the live pointers of releases, and returns its record. It verifies that each pointer, its signatures and its
// indexes belong together. A repeat of the same request, also by another process at the same time, ends with the same snapshot; one for
// other releases, or with other words, is [ErrExists].
//
// A crash before the end leaves copies of pointers without a record, which a repeat within an hour of the identifier takes over, and
// which [Snapshots.Delete] or collection removes.
func (s *Snapshots) Create(ctx context.Context, q Request) (tree.Snapshot, error) {
	done, err := s.create(ctx, q)
	if err != nil {
		return tree.Snapshot{}, fmt.Errorf("take snapshot %.100s of %s: %w", q.ID, q.Repository, err)
	}
	return done, nil
}

func (s *Snapshots) create(ctx context.Context, q Request) (tree.Snapshot, error) {
	if err := q.check(); err != nil {
		return tree.Snapshot{}, err
	}
	if done, err := s.taken(ctx, q); !errors.Is(err, fs.ErrNotExist) {
		return done, err
	}
	if err := errors.Join(s.checkTime(ctx, q.ID), s.checkName(ctx, q)); err != nil {
		return tree.Snapshot{}, err
	}
	if err := s.raiseFormat(ctx); err != nil {
		return tree.Snapshot{}, err
	}
	releases, err := s.copyAll(ctx, q)
	if err != nil {
		return tree.Snapshot{}, err
	}
	if len(releases) == 0 {
		return tree.Snapshot{}, ErrNothing
	}
	if err := s.writeFiles(ctx, q.Repository, q.ID, releases); err != nil {
		return tree.Snapshot{}, err
	}
	if err := s.checkIndexes(ctx, releases); err != nil {
		return tree.Snapshot{}, err
	}
	if err := s.checkTime(ctx, q.ID); err != nil { // again: the copies may have taken long
		return tree.Snapshot{}, err
	}
	if err := s.record(ctx, q, releases); err != nil {
		return tree.Snapshot{}, err
	}
	return s.taken(ctx, q)
}

func (q Request) check() error {
	if rej := layout.CheckRepository(q.Repository); rej != nil {
		return rej
	}
	if q.Name != "" {
		if err := layout.CheckSnapshotName(q.Name); err != nil {
			return err
		}
	}
	if _, ok := layout.ParseSnapshotID(q.ID); !ok {
		return fmt.Errorf("%.100q is not an identifier, which is a time in UTC, such as 20261129T021500Z", q.ID)
	}
	for _, r := range q.Releases {
		if r.Repository != q.Repository {
			return fmt.Errorf("release %s is of another repository", r)
		}
	}
	return nil
}

// taken returns the snapshot if it is complete, and puts it into the list. Without a record the error is [fs.ErrNotExist].
func (s *Snapshots) taken(ctx context.Context, q Request) (tree.Snapshot, error) {
	found, _, err := tree.ReadSnapshot(ctx, s.bucket, q.Repository, q.ID)
	switch {
	case err != nil:
		return found, err
	case found.Deleting:
		return found, ErrDeleting
	case !q.asked(found):
		return found, fmt.Errorf("%w: it was taken for another request, by %.100q", ErrExists, found.By)
	}
	return found, s.enlist(ctx, q.Repository, q.ID)
}

// asked reports whether a record is of this request.
func (q Request) asked(found tree.Snapshot) bool {
	same := func(a, b *time.Time) bool { return a == b || a != nil && b != nil && a.Equal(*b) }
	for _, one := range found.Releases {
		if !slices.ContainsFunc(q.Releases, func(r catalog.Release) bool { return r.String() == one.Release }) {
			return false
		}
	}
	return q.Name == found.Name && q.By == found.By && q.Why == found.Why && q.Automatic == found.Automatic && same(q.Until, found.Until)
}

// checkName returns [ErrExists] if another snapshot has the name.
func (s *Snapshots) checkName(ctx context.Context, q Request) error {
	if q.Name == "" {
		return nil
	}
	list, _, err := s.readList(ctx, q.Repository)
	if err != nil {
		return err
	}
	for _, one := range list.Snapshots {
		if one.Name == q.Name && one.ID != q.ID {
			return fmt.Errorf("%w: snapshot %s has the name %q; choose another name, or delete that snapshot", ErrExists, one.ID, q.Name)
		}
	}
	return nil
}

// raiseFormat says in the bucket that it has snapshots: a collector that does not know them would remove what they name.
func (s *Snapshots) raiseFormat(ctx context.Context) error {
	for range maxAttempts {
		body, meta, err := tree.ReadSmall(ctx, s.bucket, layout.FormatKey)
		if err != nil {
			return err
		}
		if format, err := tree.ParseFormat(body, meta); err != nil || format == tree.Format {
			return err
		}
		if body, err = json.Marshal(tree.BucketFormat{Format: tree.Format}); err != nil {
			return err
		}
		_, err = s.bucket.Swap(ctx, meta.Version, layout.ObjectOf(layout.FormatKey), bytes.NewReader(append(body, '\n')))
		if err != nil && !errors.Is(err, layout.ErrConflict) {
			return err
		}
	}
	return fmt.Errorf("write %s: %w", layout.FormatKey, layout.ErrConflict)
}

// copyAll copies the pointers of all releases, several at a time, and returns what they name, in order of the releases.
func (s *Snapshots) copyAll(ctx context.Context, q Request) (all []tree.SnapshotRelease, err error) {
	copied := make([]*tree.SnapshotRelease, len(q.Releases))
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for i, r := range q.Releases {
		g.Go(func() (err error) {
			if copied[i], err = s.copyRelease(working, r, q.ID); err != nil {
				err = fmt.Errorf("release %s: %w", r, err)
			}
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, err
	}
	for _, one := range copied {
		if one != nil {
			all = append(all, *one)
		}
	}
	slices.SortFunc(all, func(a, b tree.SnapshotRelease) int { return strings.Compare(a.Release, b.Release) })
	return slices.CompactFunc(all, func(a, b tree.SnapshotRelease) bool { return a.Release == b.Release }), nil
}

// checkIndexes returns an error unless all indexes of releases are there, in their sizes.
func (s *Snapshots) checkIndexes(ctx context.Context, releases []tree.SnapshotRelease) error {
	g, working := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for _, one := range releases {
		for _, x := range one.Indexes {
			g.Go(func() error {
				meta, err := s.bucket.Stat(working, x.Key)
				switch {
				case errors.Is(err, fs.ErrNotExist):
					return fmt.Errorf("%s, which the pointer of %s names, is missing: repomill reindex --repair writes it again", x.Key, one.Release)
				case err == nil && meta.Size != x.Size:
					return fmt.Errorf("%s, which the pointer of %s names, has %d bytes and not %d: repomill reindex --repair writes it again", x.Key, one.Release, meta.Size, x.Size)
				}
				return err
			})
		}
	}
	return g.Wait()
}

// record writes the record. Another process may have written one for the same request.
func (s *Snapshots) record(ctx context.Context, q Request, releases []tree.SnapshotRelease) error {
	now, err := s.now(ctx)
	if err != nil {
		return err
	}
	body, err := json.MarshalIndent(tree.Snapshot{
		Repository: q.Repository.String(), ID: q.ID, Name: q.Name, Created: now.UTC().Truncate(time.Second), By: q.By, Why: q.Why,
		Until: q.Until, Automatic: q.Automatic, Releases: releases,
	}, "", " ")
	if err != nil {
		return err
	}
	err = s.bucket.Create(ctx, layout.ObjectOf(layout.SnapshotKey(q.Repository, q.ID)), bytes.NewReader(append(body, '\n')))
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	return err
}
