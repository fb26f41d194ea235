package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"time"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// incomingDir has uploads whose place is not known yet. No listing shows it.
const incomingDir = ".incoming"

// Move gives exactly this generation another name that must be free, in place of its own, and returns it as the upload of
// that name. If the name is taken, the error is fs.ErrExist; if the generation was replaced or removed, [catalog.ErrGone].
// Bytes are not copied.
func (s *Staging) Move(_ context.Context, u catalog.Upload, object string) (catalog.Upload, error) {
	moved, err := s.move(u, object)
	if err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	return moved, nil
}

func (s *Staging) move(u catalog.Upload, object string) (moved catalog.Upload, err error) {
	if err := checkKey(object); err != nil {
		return moved, err
	}
	g, err := s.open(u)
	if err != nil {
		return moved, err
	}
	defer g.Close()
	from, err := openDir(s.root, u.Object)
	if err != nil {
		return moved, err
	}
	to, parents, err := makeDir(s.root, object)
	if err != nil {
		return moved, errors.Join(err, from.f.Close())
	}
	err = to.renameNew(from, path.Base(u.Object), path.Base(object))
	if err := errors.Join(err, finish(append(parents, from, to))); err != nil { // the new name first
		return moved, err
	}
	info, err := g.f.Stat() // renaming made another generation of it
	if err != nil {
		return moved, err
	}
	return upload(object, info), nil
}

// SweepIncoming removes what processes that ended have left under [layout.Incoming], when it is older than
// [layout.IncomingTime].
func (s *Staging) SweepIncoming(ctx context.Context, now time.Time) error {
	entries, err := fs.ReadDir(s.root.FS(), incomingDir)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("sweep staging: %w", err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() || now.Sub(changed(info)) <= layout.IncomingTime {
			continue
		}
		if err := s.root.Remove(layout.Incoming + e.Name()); err != nil && !isAbsent(err) {
			return fmt.Errorf("sweep staging: %w", err)
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}
