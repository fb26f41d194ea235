package objects

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"syscall"
	"time"

	"repomill/ingest"
	"repomill/schemas/catalog"
	"repomill/schemas/layout"
)

// FolderName is the bucket name of uploads that are staged in a folder.
const FolderName = "staging"

// A FileStaging is a staging bucket in a folder. The generation of a file names its inode, its last
// change and its size: writing to it or putting another in its place gives a new one.
type FileStaging struct {
	root *os.Root
	path string
}

// OpenStaging opens the staging bucket of a file:// URL.
func OpenStaging(rawURL string) (*FileStaging, error) {
	dir, err := folder("staging", rawURL)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open staging: %w", err)
	}
	return &FileStaging{root: root, path: dir}, nil
}

// Path returns the folder.
func (s *FileStaging) Path() string { return s.path }

// Close releases the folder.
func (s *FileStaging) Close() error { return s.root.Close() }

// Stat returns a staged file as the upload that it is now, or fs.ErrNotExist.
func (s *FileStaging) Stat(object string) (catalog.Upload, error) {
	if err := checkKey(object); err != nil {
		return catalog.Upload{}, err
	}
	info, err := s.root.Lstat(object)
	if err != nil {
		return catalog.Upload{}, err
	}
	if !info.Mode().IsRegular() {
		return catalog.Upload{}, fmt.Errorf("%s is not a regular file: %w", object, fs.ErrNotExist)
	}
	return upload(object, info), nil
}

func upload(object string, info fs.FileInfo) catalog.Upload {
	return catalog.Upload{Bucket: FolderName, Object: object, Generation: generation(info), Size: info.Size()}
}

// generation names a state of a file, in letters that need no quoting.
func generation(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", changed(info).UnixNano(), inode(info), info.Size())
}

// Open implements the ingest package's Staging.
func (s *FileStaging) Open(_ context.Context, u catalog.Upload) (io.ReadCloser, error) {
	_, err := s.Stat(u.Object) // follows no link, while opening a file in a root follows it
	if gone(err) {
		return nil, fmt.Errorf("open %s: %w", u, ingest.ErrGone)
	}
	f, err := s.root.OpenFile(u.Object, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not block
	if gone(err) {
		return nil, fmt.Errorf("open %s: %w", u, ingest.ErrGone)
	}
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", u, err)
	}
	g := &generationReader{f: f, u: u}
	if err := g.check(); err != nil {
		f.Close()
		return nil, err
	}
	return g, nil
}

// gone reports whether an error says that there is no regular file of that name, nor can be.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// A generationReader ends with io.EOF only if the file is still the one that was asked for.
type generationReader struct {
	f *os.File
	u catalog.Upload
}

func (g *generationReader) Read(p []byte) (int, error) {
	n, err := g.f.Read(p)
	if errors.Is(err, io.EOF) {
		if changed := g.check(); changed != nil {
			err = changed
		}
	}
	return n, err
}

func (g *generationReader) Close() error { return g.f.Close() }

func (g *generationReader) check() error {
	info, err := g.f.Stat()
	if err != nil {
		return fmt.Errorf("read %s: %w", g.u, err)
	}
	if !info.Mode().IsRegular() || generation(info) != g.u.Generation {
		return fmt.Errorf("read %s: %w", g.u, ingest.ErrGone)
	}
	return nil
}

