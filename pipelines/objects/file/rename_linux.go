package file

import (
	"errors"

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

// Free returns how many bytes may still be written to staging.
func (s *Staging) Free() (int64, error) {
	var at unix.Statfs_t
	if err := unix.Statfs(s.path, &at); err != nil {
		return 0, err
	}
	return int64(min(at.Bavail, 1<<40)) * int64(at.Bsize), nil //nolint:gosec // blocks have some KiB
}
