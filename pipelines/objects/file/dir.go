package file

import (
	"errors"
	"io/fs"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"
)

// A dir is an open folder. An os.Root opens a name folder by folder, so that no link leads out of it; a dir saves
// these steps for several names in one folder.
type dir struct{ f *os.File }

// openDir opens the folder of a key.
func openDir(root *os.Root, key string) (dir, error) {
	f, err := root.OpenFile(path.Dir(key), unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NONBLOCK, 0) // a FIFO in its place would be waited for
	return dir{f}, err
}

// makeDir opens the folder of a key, and creates it with mode 0755 if it is absent. The caller must pass parents to
// [finish], which makes the names of new folders durable.
func makeDir(root *os.Root, key string) (d dir, parents []dir, err error) {
	name := path.Dir(key)
	parent, err := openDir(root, name)
	if errors.Is(err, fs.ErrNotExist) {
		parent, parents, err = makeDir(root, name)
	}
	if err != nil {
		return d, nil, err
	}
	d, made, err := parent.makeDir(path.Base(name))
	if made {
		parents = append(parents, parent)
	} else {
		parent.f.Close()
	}
	if err != nil && !made { // perhaps a link, to another folder below the root
		if linked, linkErr := openDir(root, key); linkErr == nil {
			d, err = linked, nil
		}
	}
	if err != nil {
		return d, nil, errors.Join(err, finish(parents))
	}
	return d, parents, nil
}

// readFlags open a file for reading, without waiting and without following a link.
const readFlags = unix.O_RDONLY | unix.O_NONBLOCK | unix.O_NOFOLLOW | unix.O_CLOEXEC

const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC

// openDir opens a folder in this one. A link is an error.
func (d dir) openDir(name string) (dir, error) {
	fd, err := unix.Openat(d.fd(), name, dirFlags, 0)
	if err != nil {
		return dir{}, err
	}
	return dir{os.NewFile(uintptr(fd), path.Join(d.f.Name(), name))}, nil // where file systems do not say what an entry is, Go asks for it by this name
}

// stat returns the size of a file in this folder, and the time of the last change of its bytes.
func (d dir) stat(name string) (size int64, modified time.Time, err error) {
	var st unix.Stat_t
	if err := unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return 0, time.Time{}, err
	}
	return st.Size, time.Unix(st.Mtim.Unix()), nil
}

// makeDir opens a folder in this one, creates it if it is absent, and reports whether it did. Its group may write to it if that of the
// parent may: where people copy packages into staging, they also do below folders that an upload has made.
func (d dir) makeDir(name string) (sub dir, made bool, err error) {
	return d.makeAbsentDir(name, false)
}

// makeAbsentDir is [dir.makeDir] for a name that was absent a moment ago, so that it is not looked for first.
func (d dir) makeAbsentDir(name string, absent bool) (sub dir, made bool, err error) {
	fd, mine, err := -1, false, error(fs.ErrNotExist)
	if !absent {
		fd, err = unix.Openat(d.fd(), name, dirFlags, 0)
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = unix.Mkdirat(d.fd(), name, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
			return sub, false, err
		}
		made, mine = true, err == nil // another program may have made it just now: its name is not durable yet, and its mode is that program's
		fd, err = unix.Openat(d.fd(), name, dirFlags, 0)
	}
	if err != nil {
		return sub, made, err
	}
	sub = dir{os.NewFile(uintptr(fd), name)}
	if mine {
		var parent unix.Stat_t
		if err = unix.Fstat(d.fd(), &parent); err == nil {
			err = sub.f.Chmod(0o755 | os.FileMode(parent.Mode&0o020)) // independent of the umask
		}
	}
	return sub, made, err
}

func (d dir) fd() int { return int(d.f.Fd()) }

// link makes a hard link in this folder to a file in another one, or returns fs.ErrExist.
func (d dir) link(from dir, old, name string) error {
	return unix.Linkat(from.fd(), old, d.fd(), name, 0)
}

// linkNew gives a file of a folder a name in this one that must be free, in place of its own, or returns fs.ErrExist.
func (d dir) linkNew(from dir, old, name string) error {
	if err := d.link(from, old, name); err != nil {
		return err
	}
	return unix.Unlinkat(from.fd(), old, 0)
}

// has reports whether a name exists, as a file or anything else.
func (d dir) has(name string) bool {
	var st unix.Stat_t
	return unix.Fstatat(d.fd(), name, &st, unix.AT_SYMLINK_NOFOLLOW) == nil
}

// open opens a file for reading. It does not block on a pipe or a device, and does not follow a link.
func (d dir) open(name string) (*os.File, error) {
	fd, err := unix.Openat(d.fd(), name, readFlags, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// create makes a file in this folder that must not exist, for writing.
func (d dir) create(name string) (*os.File, error) {
	fd, err := unix.Openat(d.fd(), name, unix.O_CREAT|unix.O_EXCL|unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), name), nil
}

// finish makes the names in folders durable and closes them, the last one first.
func finish(dirs []dir) (err error) {
	for len(dirs) > 0 {
		d := dirs[len(dirs)-1]
		err = errors.Join(err, d.f.Sync(), d.f.Close())
		dirs = dirs[:len(dirs)-1]
	}
	return err
}
