package pipelines

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
)

// What has to be free where files are written, by those who are not root: room for an index, a log of the database,
// and most packages. Below that the next write may fail, and those that went well may be the last.
const (
	minRoom  = 64 << 20 // bytes
	minNodes = 1000     // files and folders; not counted where the file system sets no bound
)

// A room is what is free on a file system.
type room struct {
	bytes     uint64
	size      uint64 // of all of it, in bytes; 0 where that is not known
	nodes     uint64
	bounded   bool // whether nodes counts
	writeable bool
}

// room reports which of the folders that a configuration names has no room left: staging, bucket and the catalog's. What lies elsewhere is
// not asked, and without room in the cache publishing is slower and nothing else changes.
func (r *Resources) room() error { return roomIn(r.Config, roomAt) }

func roomIn(c Config, at func(dir string) (room, error)) error {
	var errs []error
	seen := map[string]bool{}
	for _, f := range c.folders() {
		if seen[f.path] || f.what == "cache" {
			continue
		}
		seen[f.path] = true
		free, err := at(f.path)
		switch {
		case err != nil:
			err = fmt.Errorf("%s: ask how much room %s has: %w", f.what, f.path, err)
		case !free.writeable:
			err = fmt.Errorf("%s: the file system of %s is mounted read-only", f.what, f.path)
		case free.bytes < minRoom:
			err = fmt.Errorf("%s: the file system of %s is full: %d MiB are free, and %d are needed", f.what, f.path, free.bytes>>20, minRoom>>20)
		case free.bounded && free.nodes < minNodes:
			err = fmt.Errorf("%s: the file system of %s has room for %d more files, and %d are needed", f.what, f.path, free.nodes, minNodes)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// A namedFolder is a folder and what is kept there.
type namedFolder struct{ what, path string }

// folders returns the folders of this machine into which is written.
func (c Config) folders() (all []namedFolder) {
	add := func(what, url, scheme string) {
		if path, ok := strings.CutPrefix(url, scheme); ok && path != "" {
			if scheme == "sqlite://" {
				path = filepath.Dir(path)
			}
			all = append(all, namedFolder{what, path})
		}
	}
	add("staging", c.Staging, "file://")
	add("bucket", c.Bucket, "file://")
	add("catalog", c.Catalog, "sqlite://")
	add("cache", "cache:"+c.CacheDir, "cache:")
	return all
}
