// Package file keeps the published bucket and the staging bucket in folders.
//
// The folder of a bucket is a complete published repository. Beside the objects it has two hidden names: .tmp for files
// that are being written, and .lock.
package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folder returns the path of a file:// URL. The path must be absolute: the first part of another one would be a host.
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

// openRoot opens a folder, and creates it with mode 0755 if it is absent. No name below it, and no symbolic link, can
// lead out of it.
func openRoot(path string) (*os.Root, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		if err := os.MkdirAll(path, 0o755); err != nil {
			return nil, err
		}
		if err := os.Chmod(path, 0o755); err != nil { // independent of the umask
			return nil, err
		}
	}
	return os.OpenRoot(path)
}
