package collect

import (
	"context"
	"errors"
	"io/fs"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// quarantinePrefix begins the keys under which objects are kept while they are removed.
const quarantinePrefix = ".collect/removed/"

// quarantine removes an object. A publish may write the same bytes again at this very moment: the
// object then has a new age but, in stores whose versions are digests, the old version. So it is copied
// aside first, and put back if a pointer or row names it after all. Publishes look for such objects once more
// after their swap; the later of the two finds what the other did.
func (s *repositorySweep) quarantine(ctx context.Context, t tombstone) (gone bool, err error) {
	aside := layout.ObjectOf(quarantinePrefix + t.Key)
	err = s.collector.bucket.Copy(ctx, t.Key, aside)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	err = s.collector.bucket.Delete(ctx, t.Key, t.Version)
	stays := errors.Is(err, layout.ErrConflict)
	if err != nil && !stays {
		return false, err
	}
	// A crash here leaves the copy, which the next sweep settles.
	needed, err := s.settle(ctx, t.Key)
	return err == nil && !needed && !stays, err
}

// settle puts a quarantined object back if it is needed, and removes the copy.
func (s *repositorySweep) settle(ctx context.Context, key string) (needed bool, err error) {
	b, aside := s.collector.bucket, quarantinePrefix+key
	if needed, err = s.needed(ctx, key); err != nil {
		return needed, err
	}
	if needed {
		if err := b.Copy(ctx, aside, layout.ObjectOf(key)); err != nil && !errors.Is(err, fs.ErrExist) {
			return needed, err
		}
		s.collector.log.Warn("put back an object that a publish took up while it was removed", "key", key)
	}
	v, err := tree.VersionOf(ctx, b, aside)
	if err == nil && v != "" {
		err = b.Delete(ctx, aside, v)
	}
	return needed, err
}

// settleInterrupted ends the removals of a repository that a crash interrupted.
func (s *repositorySweep) settleInterrupted(ctx context.Context, r catalog.Repository) error {
	var keys []string
	for _, prefix := range s.prefixes(r) {
		err := s.collector.bucket.List(ctx, quarantinePrefix+prefix, func(key string, _ layout.Meta) error {
			keys = append(keys, strings.TrimPrefix(key, quarantinePrefix))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, key := range keys {
		if _, err := s.settle(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
