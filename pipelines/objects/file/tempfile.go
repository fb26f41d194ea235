package file

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"sync"
	"syscall"
	"time"
)

// tempDir has the files that processes are writing. Each is locked by its writer. A crash leaves them there without a
// lock; nothing refers to them.
const tempDir = ".tmp"

// minAbandoned is the age from which on an unlocked file counts as abandoned: a new one is not locked yet.
const minAbandoned = time.Minute

// openTemp creates the folder of temporary files, and removes abandoned ones.
func openTemp(root *os.Root) error {
	if err := root.Mkdir(tempDir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	entries, err := fs.ReadDir(root.FS(), tempDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		name := tempDir + "/" + e.Name()
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() && time.Since(info.ModTime()) > minAbandoned && abandoned(root, name) {
			root.Remove(name) //nolint:errcheck // the next start tries again
		}
	}
	return nil
}

// abandoned reports whether a temporary file has no writer.
func abandoned(root *os.Root, name string) bool {
	f, err := root.OpenFile(name, os.O_RDWR, 0)
	if err != nil {
		return false
	}
	defer f.Close()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil
}

// A tempFile is a complete, durable file under a hidden name, ready to be linked or renamed. It is locked
// until it is removed.
type tempFile struct {
	root *os.Root
	name string
	file *os.File
	info fs.FileInfo
}

// writeTemp stores body, which must end with io.EOF, and makes it durable. After an error no file is left.
func writeTemp(root *os.Root, body io.Reader) (t tempFile, err error) {
	t = tempFile{root: root, name: tempDir + "/" + rand.Text()}
	f, err := root.OpenFile(t.name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return t, err
	}
	t.file = f
	defer func() {
		if err != nil {
			t.remove()
		}
	}()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return t, err
	}
	if err := fill(f, body); err != nil {
		return t, err
	}
	if err := f.Chmod(0o644); err != nil { // independent of the umask: a web server of another user may read it
		return t, err
	}
	if err := f.Sync(); err != nil {
		return t, err
	}
	t.info, err = f.Stat()
	return t, err
}

// buffers are reused for copying: most packages are small.
var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// fill copies body into a file.
func fill(f *os.File, body io.Reader) error {
	buffer := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buffer)
	_, err := io.CopyBuffer(struct{ io.Writer }{f}, struct{ io.Reader }{body}, buffer[:]) // a file would take a buffer of its own
	return err
}

// remove removes the hidden name, and so a file that has no other one, and unlocks the file.
func (t tempFile) remove() {
	t.root.Remove(t.name) //nolint:errcheck // a left-over is harmless
	t.file.Close()        //nolint:errcheck // it is durable
}

// makeParent creates the folder of a key with mode 0755.
func makeParent(root *os.Root, key string) error {
	d, parents, err := makeDir(root, key)
	if err != nil {
		return err
	}
	return errors.Join(d.f.Close(), finish(parents))
}

// syncDir makes the names in a folder durable.
func syncDir(root *os.Root, name string) error {
	d, err := root.Open(name)
	if err != nil {
		return err
	}
	return finish([]dir{{d}})
}

// checkKey refuses keys that cannot be names of files.
func checkKey(key string) error {
	if !fs.ValidPath(key) || key == "." || len(path.Base(key)) > 255 || strings.Contains(key, "\x00") {
		return fmt.Errorf("object key %q is not a plain path: %w", key, fs.ErrInvalid)
	}
	return nil
}
