package collect

import (
	"context"
	"errors"
	"io/fs"

	"golang.org/x/sync/errgroup"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
)

// markSnapshots marks what the snapshots of a repository name: the copies of pointers, indexes, and manifests with their lists of withdrawn
// packages. A snapshot that is being deleted holds nothing. It reads each record once, and each manifest that no earlier snapshot named.
//
// Records are read once, at the begin of a sweep. A snapshot whose record was written since names what was live an hour ago at most, and
// the sweep removes only what was superseded a retention period before it began (publish/PROTOCOL.md, "Snapshots").
func (s *repositorySweep) markSnapshots(ctx context.Context) error {
	all, err := tree.Snapshots(ctx, s.collector.bucket, s.repository)
	if err != nil {
		return err
	}
	manifests := map[string]catalog.Release{}
	for _, one := range all {
		if one.Deleting {
			continue
		}
		s.markRecord(one)
		for _, release := range one.Releases {
			if parsed, err := catalog.ParseRelease(release.Release); err == nil && release.Manifest != "" {
				manifests[release.Manifest] = parsed
			}
		}
	}
	g, reading := errgroup.WithContext(ctx)
	g.SetLimit(maxRequests)
	for key, release := range manifests {
		if s.marked(key) { // of the retention period, so that it was read already
			continue
		}
		g.Go(func() error {
			_, err := s.markManifest(reading, release, key)
			if errors.Is(err, fs.ErrNotExist) { // the record names the indexes, too
				s.collector.log.Warn("the manifest of a snapshot is missing", "key", key)
				return nil
			}
			return err
		})
	}
	return g.Wait()
}

// markRecord marks the keys that a record names.
func (s *repositorySweep) markRecord(one tree.Snapshot) {
	var keys []string
	for _, release := range one.Releases {
		for _, x := range release.Indexes {
			keys = append(keys, x.Key)
		}
	}
	s.mark(keys...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.snapshots[one.ID] = true
}

// recorded reports whether the snapshot with an identifier has a record that is not being deleted.
func (s *repositorySweep) recorded(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.snapshots[id]
}

// neededBySnapshot reports whether the snapshot with an identifier has a record by now, which it did not have when the sweep began.
func (s *repositorySweep) neededBySnapshot(ctx context.Context, id string) (bool, error) {
	record, _, err := tree.ReadSnapshot(ctx, s.collector.bucket, s.repository, id)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return true, err
	}
	if !record.Deleting {
		s.markRecord(record)
	}
	return !record.Deleting, nil
}
