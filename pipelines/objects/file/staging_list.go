package file

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"time"

	"repomill/schemas/catalog"
)

// settleTime is how long a file must have been left alone to count as whole, where nothing better is known.
const settleTime = 2 * time.Second

// List calls f for each staged file that is whole, as [Staging.ListFolder] does.
func (s *Staging) List(ctx context.Context, now time.Time, f func(catalog.Upload)) error {
	_, err := s.ListFolder(ctx, ".", now, f)
	return err
}

// ListFolder calls f for each staged file in or below a folder ("." for all) that is whole. One that
// somebody has open is left out: when it is closed, that is news. pending says that there was another
// one which only time can tell of. A folder that cannot be read is left out, and the error, which comes
// when all the rest was listed, says which. Along the way, what pushes that crashed long ago left is removed.
func (s *Staging) ListFolder(ctx context.Context, folder string, now time.Time, f func(catalog.Upload)) (pending bool, err error) {
	var unread []error
	err = fs.WalkDir(s.root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since its folder was read
			return nil
		case errors.Is(err, fs.ErrPermission):
			unread = append(unread, err)
			return nil
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			s.removeLeft(name, d, now)
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone since its folder was read
		}
		if open, known := s.written(name); open {
			return nil
		} else if !known && now.Sub(changed(info)) < settleTime {
			pending = true
			return nil
		}
		f(upload(name, info))
		return nil
	})
	return pending, errors.Join(append(unread, err)...)
}

// leftTime is how old a file must be that a crash left behind, to be removed.
const leftTime = 24 * time.Hour

// removeLeft removes what a push or a deletion that crashed long ago left behind.
func (s *Staging) removeLeft(name string, d fs.DirEntry, now time.Time) {
	info, err := d.Info()
	if err == nil && strings.HasSuffix(name, partSuffix) && now.Sub(changed(info)) > leftTime {
		s.root.Remove(name) //nolint:errcheck // the next sweep tries again
	}
}
