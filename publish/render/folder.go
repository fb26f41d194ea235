package render

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// A folder has the files of renderings that outlive the process. One process at a time has it, until close.
type folder struct {
	dir  string
	lock *os.File
}

// A file is a saved rendering as the folder lists it.
type file struct {
	name  string // of the release
	data  string // path of its segments
	size  int64  // in bytes, of both files
	saved int64  // when, in nanoseconds
}

// The names of files: of a description, and of the segments that it names.
const (
	descriptionSuffix = ".rendering"
	segmentsSuffix    = ".segments"
)

// errTaken is returned for a folder that another process has.
var errTaken = errors.New("another process uses the folder: name another one with --cache")

// openFolder makes a folder below dir if necessary, locks it, and returns its renderings, the oldest first. It removes files that
// belong to no rendering.
func openFolder(dir string) (*folder, []file, error) {
	dir = filepath.Join(dir, "renderings")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, err
	}
	lock, err := os.OpenFile(filepath.Join(dir, ".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		lock.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errTaken
		}
		return nil, nil, err
	}
	f := &folder{dir: dir, lock: lock}
	files, err := f.list()
	if err != nil {
		f.close()
		return nil, nil, err
	}
	return f, files, nil
}

// list returns the renderings. A rendering with one description and one file of segments is whole; a crash leaves others.
func (f *folder) list() ([]file, error) {
	entries, err := os.ReadDir(f.dir)
	if err != nil {
		return nil, err
	}
	descriptions, segments := map[string]fs.FileInfo{}, map[string][]fs.FileInfo{}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !info.Mode().IsRegular() {
			continue
		}
		if name, ok := strings.CutSuffix(e.Name(), descriptionSuffix); ok {
			descriptions[name] = info
		} else if name, _, ok := strings.Cut(e.Name(), "-"); ok && strings.HasSuffix(e.Name(), segmentsSuffix) {
			segments[name] = append(segments[name], info)
		} else if strings.HasSuffix(e.Name(), ".part") {
			os.Remove(filepath.Join(f.dir, e.Name())) //nolint:errcheck // it is found again
		}
	}
	var all []file
	for name, data := range segments {
		if d := descriptions[name]; d != nil && len(data) == 1 {
			all = append(all, file{name, filepath.Join(f.dir, data[0].Name()), d.Size() + data[0].Size(), d.ModTime().UnixNano()})
			delete(descriptions, name)
			continue
		}
		for _, x := range data {
			os.Remove(filepath.Join(f.dir, x.Name())) //nolint:errcheck // it is found again
		}
	}
	for name := range descriptions {
		os.Remove(f.description(name)) //nolint:errcheck // it is found again
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Or(cmp.Compare(a.saved, b.saved), strings.Compare(a.name, b.name)) })
	return all, nil
}

// description returns the path of the description of a rendering.
func (f *folder) description(name string) string {
	return filepath.Join(f.dir, name+descriptionSuffix)
}

// newScratch makes a file for the segments of a rendering. It is removed when it is closed, unless a description was saved.
func (f *folder) newScratch(name string) (*scratch, error) {
	x, err := os.CreateTemp(f.dir, name+"-*"+segmentsSuffix)
	if err != nil {
		return nil, fmt.Errorf("make index: %w", err)
	}
	return &scratch{file: x, path: x.Name()}, nil
}

// save stores a description in place of an earlier one. A crash of the machine may leave a damaged one, which is recognized as such.
func (f *folder) save(name string, description []byte) error {
	part := f.description(name) + ".part"
	err := os.WriteFile(part, description, 0o600)
	if err == nil {
		err = os.Rename(part, f.description(name))
	}
	if err != nil {
		os.Remove(part) //nolint:errcheck // it is written over
	}
	return err
}

// remove removes a rendering.
func (f *folder) remove(name, data string) {
	os.Remove(f.description(name)) //nolint:errcheck // a description without segments is removed at the next start
	f.removeSegments(data)
}

// removeSegments removes a file of segments.
func (f *folder) removeSegments(path string) {
	os.Remove(path) //nolint:errcheck // what no description names is removed at the next start
}

// close leaves the folder to other processes.
func (f *folder) close() { f.lock.Close() }
