package file

import (
	"errors"
	"os"
	"strconv"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// renameNew renames a file of a folder to a name in this one that must be free, or returns fs.ErrExist. A queue sees one
// event, as of every rename; where the file system cannot rename so, it sees the file at its next scan.
func (d dir) renameNew(from dir, old, name string) error {
	err := unix.Renameat2(from.fd(), old, d.fd(), name, unix.RENAME_NOREPLACE)
	if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
		return d.linkNew(from, old, name)
	}
	return err
}

// createUnnamed makes a file without a name on the file system of this folder, for writing. linkFile gives it one.
func (d dir) createUnnamed() (*os.File, error) {
	fd, err := unix.Openat(d.fd(), ".", unix.O_TMPFILE|unix.O_WRONLY|unix.O_CLOEXEC, 0o644)
	if err != nil {
		return nil, err
	}
	if !procSeen.Load() { // linkFile needs it
		if unix.Access(procName(fd), unix.F_OK) != nil {
			unix.Close(fd) //nolint:errcheck // nothing was written
			return nil, unix.ENOSYS
		}
		procSeen.Store(true)
	}
	return os.NewFile(uintptr(fd), "unnamed"), nil
}

// procSeen says that /proc was there. It does not go while a process runs; if it did, linkFile would return an error.
var procSeen atomic.Bool

func procName(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }

// linkFile gives an open file a name in this folder, or returns fs.ErrExist.
func (d dir) linkFile(f *os.File, name string) error {
	return unix.Linkat(unix.AT_FDCWD, procName(int(f.Fd())), d.fd(), name, unix.AT_SYMLINK_FOLLOW)
}

// Free returns how many bytes may still be written to staging.
func (s *Staging) Free() (int64, error) {
	var at unix.Statfs_t
	if err := unix.Statfs(s.path, &at); err != nil {
		return 0, err
	}
	return int64(min(at.Bavail, 1<<40)) * int64(at.Bsize), nil //nolint:gosec // blocks have some KiB
}