// Put stores a file for ingest, visible only when it is whole, and returns the upload that it is.
func (s *FileStaging) Put(ctx context.Context, object string, body io.Reader) (catalog.Upload, error) {
	if err := checkKey(object); err != nil {
		return catalog.Upload{}, err
	}
	if err := makeParent(s.root, object); err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	temp := partName(object)
	f, err := s.root.OpenFile(temp, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	defer f.Close()
	_, err = io.Copy(f, untilDone{ctx, body})
	if err == nil {
		err = f.Chmod(0o644) // whatever the umask: another user may run the program that reads it
	}
	if err == nil {
		err = f.Sync()
	}
	if err == nil {
		err = s.root.Rename(temp, object)
	}
	if err != nil {
		s.root.Remove(temp) //nolint:errcheck // hidden from ingest
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	info, err := f.Stat() // of our file, even if another has its name by now
	if err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	return upload(object, info), syncDir(s.root, path.Dir(object))
}

// partSuffix ends the hidden names of files that are being put into staging.
const partSuffix = ".part"

func partName(key string) string { return path.Dir(key) + "/." + rand.Text() + partSuffix }

// An untilDone is a reader that ends with its context.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(p []byte) (int, error) {
	if err := u.ctx.Err(); err != nil {
		return 0, err
	}
	return u.r.Read(p)
}

// settleTime is how long a file must have been left alone to count as whole, where nothing better is known.
const settleTime = 2 * time.Second

// List calls f for each staged file in or below a folder ("." for all) that is whole. One that somebody
// has open is left out: when it is closed, that is news. pending says that there was another one which
// only time can tell of. A folder that cannot be read is left out, and the error, which comes when all
// the rest was listed, says which. Along the way, what pushes that crashed long ago left is removed.
func (s *FileStaging) List(ctx context.Context, folder string, now time.Time, f func(catalog.Upload)) (pending bool, err error) {
	var unread []error
	err = fs.WalkDir(s.root.FS(), folder, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist): // gone since its folder was read
			return nil
		case errors.Is(err, fs.ErrPermission):
			unread = append(unread, err)
			return nil
		case err != nil || ctx.Err() != nil:
			return errors.Join(err, ctx.Err())
		case name != "." && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			s.removeLeft(name, d, now)
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		info, err := d.Info()
		if err != nil {
			return nil //nolint:nilerr // gone since its folder was read
		}
		if open, known := s.written(name); open {
			return nil
		} else if !known && now.Sub(changed(info)) < settleTime {
			pending = true
			return nil
		}
		f(upload(name, info))
		return nil
	})
	return pending, errors.Join(append(unread, err)...)
}

// leftTime is how old a file must be that a crashed push left behind, to be removed.
const leftTime = 24 * time.Hour

// removeLeft removes what a push that crashed long ago left behind.
func (s *FileStaging) removeLeft(name string, d fs.DirEntry, now time.Time) {
	info, err := d.Info()
	if err == nil && strings.HasSuffix(name, partSuffix) && now.Sub(changed(info)) > leftTime {
		s.root.Remove(name) //nolint:errcheck // the next sweep tries again
	}
}

// maxVerdict bounds a verdict object in bytes.
const maxVerdict = 1 << 20

// Verdict returns the verdict object of a staging key, or fs.ErrNotExist. For a name that cannot have
// one in a folder the error is fs.ErrInvalid.
func (s *FileStaging) Verdict(_ context.Context, object string) ([]byte, error) {
	key := layout.VerdictKey(object)
	if err := checkKey(key); err != nil {
		return nil, err
	}
	f, err := s.root.Open(key)
	if err != nil {
		return nil, misplaced(err)
	}
	defer f.Close()
	body, err := io.ReadAll(io.LimitReader(f, maxVerdict))
	return body, misplaced(err)
}

// PutVerdict replaces the verdict object of a staging key. For a name that cannot have one in a folder
// the error is fs.ErrInvalid.
func (s *FileStaging) PutVerdict(_ context.Context, object string, body []byte) error {
	key := layout.VerdictKey(object)
	if err := checkKey(key); err != nil {
		return err
	}
	if err := makeParent(s.root, key); err != nil {
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	temp := partName(key)
	err := s.root.WriteFile(temp, body, 0o644)
	if err == nil {
		err = s.root.Chmod(temp, 0o644)
	}
	if err == nil {
		err = s.root.Rename(temp, key)
	}
	if err != nil {
		s.root.Remove(temp) //nolint:errcheck // hidden from ingest
		return fmt.Errorf("write verdict: %w", misplaced(err))
	}
	return nil
}

// misplaced makes errors about a file where a folder should be, and the reverse, fs.ErrInvalid: the
// verdicts of "f" and of "f.json/g" exclude each other in a folder, and trying again cannot help.
func misplaced(err error) error {
	if errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.EISDIR) || errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %w", fs.ErrInvalid, err)
	}
	return err
}
