package file

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"repomill/schemas/layout"
)

// A Bucket is a published bucket in a folder. The version of an object is the SHA-256 of its
// bytes, and its headers follow from its key. Several processes may use one folder.
type Bucket struct {
	root    *os.Root
	path    string
	folders *folders
	unnamed atomic.Bool // files without a name cannot be made here

	mu       sync.Mutex
	versions map[string]cachedVersion // of recently read and written objects, so that large ones are hashed once
}

// A cachedVersion is the version of an object, valid as long as the file under the key has the same info.
type cachedVersion struct {
	info    fs.FileInfo
	version layout.Version
}

// maxKnown is the number of cached versions of a Bucket. Each takes about 300 bytes.
const maxKnown = 20_000

// OpenBucket opens the bucket of a file:// URL, and creates its folder if there is none. It removes temporary files that
// crashes have left; those of running processes stay.
func OpenBucket(rawURL string) (*Bucket, error) {
	dir, err := folder("bucket", rawURL)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	if err := openTemp(root); err != nil {
		root.Close()
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	folders, err := newFolders(root)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("open bucket: %w", err)
	}
	return &Bucket{root: root, path: dir, folders: folders, versions: map[string]cachedVersion{}}, nil
}

// Close releases the folder.
func (b *Bucket) Close() error {
	b.folders.close()
	return b.root.Close()
}

// Get implements the publish package's Bucket.
func (b *Bucket) Get(_ context.Context, key string) (io.ReadCloser, layout.Meta, error) {
	f, meta, err := b.open(key)
	if err != nil {
		return nil, meta, err
	}
	return f, meta, nil
}

// Stat implements the publish package's Bucket.
func (b *Bucket) Stat(_ context.Context, key string) (layout.Meta, error) {
	f, meta, err := b.open(key)
	if err != nil {
		return meta, err
	}
	return meta, f.Close()
}

func (b *Bucket) open(key string) (*os.File, layout.Meta, error) {
	f, info, meta, err := b.openFile(key)
	if err != nil {
		return nil, meta, err
	}
	meta.Version, err = b.version(key, f, info)
	if err != nil {
		f.Close()
		return nil, meta, fmt.Errorf("read %s: %w", key, err)
	}
	return f, meta, nil
}

// Open returns an object for serving. Its version is not the digest of the bytes, but consists of time and size of
// the file, so that a large object is not hashed.
func (b *Bucket) Open(_ context.Context, key string) (io.ReadSeekCloser, layout.Meta, error) {
	f, info, meta, err := b.openFile(key)
	if err != nil {
		return nil, meta, err
	}
	meta.Version = layout.Version(fmt.Sprintf("%x-%x", info.ModTime().UnixNano(), info.Size()))
	return f, meta, nil
}

func (b *Bucket) openFile(key string) (*os.File, fs.FileInfo, layout.Meta, error) {
	meta := layout.Meta{Now: time.Now()}
	if err := checkKey(key); err != nil {
		return nil, nil, meta, err
	}
	f, err := b.root.Open(key)
	if errors.Is(err, syscall.ENOTDIR) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return nil, nil, meta, fmt.Errorf("read %s: %w", key, err)
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fs.ErrNotExist
	}
	if err != nil {
		f.Close()
		return nil, nil, meta, fmt.Errorf("read %s: %w", key, err)
	}
	meta.Size, meta.Modified = info.Size(), info.ModTime()
	return f, info, meta, nil
}

// version returns the digest of an open file, and seeks it to its start.
func (b *Bucket) version(key string, f *os.File, info fs.FileInfo) (layout.Version, error) {
	b.mu.Lock()
	k, ok := b.versions[key]
	b.mu.Unlock()
	if ok && sameFile(k.info, info) {
		return k.version, nil
	}
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	v := versionOf(h)
	b.remember(key, info, v)
	return v, nil
}

func versionOf(h hash.Hash) layout.Version { return layout.Version(hex.EncodeToString(h.Sum(nil))) }

func sameFile(a, b fs.FileInfo) bool {
	return os.SameFile(a, b) && a.Size() == b.Size() && a.ModTime().Equal(b.ModTime())
}

// clockTick is longer than the resolution of file systems' clocks, which is at most 10 ms.
const clockTick = 100 * time.Millisecond

// remember caches a file's version, unless the file is younger than clockTick: another file could replace it with the
// same inode and time.
func (b *Bucket) remember(key string, info fs.FileInfo, v layout.Version) {
	if time.Since(info.ModTime()) < clockTick {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.versions) >= maxKnown {
		clear(b.versions)
	}
	b.versions[key] = cachedVersion{info, v}
}

