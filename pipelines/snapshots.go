package pipelines

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"repomill/publish/snapshot"
	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

const (
	snapshotRetry    = 15 * time.Second // how long a snapshot waits after a fault
	maxSnapshotNames = 5                // identifiers that are tried, a second apart
)

// WorkOnSnapshot makes or deletes a snapshot of the catalog ([catalogdb.DB.TakeSnapshots]), and records how that ended. A fault is recorded
// for the next attempt, and returned.
func (r *Resources) WorkOnSnapshot(ctx context.Context, s catalog.Snapshot) error {
	final := false
	var err error
	if s.State == catalog.SnapshotDeleting {
		err = r.deleteSnapshot(ctx, s)
	} else {
		final, err = r.makeSnapshot(ctx, s)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	now := r.Now(ctx)
	return errors.Join(err, r.Catalog.SnapshotFailed(ctx, s.Number, err.Error(), now.Add(snapshotRetry), now, final))
}

func (r *Resources) deleteSnapshot(ctx context.Context, s catalog.Snapshot) error {
	if s.ID != "" {
		if err := r.Snapshots.Delete(ctx, s.Target.Repository, s.ID); err != nil {
			return err
		}
	}
	return r.Catalog.SnapshotGone(ctx, s.Number)
}

// makeSnapshot makes a snapshot. An error is final if no repeat helps: then none of its objects are left.
func (r *Resources) makeSnapshot(ctx context.Context, s catalog.Snapshot) (final bool, err error) {
	if s.ID == "" {
		if s.ID, err = r.nameSnapshot(ctx, s); err != nil {
			return false, err
		}
	}
	made, err := r.createSnapshot(ctx, s)
	if errors.Is(err, snapshot.ErrNotNow) { // an earlier attempt has left it: a state of then cannot be taken any more
		if err := r.Snapshots.Delete(ctx, s.Target.Repository, s.ID); err != nil {
			return false, err
		}
		if s.ID, err = r.nameSnapshot(ctx, s); err != nil {
			return false, err
		}
		made, err = r.createSnapshot(ctx, s)
	}
	if errors.Is(err, snapshot.ErrNothing) || errors.Is(err, snapshot.ErrExists) {
		if errors.Is(err, snapshot.ErrNothing) {
			if gone := r.Snapshots.Delete(ctx, s.Target.Repository, s.ID); gone != nil {
				return false, errors.Join(err, gone)
			}
		}
		return true, err
	}
	if err != nil {
		return false, err
	}
	kept, err := made.Kept()
	if err != nil {
		return false, err
	}
	if err := r.Catalog.SnapshotMade(ctx, s.Number, kept.Releases, kept.SignedBy, r.Now(ctx)); err != nil {
		return false, err
	}
	return false, r.unmake(ctx, s)
}

// unmake deletes the objects of a snapshot whose deletion was asked for while they were made: the worker that deleted it may have ended
// before the record was written, and no row would know of that.
func (r *Resources) unmake(ctx context.Context, s catalog.Snapshot) error {
	now, err := r.Catalog.SnapshotByNumber(ctx, s.Number)
	if err == nil && now.State == catalog.SnapshotKept {
		return nil
	}
	if err != nil && !errors.Is(err, catalog.ErrNotFound) {
		return err
	}
	return r.Snapshots.Delete(ctx, s.Target.Repository, s.ID)
}

// nameSnapshot gives a snapshot the identifier of the present second, or of one of the next if others have those.
func (r *Resources) nameSnapshot(ctx context.Context, s catalog.Snapshot) (id string, err error) {
	for range maxSnapshotNames {
		id = layout.SnapshotID(r.Now(ctx))
		named, err := r.Catalog.NameSnapshot(ctx, s.Number, id)
		if err != nil || named {
			return id, err
		}
		select {
		case <-ctx.Done():
			return "", ctx.Err()
		case <-time.After(time.Second):
		}
	}
	return "", fmt.Errorf("other snapshots of %s have all the last identifiers, which are seconds: the last is %s", s.Target.Repository, id)
}

func (r *Resources) createSnapshot(ctx context.Context, s catalog.Snapshot) (tree.Snapshot, error) {
	of, err := r.Catalog.Settings(ctx, s.Target.Repository)
	if err != nil {
		return tree.Snapshot{}, err
	}
	states, err := r.Catalog.ReleasesOf(ctx, s.Target.Repository)
	if err != nil {
		return tree.Snapshot{}, err
	}
	q := snapshot.Request{Repository: s.Target.Repository, ID: s.ID, Name: s.Name, By: s.By.User, Why: s.By.Why, Until: s.Until, Automatic: s.Automatic}
	for _, state := range states {
		if _, deleted := of.DeletedTarget(state.Release.Distribution, ""); deleted != nil {
			continue // it would be named as long as the snapshot is kept
		}
		if s.Target.Whole() || state.Release.Distribution == s.Target.Distribution {
			q.Releases = append(q.Releases, state.Release)
		}
	}
	return r.Snapshots.Create(ctx, q)
}

// maxSnapshotsSigned is how many repositories' snapshots are signed again in one round.
const maxSnapshotsSigned = 5

// SignSnapshots signs the snapshots of some repositories again whose signers are not those which should sign. It leaves out what skip
// reports, and returns the faults by repository.
func (r *Resources) SignSnapshots(ctx context.Context, skip func(catalog.Repository) bool) (faults map[catalog.Repository]error, err error) {
	want, complete := r.Publisher.Keys().Signing()
	if !complete {
		return nil, nil
	}
	by := strings.Join(want, "+")
	repositories, err := r.Catalog.SnapshotsToSign(ctx, by, 10*maxSnapshotsSigned)
	faults = map[catalog.Repository]error{}
	done := 0
	for _, repository := range repositories {
		if ctx.Err() != nil || done == maxSnapshotsSigned {
			break
		}
		if skip(repository) {
			continue
		}
		done++
		if err := r.signSnapshots(ctx, repository, by); err != nil {
			faults[repository] = err
		}
	}
	return faults, err
}

func (r *Resources) signSnapshots(ctx context.Context, repository catalog.Repository, by string) error {
	all, err := r.Catalog.SnapshotsOf(ctx, repository)
	if err != nil || len(all) == 0 {
		return err
	}
	if _, err := r.Snapshots.Resign(ctx, repository, true); err != nil {
		return err
	}
	if want, complete := r.Publisher.Keys().Signing(); !complete || strings.Join(want, "+") != by {
		return nil // the keys have changed since
	}
	return r.Catalog.SnapshotsSigned(ctx, repository, all[len(all)-1].Number, by)
}
