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

// gravePrefix is what stands before the keys of objects that are being removed.
const gravePrefix = ".collect/removed/"

// bury removes an object. A publish may take the same bytes up again at this very moment, and write the
// object with a new age but, in stores whose versions are digests, with the old version. So it is copied
// aside first, and put back if somebody needs it after all. Publishes look for such objects once more
// after their swap; whichever of the two comes later finds the other's work.
func (s *site) bury(ctx context.Context, t tombstone) (gone bool, err error) {
	grave := layout.ObjectOf(gravePrefix + t.Key)
	err = s.collector.bucket.Copy(ctx, t.Key, grave)
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return false, err
	}
	err = s.collector.bucket.Delete(ctx, t.Key, t.Version)
	stays := errors.Is(err, layout.ErrConflict)
	if err != nil && !stays {
		return false, err
	}
	// A crash here leaves a grave, which the next sweep opens.
	needed, err := s.closeGrave(ctx, t.Key)
	return err == nil && !needed && !stays, err
}

// closeGrave puts an object back if it is needed, and removes the copy.
func (s *site) closeGrave(ctx context.Context, key string) (needed bool, err error) {
	b, grave := s.collector.bucket, gravePrefix+key
	if needed, err = s.needed(ctx, key); err != nil {
		return needed, err
	}
	if needed {
		if err := b.Copy(ctx, grave, layout.ObjectOf(key)); err != nil && !errors.Is(err, fs.ErrExist) {
			return needed, err
		}
		s.collector.log.Warn("put back an object that a publish took up while it was removed", "key", key)
	}
	v, err := tree.VersionOf(ctx, b, grave)
	if err == nil && v != "" {
		err = b.Delete(ctx, grave, v)
	}
	return needed, err
}

// exhume ends the removals of a repository at which a sweep died.
func (s *site) exhume(ctx context.Context, r catalog.Repository) error {
	var keys []string
	for _, prefix := range s.prefixes(r) {
		err := s.collector.bucket.List(ctx, gravePrefix+prefix, func(key string, _ layout.Meta) error {
			keys = append(keys, strings.TrimPrefix(key, gravePrefix))
			return nil
		})
		if err != nil {
			return err
		}
	}
	for _, key := range keys {
		if _, err := s.closeGrave(ctx, key); err != nil {
			return err
		}
	}
	return nil
}
