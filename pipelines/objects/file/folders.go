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

// How long, and how many, folders stay open for their next use. Another program that renames a folder is noticed after that time, as it
// would be between two steps of one write; one that is removed is noticed at once.
const (
	maxFolderAge = 200 * time.Millisecond
	maxFolders   = 64
)

// folders opens the folders below a root, by their paths. Those that were used a moment ago stay open: many packages of a batch lie in
// one folder, or in folders of one, and an os.Root walks the whole path for each. Methods may be called concurrently.
type folders struct {
	root *os.Root

	mu   sync.Mutex
	open map[string]*sharedDir
}

// A sharedDir is an open folder that several callers may use.
type sharedDir struct {
	dir
	opened time.Time
	users  int // the map is one
}

func newFolders(root *os.Root) *folders { return &folders{root: root, open: map[string]*sharedDir{}} }

// get opens a folder. The caller must pass it to put.
func (c *folders) get(name string) (*sharedDir, error) {
	c.mu.Lock()
	c.forget(func(f *sharedDir) bool { return time.Since(f.opened) > maxFolderAge })
	f := c.open[name]
	if f != nil {
		f.users++
	}
	c.mu.Unlock()
	if f != nil && f.linked() {
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

// forget forgets folders. The caller holds the lock.
func (c *folders) forget(which func(*sharedDir) bool) {
	for name, f := range c.open {
		if which(f) {
			delete(c.open, name)
			c.release(f)
		}
	}
}

// close closes the folders that are not in use.
func (c *folders) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(func(*sharedDir) bool { return true })
}

// make opens a folder, and creates it with mode 0755 if it is absent. The caller must pass it to put, and parents to sync, which makes
// the names of new folders durable, also after an error.
func (c *folders) make(name string) (f *sharedDir, parents []*sharedDir, err error) {
	if f, err = c.get(name); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return f, nil, err
	}
	above := path.Dir(name)
	if above == "." {
		d, made, err := makeDir(c.root, name+"/x")
		if err = errors.Join(err, finish(made)); err != nil {
			return nil, nil, err
		}
		return c.keep(name, d), nil, nil
	}
	parent, parents, err := c.make(above)
	if err != nil {
		return nil, parents, err
	}
	parents = append(parents, parent)
	d, _, err := parent.makeDir(path.Base(name))
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

// linked reports whether an open folder still has a name.
func (d dir) linked() bool {
	var st unix.Stat_t
	return unix.Fstat(d.fd(), &st) == nil && st.Nlink > 0
}
