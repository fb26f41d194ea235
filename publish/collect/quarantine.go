package collect

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"

	"repomill/publish/tree"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// quarantinePrefix begins the keys of copies of objects that are being removed.
const quarantinePrefix = ".collect/removed/"

// quarantine removes an object, and reports whether it is gone. A publish may write the same bytes again at the
// same moment. In a store whose versions are digests the object then has a new age and the old version, and Delete
// removes it. Therefore quarantine first copies the object, and puts the copy back if a pointer or a row names the
// key after the removal. A publish checks its objects again after its swap: of the two processes, the later one
// sees what the other did.
func (s *repositorySweep) quarantine(ctx context.Context, t tombstone) (gone bool, err error) {
	copied := layout.ObjectOf(quarantinePrefix + t.Key)
	err = s.collector.bucket.Copy(ctx, t.Key, copied)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	err = s.collector.bucket.Delete(ctx, t.Key, t.Version)
	stays := errors.Is(err, layout.ErrConflict)
	if err != nil && !stays {
		return false, err
	}
	// A crash here leaves the copy. The next sweep puts it back or removes it.
	needed, err := s.resolve(ctx, t.Key)
	return err == nil && !needed && !stays, err
}

// resolve puts a quarantined object back if it is needed, and then removes the copy.
func (s *repositorySweep) resolve(ctx context.Context, key string) (needed bool, err error) {
	b, copied := s.collector.bucket, quarantinePrefix+key
	if needed, err = s.needed(ctx, key); err != nil {
		return needed, err
	}
	if needed {
		if err := b.Copy(ctx, copied, layout.ObjectOf(key)); err != nil && !errors.Is(err, fs.ErrExist) {
			return needed, err
		}
		s.collector.log.Warn("restored object that a publish needs again", "key", key)
	}
	v, err := tree.VersionOf(ctx, b, copied)
	if err == nil && v != "" {
		err = b.Delete(ctx, copied, v)
	}
	return needed, err
}

// resolveInterrupted completes the removals of a repository that a crash has interrupted.
func (s *repositorySweep) resolveInterrupted(ctx context.Context, r catalog.Repository) error {
	var keys []string
	hidden := slices.DeleteFunc(s.prefixes(), func(prefix string) bool { return !layout.Hidden(prefix) })
	for _, prefix := range append(hidden, r.String()+"/") { // a release may have been removed since
		err := s.collector.bucket.List(ctx, quarantinePrefix+prefix, func(key string, _ layout.Meta) error {
			keys = append(keys, strings.TrimPrefix(key, quarantinePrefix))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, key := range keys {
		if _, err := s.resolve(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
