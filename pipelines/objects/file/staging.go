package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"syscall"

	"repomill/schemas/catalog"
)

// FolderName is the bucket name of uploads that are staged in a folder.
const FolderName = "staging"

// A Staging is a staging bucket in a folder. The generation of a file consists of its inode, its last change and its
// size: a write or a replacement gives a new one. The pusher of a file is an extended attribute of it, where the file system has such
// attributes. Its methods may be called concurrently, by several processes.
type Staging struct {
	root    *os.Root
	path    string
	folders *folders
	skipped skipSet
}

// OpenStaging opens the staging bucket of a file:// URL.
func OpenStaging(rawURL string) (*Staging, error) {
	dir, err := folder("staging", rawURL)
	if err != nil {
		return nil, err
	}
	root, err := openRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open staging: %w", err)
	}
	folders, err := newFolders(root)
	if err != nil {
		root.Close()
		return nil, fmt.Errorf("open staging: %w", err)
	}
	return &Staging{root: root, path: dir, folders: folders}, nil
}

// Name returns [FolderName].
func (s *Staging) Name() string { return FolderName }

// Path returns the folder.
func (s *Staging) Path() string { return s.path }

// Close releases the folder.
func (s *Staging) Close() error {
	s.folders.close()
	return s.root.Close()
}

// Stat returns the current generation of a staged file, or fs.ErrNotExist.
func (s *Staging) Stat(_ context.Context, object string) (catalog.Upload, error) {
	info, err := s.lstat(object)
	if err != nil {
		return catalog.Upload{}, err
	}
	return upload(object, info), nil
}

// lstat does not follow links, as opening a file in a root does.
func (s *Staging) lstat(object string) (fs.FileInfo, error) {
	if err := checkKey(object); err != nil {
		return nil, err
	}
	info, err := s.root.Lstat(object)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file: %w", object, fs.ErrNotExist)
	}
	return info, nil
}

func upload(object string, info fs.FileInfo) catalog.Upload {
	return catalog.Upload{Bucket: FolderName, Object: object, Generation: generation(info), Size: info.Size()}
}

// generation returns the generation of a file, in characters that need no quoting.
func generation(info fs.FileInfo) string {
	return fmt.Sprintf("%x-%x-%x", changed(info).UnixNano(), inode(info), info.Size())
}

// Open returns the bytes of exactly this generation, and its pusher.
func (s *Staging) Open(_ context.Context, u catalog.Upload) (io.ReadCloser, catalog.Pusher, error) {
	g, err := s.open(u)
	if err != nil {
		return nil, catalog.Pusher{}, err
	}
	return g, pusherOf(g.f), nil
}

func (s *Staging) open(u catalog.Upload) (*generationReader, error) {
	f, err := s.openFile(u.Object)
	if gone(err) {
		return nil, fmt.Errorf("open %s: %w", u, catalog.ErrGone)
	}
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("open %s: the user of the worker may not read it: chmod a+r lets everybody: %w", u.Object, err)
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

func (s *Staging) openFile(object string) (*os.File, error) {
	if err := checkKey(object); err != nil {
		return nil, err
	}
	d, err := s.folders.get(path.Dir(object))
	if err != nil {
		return nil, err
	}
	defer s.folders.put(d)
	return d.open(path.Base(object))
}

// gone reports whether an error says that a regular file of that name does not or cannot exist.
func gone(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrInvalid) || errors.Is(err, syscall.ENOTDIR) || errors.Is(err, syscall.ELOOP)
}

// A generationReader returns io.EOF only if the file still has its generation; otherwise [catalog.ErrGone].
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
		return fmt.Errorf("read %s: %w", g.u, catalog.ErrGone)
	}
	return nil
}

// Put stores a file and returns its upload. The file becomes visible when it is complete.
func (s *Staging) Put(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	return s.put(ctx, object, body, by, s.root.Rename)
}

// Create is [Staging.Put] under a name that must be free. If it is not, the error is fs.ErrExist, with or without having
// read body.
func (s *Staging) Create(ctx context.Context, object string, body io.Reader, by catalog.Pusher) (catalog.Upload, error) {
	if _, err := s.lstat(object); err == nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, fs.ErrExist)
	}
	return s.put(ctx, object, body, by, s.renameNew)
}

// put stores a file under a hidden name, and gives it its own when it is complete.
func (s *Staging) put(ctx context.Context, object string, body io.Reader, by catalog.Pusher, rename func(from, to string) error) (catalog.Upload, error) {
	if err := checkKey(object); err != nil {
		return catalog.Upload{}, err
	}
	if err := makeParent(s.root, object); err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	f, temp, err := s.createPart(object)
	if err != nil {
		return catalog.Upload{}, fmt.Errorf("stage %s: %w", object, err)
	}
	defer f.Close()
	err = fill(f, untilDone{ctx, body})
	if err == nil {
		err = f.Chmod(0o644) // independent of the umask: a process of another user may read it
	}
	if err == nil {
		setPusher(f, by)
		err = f.Sync()
	}
	if err == nil {
		err = rename(temp, object)
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

// renameNew gives a file of the same folder a name that must be free, or returns fs.ErrExist.
func (s *Staging) renameNew(from, to string) error {
	d, err := openDir(s.root, to)
	if err != nil {
		return err
	}
	defer d.f.Close()
	return d.renameNew(d, path.Base(from), path.Base(to))
}

// An untilDone is a reader that returns the error of its context when that has ended.
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

// Delete removes exactly this generation. If it is already gone, that is success.
func (s *Staging) Delete(_ context.Context, u catalog.Upload) error {
	g, err := s.open(u)
	if errors.Is(err, catalog.ErrGone) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", u, err)
	}
	defer g.Close()
	info, err := g.f.Stat()
	if err == nil {
		err = s.remove(u.Object, info)
	}
	if err != nil {
		return fmt.Errorf("delete %s: %w", u, err)
	}
	return syncDir(s.root, path.Dir(u.Object))
}

// remove removes one file by name. It first renames the file to a hidden name and compares it: if another file has
// replaced it in the meantime, that one is put back, as a new generation. A crash in between leaves a hidden file,
// which [Staging.List] removes a day later.
func (s *Staging) remove(object string, file fs.FileInfo) error {
	temp := removedName(object)
	if err := s.root.Rename(object, temp); gone(err) {
		return nil
	} else if err != nil {
		return err
	}
	if got, err := s.root.Lstat(temp); err == nil && !sameFile(file, got) {
		// If a third file has the name by now, it is newer.
		if err := s.root.Link(temp, object); err != nil && !errors.Is(err, fs.ErrExist) {
			return fmt.Errorf("put another file back: %w", err)
		}
	}
	if err := s.root.Remove(temp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
