package check

import (
	"errors"
	"io/fs"
	"path"
	"strings"

	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// A Found is a release that has a pointer.
type Found struct {
	Format   catalog.Format
	Base     string // the base URL of a client: "acme/tools/ubuntu", "acme/tools/el/9/x86_64"; "" for the root
	Codename string // DEB only
}

// Find lists the releases in a tree by their pointers, dists/*/InRelease and repodata/repomd.xml at any
// depth, in order of path. Folders whose names start with "." are ignored, and snapshots: packages and indexes of these are where the
// releases of the repository have them.
func Find(fsys fs.FS) ([]Found, error) {
	var found []Found
	err := fs.WalkDir(fsys, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if !d.IsDir() {
			return nil
		}
		base := path.Dir(name)
		switch path.Base(name) {
		case "dists":
			return codenames(fsys, name, &found)
		case "pool":
			if exists(fsys, path.Join(base, "dists")) {
				return fs.SkipDir // large, and without pointers
			}
		case "repodata":
			if exists(fsys, path.Join(name, "repomd.xml")) {
				found = append(found, Found{Format: catalog.RPM, Base: rootless(base)})
				return fs.SkipDir
			}
		}
		if _, snapshot := layout.ParseSnapshotID(d.Name()); snapshot && path.Base(base) == "snapshots" || name != "." && strings.HasPrefix(d.Name(), ".") {
			return fs.SkipDir
		}
		return nil
	})
	return found, err
}

// codenames adds the releases in a dists folder. It returns fs.SkipDir, so that the walk does not enter it.
func codenames(fsys fs.FS, dists string, found *[]Found) error {
	entries, err := fs.ReadDir(fsys, dists)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), ".") && exists(fsys, path.Join(dists, e.Name(), "InRelease")) {
			*found = append(*found, Found{Format: catalog.DEB, Base: rootless(path.Dir(dists)), Codename: e.Name()})
		}
	}
	return fs.SkipDir
}

func rootless(name string) string {
	if name == "." {
		return ""
	}
	return name
}

func exists(fsys fs.FS, name string) bool {
	_, err := fs.Stat(fsys, name)
	return !errors.Is(err, fs.ErrNotExist)
}
