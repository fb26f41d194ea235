package pipelines

import "golang.org/x/sys/unix"

// roomAt asks the file system of a folder.
func roomAt(dir string) (room, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return room{}, err
	}
	return room{
		bytes: s.Bavail * uint64(s.Bsize), size: s.Blocks * uint64(s.Bsize), nodes: s.Ffree, bounded: s.Files > 0,
		writeable: s.Flags&unix.ST_RDONLY == 0,
	}, nil
}
