// Package file keeps the published bucket and the staging bucket in folders.
//
// A bucket's folder is, by itself, the published repository. It keeps nothing beside the objects but
// two hidden names: .tmp for files being written, and .lock.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folder returns the path of a file:// URL. Only an absolute path has no host in it.
func folder(what, rawURL string) (string, error) {
	path, ok := strings.CutPrefix(rawURL, "file://")
	if !ok || path == "" {
		return "", fmt.Errorf("%s %q: use file:///path/to/folder", what, rawURL)
	}
	abs, err := filepath.Abs(path)
	if err != nil {
		return "", fmt.Errorf("%s %q: %w", what, rawURL, err)
	}
	return abs, nil
}

// openRoot opens a folder, creating it readable by everybody if it is absent. No name below it, and
// no symbolic link, can lead out of it.
func openRoot(path string) (*os.Root, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o755); err != nil { // whatever the umask
			return nil, err
		}
	}
	return os.OpenRoot(path)
}