// Create implements the Buckets of packages publish and ingest.
func (b *Bucket) Create(_ context.Context, o layout.Object, body io.Reader) error {
	folder, err := b.absent(o.Key)
	if err != nil {
		return err
	}
	f, err := b.writeUnnamed(body)
	if err == nil {
		defer f.Close() //nolint:errcheck // it is durable
		return b.link(o.Key, !folder, func(d dir, name string) error { return d.linkFile(f, name) })
	}
	if !errors.Is(err, errNamed) {
		return fmt.Errorf("create %s: %w", o.Key, err)
	}
	t, err := writeTemp(b.root, body)
	if err != nil {
		return fmt.Errorf("create %s: %w", o.Key, err)
	}
	defer t.remove()
	return b.linkFrom(t.name, o.Key, !folder)
}

// errNamed says that a file needs a name while it is written. Nothing of its body was read.
var errNamed = errors.New("the file system makes no files without a name")

// writeUnnamed is [writeTemp] without a name, which takes fewer steps: nothing is left of it after a crash.
func (b *Bucket) writeUnnamed(body io.Reader) (*os.File, error) {
	if b.unnamed.Load() {
		return nil, errNamed
	}
	d, err := b.folders.get(tempDir)
	if err != nil {
		return nil, err
	}
	defer b.folders.put(d)
	f, err := d.createUnnamed()
	if err != nil {
		b.unnamed.Store(true)
		return nil, errNamed
	}
	if err = fill(f, body); err == nil {
		err = f.Chmod(0o644) // independent of the umask: a web server of another user may read it
	}
	if err == nil {
		err = f.Sync()
	}
	if err != nil {
		f.Close() //nolint:errcheck // nothing is left of it
		return nil, err
	}
	return f, nil
}

// Copy implements the Bucket of package ingest. The copy is a hard link to the same file.
func (b *Bucket) Copy(_ context.Context, from string, o layout.Object) error {
	if err := checkKey(from); err != nil {
		return err
	}
	folder, err := b.absent(o.Key)
	if err != nil {
		return err
	}
	return b.linkFrom(from, o.Key, !folder)
}

// absent returns fs.ErrExist if there is an object under key. folder reports whether there may be a folder for it.
func (b *Bucket) absent(key string) (folder bool, err error) {
	if err := checkKey(key); err != nil {
		return false, err
	}
	d, err := b.folders.get(path.Dir(key))
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist), nil //nolint:nilerr // if it is something else, link says it
	}
	defer b.folders.put(d)
	if d.has(path.Base(key)) {
		return true, fmt.Errorf("create %s: %w", key, fs.ErrExist)
	}
	return true, nil
}

// linkFrom gives a durable file another name, in a folder that was absent a moment ago or not. An existing name is fs.ErrExist.
func (b *Bucket) linkFrom(from, key string, absent bool) error {
	source, err := b.folders.get(path.Dir(from))
	if err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	defer b.folders.put(source)
	return b.link(key, absent, func(d dir, name string) error { return d.link(source.dir, path.Base(from), name) })
}

// link has a durable file get its public name, in a folder that it makes if it was absent a moment ago, or is by now. An existing name is
// fs.ErrExist.
func (b *Bucket) link(key string, absent bool, link func(d dir, name string) error) error {
	d, parents, err := b.folders.make(path.Dir(key), absent)
	if err == nil {
		err = link(d.dir, path.Base(key))
		parents = append(parents, d)
	}
	if err = errors.Join(err, b.folders.sync(parents...)); err != nil {
		return fmt.Errorf("create %s: %w", key, err)
	}
	return nil
}

// Swap implements the publish package's Bucket.
func (b *Bucket) Swap(_ context.Context, old layout.Version, o layout.Object, body io.Reader) (layout.Version, error) {
	if err := checkKey(o.Key); err != nil {
		return "", err
	}
	h := sha256.New()
	t, err := writeTemp(b.root, io.TeeReader(body, h))
	if err != nil {
		return "", fmt.Errorf("swap %s: %w", o.Key, err)
	}
	defer t.remove()
	if err := makeParent(b.root, o.Key); err != nil {
		return "", fmt.Errorf("swap %s: %w", o.Key, err)
	}
	unlock, err := b.lock()
	if err != nil {
		return "", fmt.Errorf("swap %s: %w", o.Key, err)
	}
	defer unlock()
	f, meta, err := b.open(o.Key)
	switch {
	case err == nil:
		f.Close()
	case !errors.Is(err, fs.ErrNotExist):
		return "", err
	}
	if meta.Version != old {
		return "", fmt.Errorf("swap %s: %w", o.Key, layout.ErrConflict)
	}
	if err := b.root.Rename(t.name, o.Key); err != nil {
		return "", fmt.Errorf("swap %s: %w", o.Key, err)
	}
	v := versionOf(h)
	b.remember(o.Key, t.info, v)
	return v, syncDir(b.root, path.Dir(o.Key))
}

// lockFile is locked by a process from the comparison of a version to the write that depends on it.
const lockFile = ".lock"

// lock excludes other swaps and deletes of this bucket, in this process and in others.
func (b *Bucket) lock() (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(b.path, lockFile), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}
