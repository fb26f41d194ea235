package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"syscall"
	"time"

	"repomill/schemas/layout"
)

// List calls f for each object whose key begins with prefix, in order of the keys within a folder.
// What is being written, and the bucket's own hidden files, are no objects. Versions are not listed:
// they are digests, and each object would have to be read.
func (b *Bucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	top := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		top = prefix[:i]
	}
	if !fs.ValidPath(top) {
		return fmt.Errorf("list %q: not the beginning of a plain path: %w", prefix, fs.ErrInvalid)
	}
	return fs.WalkDir(b.root.FS(), top, func(key string, d fs.DirEntry, err error) error {
		switch {
		case ctx.Err() != nil:
			return ctx.Err()
		case isAbsent(err): // removed meanwhile, or never there
			return nil
		case err != nil:
			return fmt.Errorf("list %s: %w", key, err)
		case key == tempDir || strings.HasPrefix(key, tempDir+"/"):
			return fs.SkipDir
		case d.IsDir() && !reaches(key, prefix):
			return fs.SkipDir
		case !d.Type().IsRegular() || key == lockFile || !strings.HasPrefix(key, prefix):
			return nil
		}
		info, err := d.Info()
		if isAbsent(err) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", key, err)
		}
		return f(key, layout.Meta{Size: info.Size(), Modified: info.ModTime(), Now: time.Now()})
	})
}

// reaches reports whether a folder can have keys that begin with prefix.
func reaches(dir, prefix string) bool {
	return dir == "." || strings.HasPrefix(dir+"/", prefix) || strings.HasPrefix(prefix, dir+"/")
}

// Delete removes version v of key. If it is already gone, that is success; if another version is
// there, the error is [layout.ErrConflict]. Folders stay, so that no create meets one that vanishes.
func (b *Bucket) Delete(_ context.Context, key string, v layout.Version) error {
	if err := checkKey(key); err != nil {
		return err
	}
	unlock, err := b.lock()
	if err != nil {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	defer unlock()
	f, meta, err := b.open(key)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	f.Close()
	if meta.Version != v {
		return fmt.Errorf("delete %s: %w", key, layout.ErrConflict)
	}
	if err := b.root.Remove(key); err != nil && !isAbsent(err) {
		return fmt.Errorf("delete %s: %w", key, err)
	}
	b.mu.Lock()
	delete(b.versions, key)
	b.mu.Unlock()
	return syncDir(b.root, path.Dir(key))
}

func isAbsent(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR)
}
