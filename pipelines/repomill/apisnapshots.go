package main

import (
	"context"
	"errors"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/catalogdb"
	"repomill/serve/api"
	"repomill/serve/api/snapshots"
)

// apiSnapshots asks for the snapshots that callers of the API want, in the catalog alone: workers make them.
type apiSnapshots struct{ db *catalogdb.DB }

// Settings implements [snapshots.Catalog].
func (a apiSnapshots) Settings(ctx context.Context, r catalog.Repository) (catalog.Settings, error) {
	return a.db.Settings(ctx, r)
}

// Snapshots implements [snapshots.Catalog].
func (a apiSnapshots) Snapshots(ctx context.Context, r catalog.Repository) ([]catalog.Snapshot, error) {
	return a.db.SnapshotsOf(ctx, r)
}

// Snapshot implements [snapshots.Catalog].
func (a apiSnapshots) Snapshot(ctx context.Context, r catalog.Repository, which string) (catalog.Snapshot, error) {
	return a.db.SnapshotCalled(ctx, r, which)
}

// Take implements [snapshots.Catalog].
func (a apiSnapshots) Take(ctx context.Context, s catalog.Snapshot, keep time.Duration) (catalog.Snapshot, error) {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return s, err
	}
	if keep > 0 {
		end := now.Add(keep)
		s.Until = &end
	}
	taken, err := a.db.AskSnapshot(ctx, s, now)
	switch {
	case errors.Is(err, catalogdb.ErrExists):
		err = snapshots.ErrTaken
	case errors.Is(err, catalogdb.ErrDeleted): // as one without releases
		err = catalog.ErrNotFound
	}
	return taken, err
}

// Delete implements [snapshots.Catalog].
func (a apiSnapshots) Delete(ctx context.Context, number int64) error {
	now, err := a.db.Clock(ctx)
	if err != nil {
		return err
	}
	if err := a.db.AskSnapshotDeletion(ctx, number, now); !errors.Is(err, catalogdb.ErrNotFound) {
		return err
	}
	return nil // it is gone
}

// Schedule implements [snapshots.Scheduler].
func (a apiSnapshots) Schedule(ctx context.Context, r catalog.Repository, rule *catalog.SnapshotRule, wait time.Duration) (published bool, err error) {
	s, err := a.db.ChangeSettings(ctx, r, time.Now(), func(s *catalog.Settings) error { s.Snapshots = rule; return nil })
	if errors.Is(err, catalogdb.ErrDeleted) {
		return false, api.Conflict(err.Error())
	}
	if err != nil {
		return false, err
	}
	return settingsSeen(ctx, a.db, s, wait)
}
