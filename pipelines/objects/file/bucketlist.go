package file

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"repomill/schemas/layout"
)

// List calls f for each object whose key begins with prefix, in order of the keys within a folder.
// Files that are being written, and the bucket's own hidden files, are left out. Versions are not listed: they are
// digests, for which each object would have to be read.
func (b *Bucket) List(ctx context.Context, prefix string, f func(key string, meta layout.Meta) error) error {
	top := "."
	if i := strings.LastIndexByte(prefix, '/'); i >= 0 {
		top = prefix[:i]
	}
	if !fs.ValidPath(top) {
		return fmt.Errorf("list %q: not the beginning of a plain path: %w", prefix, fs.ErrInvalid)
	}
	if top == tempDir || strings.HasPrefix(top, tempDir+"/") {
		return nil
	}
	at, err := b.root.Open(top)
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", prefix, err)
	}
	return listing{prefix, f}.walk(ctx, dir{at}, top)
}

// A listing calls f for the objects whose keys begin with prefix.
type listing struct {
	prefix string
	f      func(key string, meta layout.Meta) error
}

// walk lists an open folder, and closes it. It opens each name in its folder, and does not follow links.
func (l listing) walk(ctx context.Context, d dir, name string) error {
	defer d.f.Close()
	entries, err := d.f.ReadDir(-1)
	if err != nil && !isAbsent(err) {
		return fmt.Errorf("list %s: %w", name, err)
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	for _, e := range entries {
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := l.entry(ctx, d, path.Join(name, e.Name()), e); err != nil {
			return err
		}
	}
	return nil
}

func (l listing) entry(ctx context.Context, d dir, key string, e fs.DirEntry) error {
	switch {
	case key == tempDir || key == lockFile:
		return nil
	case e.IsDir() && reaches(key, l.prefix):
		sub, err := d.openDir(e.Name())
		if isAbsent(err) { // removed since the folder was read
			return nil
		}
		if err != nil {
			return fmt.Errorf("list %s: %w", key, err)
		}
		return l.walk(ctx, sub, key)
	case !e.Type().IsRegular() || !strings.HasPrefix(key, l.prefix):
		return nil
	}
	size, modified, err := d.stat(e.Name())
	if isAbsent(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("list %s: %w", key, err)
	}
	return l.f(key, layout.Meta{Size: size, Modified: modified, Now: time.Now()})
}

// reaches reports whether a folder can have keys that begin with prefix.
func reaches(dir, prefix string) bool {
	return dir == "." || strings.HasPrefix(dir+"/", prefix) || strings.HasPrefix(prefix, dir+"/")
}

// Delete removes version v of key. If it is already gone, that is success; if another version is
// there, the error is [layout.ErrConflict]. Empty folders stay, so that a concurrent create does not lose its folder.
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
