package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// How long, up to twice as long, and how many folders stay open for their next use. Each use looks whether the path leads there still: another program may have
// removed the folder, or put another one in its place.
const (
	maxFolderAge = time.Second
	maxFolders   = 64
)

// folders opens the folders below a root, by their paths. Those that were used a moment ago stay open: many packages of a batch lie in
// one folder, or in folders of one, and an os.Root walks the whole path for each. Methods may be called concurrently.
type folders struct {
	root *os.Root
	top  dir // the root, for questions by path

	mu    sync.Mutex
	open  map[string]*sharedDir
	swept time.Time // when those that were open for long were forgotten
}

// A sharedDir is an open folder that several callers may use.
type sharedDir struct {
	dir
	is     folderID
	opened time.Time
	users  int // the map is one
}

// newFolders opens the root itself. The caller calls close.
func newFolders(root *os.Root) (*folders, error) {
	top, err := openDir(root, "x")
	return &folders{root: root, top: top, open: map[string]*sharedDir{}}, err
}

// A folderID identifies a folder among all others.
type folderID struct{ dev, ino uint64 }

func idOf(st unix.Stat_t) folderID { return folderID{uint64(st.Dev), st.Ino} } //nolint:unconvert // its type depends on the platform

// get opens a folder. The caller must pass it to put.
func (c *folders) get(name string) (*sharedDir, error) {
	c.mu.Lock()
	c.sweep(time.Now())
	f := c.open[name]
	if f != nil {
		f.users++
	}
	c.mu.Unlock()
	if f != nil && c.leads(name, f) {
		return f, nil
	}
	if f != nil {
		c.mu.Lock()
		c.forget(func(o *sharedDir) bool { return o == f })
		c.mu.Unlock()
		c.put(f)
	}
	d, err := c.walk(name)
	if err != nil {
		return nil, err
	}
	return c.keep(name, d), nil
}

// walk opens a folder in its parent. A link is followed as far as it stays below the root.
func (c *folders) walk(name string) (dir, error) {
	if parent := path.Dir(name); parent != "." {
		p, err := c.get(parent)
		if err != nil {
			return dir{}, err
		}
		defer c.put(p)
		d, err := p.openDir(path.Base(name))
		if !errors.Is(err, syscall.ELOOP) && !errors.Is(err, syscall.ENOTDIR) {
			return d, err
		}
	}
	return openDir(c.root, name+"/x")
}

// keep keeps an open folder for its next use, and returns it as get does.
func (c *folders) keep(name string, d dir) *sharedDir {
	f := &sharedDir{dir: d, opened: time.Now(), users: 2}
	var st unix.Stat_t
	if unix.Fstat(d.fd(), &st) == nil { // else no path leads there, and the next use opens it again
		f.is = idOf(st)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.open) >= maxFolders {
		c.forget(func(*sharedDir) bool { return true })
	}
	if old := c.open[name]; old != nil {
		c.forget(func(o *sharedDir) bool { return o == old })
	}
	c.open[name] = f
	return f
}

// put ends a use of a folder.
func (c *folders) put(f *sharedDir) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.release(f)
}

// release counts a user less, and closes the folder after the last one. The caller holds the lock.
func (c *folders) release(f *sharedDir) {
	if f.users--; f.users == 0 {
		f.f.Close() //nolint:errcheck // it was only read
	}
}

// sweep forgets the folders that were open for long. It goes through all of them, and so not at every use. The caller holds the lock.
func (c *folders) sweep(now time.Time) {
	if now.Sub(c.swept) > maxFolderAge {
		c.swept = now
		c.forget(func(f *sharedDir) bool { return now.Sub(f.opened) > maxFolderAge })
	}
}

// forget forgets folders. The caller holds the lock.
func (c *folders) forget(which func(*sharedDir) bool) {
	for name, f := range c.open {
		if which(f) {
			delete(c.open, name)
			c.release(f)
		}
	}
}

// close closes the root, and the folders that are not in use.
func (c *folders) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(func(*sharedDir) bool { return true })
	c.top.f.Close() //nolint:errcheck // it was only read
}

// make opens a folder, and creates it with mode 0755 if it is absent. The caller must pass it to put, and parents to sync, which makes
// the names of new folders durable, also after an error. A folder that was absent a moment ago is not looked for first.
func (c *folders) make(name string, absent bool) (f *sharedDir, parents []*sharedDir, err error) {
	if !absent {
		if f, err = c.get(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return f, nil, err
		}
	}
	above := path.Dir(name)
	if above == "." {
		d, made, err := makeDir(c.root, name+"/x")
		if err = errors.Join(err, finish(made)); err != nil {
			return nil, nil, err
		}
		return c.keep(name, d), nil, nil
	}
	parent, parents, err := c.make(above, false)
	if err != nil {
		return nil, parents, err
	}
	parents = append(parents, parent)
	d, _, err := parent.makeAbsentDir(path.Base(name), true)
	if err != nil {
		return nil, parents, err
	}
	return c.keep(name, d), parents, nil
}

// sync makes the names in folders durable, the last one first, and ends their use.
func (c *folders) sync(all ...*sharedDir) (err error) {
	for i := len(all) - 1; i >= 0; i-- {
		err = errors.Join(err, all[i].f.Sync())
		c.put(all[i])
	}
	return err
}

// leads reports whether a path leads to an open folder.
func (c *folders) leads(name string, f *sharedDir) bool {
	var st unix.Stat_t
	return unix.Fstatat(c.top.fd(), name, &st, 0) == nil && idOf(st) == f.is
}
