package doctor

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// A root is the file system of the host that is examined: "/", or a folder with another host's files. Paths are absolute,
// as programs on that host use them.
type root struct{ dir string }

// maxFile bounds what is read of one file, in bytes.
const maxFile = 64 << 20

// maxLinks is how many symbolic links lead to a file, as in Linux.
const maxLinks = 40

// place returns where a path of the host is here. Symbolic links lead to where they would on the host.
func (r root) place(name string) (string, error) {
	if r.dir == "/" {
		return name, nil
	}
	at, left, links := "/", strings.Split(path.Clean(name), "/"), 0
	for len(left) > 0 {
		next := path.Join(at, left[0]) // ".." of "/" is "/"
		left = left[1:]
		target, err := os.Readlink(filepath.Join(r.dir, next))
		if err != nil { // absent, or not a link
			at = next
			continue
		}
		if links++; links > maxLinks {
			return "", errors.New("too many symbolic links")
		}
		if path.IsAbs(target) {
			at = "/"
		}
		left = append(strings.Split(target, "/"), left...)
	}
	return filepath.Join(r.dir, at), nil
}

func (r root) stat(name string) (fs.FileInfo, error) {
	at, err := r.place(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(at)
	return info, plain(err)
}

func (r root) read(name string) ([]byte, error) {
	at, err := r.place(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(at)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a file")
	}
	f, err := os.Open(at)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFile))
	return b, plain(err)
}

// list returns the paths of the files in a folder with one of the endings, in order. An absent folder has none.
func (r root) list(dir string, endings ...string) (names []string, err error) {
	at, err := r.place(dir)
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(at)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if slices.Contains(endings, path.Ext(e.Name())) {
			names = append(names, path.Join(dir, e.Name()))
		}
	}
	return names, plain(err)
}

// plain removes the path from a file error: what is said names it already.
func plain(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// hidden says what could not be read, and by whom it can be.
func hidden(name string, err error) Finding {
	if errors.Is(err, fs.ErrPermission) {
		return Finding{Warning, "files", name + " cannot be read by this user", "run repomill doctor with sudo to have it examined too"}
	}
	return Finding{Warning, "files", fmt.Sprintf("%s cannot be read: %v", name, err), "check the file"}
}
